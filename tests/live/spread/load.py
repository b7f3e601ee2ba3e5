"""Callers who never stop asking, and write down every question and every answer before they go on."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.funding.v1 import funding_pb2_grpc
from luoshu.platforms.v1 import platforms_pb2 as pb
from luoshu.platforms.v1 import platforms_pb2_grpc
from tests import invariants
from tests.flow.province import APPLICANT, Funding, platform
from tests.flow.separate import PROMPT, ClientJournal

Code = grpc.StatusCode
UNKNOWN = {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.CANCELLED, Code.RESOURCE_EXHAUSTED}
DEADLINE = 10.0  # seconds a call
ENOUGH = 180.0  # seconds until somebody who is never answered gives up


@dataclass
class Load:
    """Creates, updates and requests that must be refused. `pace`: seconds between two calls of one caller.

    `deadline`: seconds a call; `codes`: how often which status was answered; `longest`: seconds that a call took.
    """

    addresses: Sequence[str]
    journal: ClientJournal
    callers: int = 8
    pace: float = 0.0
    name: str = "load"
    deadline: float = DEADLINE
    refused: set[str] = field(default_factory=set)
    codes: Counter[Code] = field(default_factory=Counter)
    answered: int = 0
    longest: float = 0.0
    stopped: bool = False
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> Any:
        """Calls go on until the block ends; then every open question is settled."""
        self.tasks = [asyncio.create_task(self._calls(n)) for n in range(self.callers)]
        try:
            yield self
            self.stopped = True
            await asyncio.gather(*self.tasks)
        finally:
            for task in self.tasks:
                task.cancel()

    async def more(self, count: int, seconds: float = ENOUGH) -> None:
        """Wait for so many more answers."""
        goal = self.answered + count
        async with asyncio.timeout(seconds):
            while self.answered < goal:
                await asyncio.sleep(0.02)
                for task in self.tasks:
                    if task.done():
                        task.result()  # what stopped a caller stops the test

    async def _calls(self, caller: int) -> None:
        address = self.addresses[caller % len(self.addresses)]
        async with grpc.aio.insecure_channel(address, PROMPT) as channel:
            stub = self._stub(channel)
            number, kept = 0, None
            while not self.stopped:
                number += 1
                kept = await self._one(stub, f"{self.name}-{caller}-{number}", number, kept)
                await asyncio.sleep(self.pace * random.uniform(0.5, 1.5))

    def _stub(self, channel: Any) -> Any:
        return platforms_pb2_grpc.PlatformServiceStub(channel)

    async def _one(self, stub: Any, request_id: str, number: int, kept: Any) -> Any:
        """Make a record, change the one made before, or ask for what must be refused."""
        if number % 7 == 0:
            wrong = pb.CreatePlatformRequest(platform=platform("错", kind="no-such-kind"))
            return await self._settle(stub.CreatePlatform, wrong, request_id) or kept
        if number % 3 == 0 and kept is not None:
            title = f"改名 {request_id}"
            changed = pb.Platform(name=kept.name, etag=kept.etag, title=title)
            update = pb.UpdatePlatformRequest(platform=changed)
            update.update_mask.paths.append("title")
            return await self._settle(stub.UpdatePlatform, update, request_id)
        create = pb.CreatePlatformRequest(platform=platform(f"平台 {request_id}"))
        return await self._settle(stub.CreatePlatform, create, request_id)

    async def _settle(self, rpc: Callable[..., Any], request: Any, request_id: str) -> Any:
        """Ask until the outcome is known: the same request id every time."""
        request.request_id = request_id
        self.journal.asked(request_id)
        answer = None
        async with asyncio.timeout(ENOUGH):
            while True:
                try:
                    answer = await self._timed(rpc, request)
                    self.codes[Code.OK] += 1
                    break
                except grpc.aio.AioRpcError as error:
                    self.codes[error.code()] += 1
                    if self._is_refusal(error.code(), request):
                        self.refused.add(request_id)
                        break
                    if error.code() not in UNKNOWN:
                        raise
                    await asyncio.sleep(0.1)
        self.journal.answered({request_id: answer.name if answer else ""})
        self.answered += 1
        return answer

    async def _timed(self, rpc: Callable[..., Any], request: Any) -> Any:
        began = time.monotonic()
        try:
            return await rpc(request, metadata=APPLICANT.metadata, timeout=self.deadline)
        finally:
            self.longest = max(self.longest, time.monotonic() - began)

    def _is_refusal(self, code: Code, request: Any) -> bool:
        """Tell whether nothing was done, and never will be, of what had to be refused."""
        return code is Code.INVALID_ARGUMENT and bool(request.platform.kind)

    @property
    def acknowledged(self) -> dict[str, str]:
        return {key: name for key, name in self.journal.acknowledged().items() if name}

    def demand(self, lines: Sequence[invariants.Line]) -> None:
        """I1, I2: what was answered OK is there once, what was refused is not, and nothing else is."""
        assert self.journal.unanswered() == []
        assert self.refused
        acknowledged = self.acknowledged
        invariants.demand_effects(lines, acknowledged)
        invariants.demand_no_effects(lines, self.refused)
        mine = {line.request_id for line in lines if line.request_id.startswith(f"{self.name}-")}
        assert mine == acknowledged.keys()


@dataclass
class Drafts(Load):
    """Applications that name a platform made a moment ago, of which its owner may have to be asked, or one that nobody knows."""

    owner: str = ""  # the address of platforms
    applying: Funding = field(kw_only=True)

    def _stub(self, channel: Any) -> Any:
        return funding_pb2_grpc.FundingServiceStub(channel)

    async def _one(self, stub: Any, request_id: str, number: int, kept: Any) -> Any:
        named = "platforms/nowhere" if number % 5 == 0 else await self._made()
        request = funding.CreateApplicationRequest(
            application=self.applying.application(platforms=[named])
        )
        return await self._settle(stub.CreateApplication, request, request_id)

    async def _made(self) -> str:
        async with grpc.aio.insecure_channel(self.owner, PROMPT) as channel:
            stub = platforms_pb2_grpc.PlatformServiceStub(channel)
            request = pb.CreatePlatformRequest(platform=platform("新平台"))
            return str((await stub.CreatePlatform(request, metadata=APPLICANT.metadata)).name)

    def _is_refusal(self, code: Code, request: Any) -> bool:
        return code is Code.NOT_FOUND and request.application.platforms == ["platforms/nowhere"]

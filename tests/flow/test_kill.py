"""A service is killed at work, with SIGKILL; what it acknowledged is there afterwards, once."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from luoshu.journal.v1 import journal_pb2
from luoshu.platforms.v1 import platforms_pb2 as pb
from luoshu.platforms.v1 import platforms_pb2_grpc
from services.platforms.store import PLATFORMS
from tests import invariants
from tests.flow.province import APPLICANT, IMPORTER, messages, platform
from tests.flow.separate import ClientJournal, Separate, addresses

ROWS, A_MESSAGE, UNDER_WAY = 4000, 100, 4
CALLERS = 16
ENTERED = journal_pb2.IMPORT_OUTCOME_ENTERED


@pytest.fixture
def platforms(tmp_path: Path) -> Iterator[Separate]:
    with Separate(("platforms",), tmp_path, addresses(["platforms"])) as service:
        yield service


def sound(service: Separate) -> invariants.Database:
    return invariants.demand_sound(service.database(), PLATFORMS)


# An import.


async def import_(
    service: Separate, journal: ClientJournal, stop_after: int | None = None
) -> Counter[int]:
    """Send the file; return how many rows had which outcome. `stop_after`: answers until the service is killed."""
    outcomes: Counter[int] = Counter()
    async with grpc.aio.insecure_channel(service.address) as channel:
        call = platforms_pb2_grpc.PlatformServiceStub(channel).ImportPlatforms(
            metadata=IMPORTER.metadata
        )
        try:
            async for results in _answers(call, journal):
                outcomes.update(result.outcome for result in results)
                journal.answered({f"row-{result.line}": result.name for result in results})
                if outcomes.total() == (stop_after or ROWS) * A_MESSAGE:
                    await asyncio.to_thread(service.kill)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            if outcomes.total() < (stop_after or ROWS + 1) * A_MESSAGE:
                raise  # it broke before it was killed
    return outcomes


async def _answers(call: Any, journal: ClientJournal) -> AsyncIterator[Any]:
    """Yield the answers; some messages are under way while one is waited for."""
    waiting, under_way = deque(messages(ROWS, A_MESSAGE)), 0
    while waiting or under_way:
        while waiting and under_way < UNDER_WAY:
            message = waiting.popleft()
            journal.asked(message.rows[0].key)
            await call.write(message)
            under_way += 1
        answer = await call.read()
        assert answer is not grpc.aio.EOF
        under_way -= 1
        yield answer.results
    await call.done_writing()


async def test_an_import_killed_in_the_middle_enters_every_row_once(
    platforms: Separate, tmp_path: Path
) -> None:
    journal = ClientJournal(tmp_path / "client.jsonl")
    pids = [platforms.pid]
    for stop_after in (5, 18):
        answered = await import_(platforms, journal, stop_after)
        assert stop_after * A_MESSAGE <= answered.total() < ROWS
        await asyncio.to_thread(platforms.start)
        pids.append(platforms.pid)
        found = sound(platforms)
        invariants.demand_rows(found.lines, PLATFORMS, journal.acknowledged())
    acknowledged = len(journal.acknowledged())
    outcomes = await import_(platforms, journal)
    assert outcomes.total() == ROWS
    assert set(outcomes) == {ENTERED, journal_pb2.IMPORT_OUTCOME_ALREADY_PRESENT}
    assert outcomes[journal_pb2.IMPORT_OUTCOME_ALREADY_PRESENT] >= acknowledged
    found = sound(platforms)
    invariants.demand_rows(found.lines, PLATFORMS, journal.acknowledged())
    assert len(found.rows) == len(journal.acknowledged()) == ROWS
    assert len(set(pids)) == len(pids)


# Creates.


@dataclass
class Callers:
    """Concurrent callers with request ids; every seventh request is one that must be refused."""

    service: Separate
    journal: ClientJournal
    refused: set[str] = field(default_factory=set)
    answers: int = 0

    async def create(self, request_ids: Iterable[str], kill_after: int | None = None) -> None:
        """Ask until all is answered, or until the service was killed after so many answers."""
        waiting = iter(list(request_ids))
        self.answers = 0
        async with grpc.aio.insecure_channel(self.service.address) as channel:
            stub = platforms_pb2_grpc.PlatformServiceStub(channel)
            await asyncio.gather(*(self._one(stub, waiting, kill_after) for _ in range(CALLERS)))

    async def _one(self, stub: Any, waiting: Iterable[str], kill_after: int | None) -> None:
        for request_id in waiting:
            self.journal.asked(request_id)
            try:
                name = await self._ask(stub, request_id)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                    if kill_after and self.answers >= kill_after:
                        return
                    raise
                self.refused.add(request_id)
                name = ""
            self.journal.answered({request_id: name})
            self.answers += 1
            if self.answers == kill_after:
                await asyncio.to_thread(self.service.kill)

    async def _ask(self, stub: Any, request_id: str) -> str:
        refused = int(request_id.rpartition("-")[2]) % 7 == 0
        wrong = {"kind": "no-such-kind"} if refused else {}
        request = pb.CreatePlatformRequest(
            platform=platform(f"平台 {request_id}", **wrong), request_id=request_id
        )
        answer = await stub.CreatePlatform(request, metadata=APPLICANT.metadata, timeout=60)
        return str(answer.name)


async def test_creates_under_way_when_the_service_is_killed_are_there_or_can_be_repeated(
    platforms: Separate, tmp_path: Path
) -> None:
    callers = Callers(platforms, ClientJournal(tmp_path / "client.jsonl"))
    for kill, kill_after in enumerate((60, 250)):
        await callers.create((f"create-{kill}-{n}" for n in range(1, 2000)), kill_after)
        assert callers.answers < 1999
        await asyncio.to_thread(platforms.start)
        demand(callers)
    unknown = callers.journal.unanswered()
    assert unknown, "nothing was under way when the service was killed"
    await callers.create(unknown)
    assert callers.journal.unanswered() == []
    demand(callers)
    assert callers.refused


def demand(callers: Callers) -> None:
    """I1 to I3, against what the callers wrote down."""
    found = sound(callers.service)
    acknowledged = {k: name for k, name in callers.journal.acknowledged().items() if name}
    invariants.demand_effects(found.lines, acknowledged)
    invariants.demand_no_effects(found.lines, callers.refused)
    asked = acknowledged.keys() | callers.journal.unanswered()
    assert {line.request_id for line in found.lines if line.collection == "platforms"} <= asked

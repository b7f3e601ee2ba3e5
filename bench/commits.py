"""Group commit: durable creates a second of 32 callers, against the same code committing each alone."""

import asyncio
import statistics
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import uvloop

from bench.rows import platform
from bench.serving import APPLICANT, Served, served
from luoshu.platforms.v1 import platforms_pb2 as pb
from luoshu.platforms.v1 import platforms_pb2_grpc

CALLERS, ROUNDS, SECONDS = 32, 9, 2.0
TOGETHER, ALONE = 256, 1


@dataclass(frozen=True)
class Commits:
    """Creates a second, a figure a round."""

    together: Sequence[float]
    alone: Sequence[float]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios: what slows the machine for a while slows both halves of a round."""
        ratios = [t / a for t, a in zip(self.together, self.alone, strict=True)]
        return statistics.median(ratios)


def commits() -> Commits:
    with served(TOGETHER) as together, served(ALONE) as alone:
        return uvloop.run(_rounds(together, alone))


async def _rounds(together: Served, alone: Served) -> Commits:
    await creates(together, 1.0)  # warm
    await creates(alone, 1.0)
    found = [(await creates(together), await creates(alone)) for _ in range(ROUNDS)]
    return Commits(*zip(*found, strict=True))


async def creates(service: Served, seconds: float = SECONDS, callers: int = CALLERS) -> float:
    """Return answered creates a second of callers that each wait for their answer."""
    async with grpc.aio.insecure_channel(service.address) as channel:
        stub = platforms_pb2_grpc.PlatformServiceStub(channel)
        began = time.perf_counter()
        counts = await asyncio.gather(*(_caller(stub, began + seconds) for _ in range(callers)))
        return sum(counts) / (time.perf_counter() - began)


async def _caller(stub: Any, end: float) -> int:
    count = 0
    while time.perf_counter() < end:
        request = pb.CreatePlatformRequest(platform=platform(count), request_id=uuid.uuid4().hex)
        await stub.CreatePlatform(request, metadata=APPLICANT)
        count += 1
    return count

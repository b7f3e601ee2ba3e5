"""A hundred watchers of one journal: whether they keep the writer's pace, and what each costs in memory."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc

from bench.importing import import_rate
from bench.results import Line, at_least, at_most
from bench.rows import platform
from bench.serving import APPLICANT, AUDITOR, Served, served
from luoshu.journal.v1 import journal_pb2, journal_pb2_grpc
from luoshu.platforms.v1 import platforms_pb2 as pb
from luoshu.platforms.v1 import platforms_pb2_grpc

WATCHERS, WRITERS, SECONDS, PER_CONNECTION = 100, 8, 6.0, 20
ROWS = 20_000


def lines() -> Iterator[Line]:
    with served() as service:
        import_rate(service, ROWS)
        for name, rate in (("a watcher", watch_rate), ("a consumer by ReadJournal", follow_rate)):
            yield Line(f"{name} catching up", f"{rate(service, ROWS):,.0f} events/s")
    with served() as service:
        yield from asyncio.run(_fanned(service))


async def _fanned(service: Served) -> Iterator[Line]:
    async with _channels(service) as channels:
        before = resident(service.pid)
        seen = [[0, 0.0] for _ in range(WATCHERS)]
        tasks = [
            asyncio.create_task(_watch(channels[n % len(channels)], seen[n]))
            for n in range(WATCHERS)
        ]
        await asyncio.sleep(1)
        held = (resident(service.pid) - before) / WATCHERS
        written, ended = await _written(channels[0])
        limit = time.monotonic() + 30
        while min(count for count, _ in seen) < written and time.monotonic() < limit:  # noqa: ASYNC110 - counted, not told
            await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    missed = sum(written - count for count, _ in seen)
    lag = max(at for _, at in seen) - ended
    pace = written / SECONDS
    return iter(
        (
            at_least(
                f"{WATCHERS} watchers at the writers' pace: how many have every event a second after the last",
                sum(count >= written for count, _ in seen) / WATCHERS if lag <= 1 else 0, 1,
                f"{written:,} events at {pace:,.0f}/s, {WATCHERS * pace:,.0f} messages/s in all, {missed} missed, "
                f"the last watcher {max(0.0, lag) * 1000:,.0f} ms behind the last answer",
            ),
            at_most("memory of a watcher", held / 1024, 200, "resident, all of the server's growth", " KiB"),
        )
    )  # fmt: skip


@contextlib.asynccontextmanager
async def _channels(service: Served) -> AsyncIterator[list[Any]]:
    """Connections that the watchers share."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    count = WATCHERS // PER_CONNECTION
    channels = [grpc.aio.insecure_channel(service.address, options) for _ in range(count)]
    yield channels
    for channel in channels:
        await channel.close()


async def _watch(channel: Any, seen: list[Any]) -> None:
    stub = platforms_pb2_grpc.PlatformServiceStub(channel)
    async for _ in stub.WatchPlatforms(pb.WatchPlatformsRequest(), metadata=AUDITOR):
        seen[0], seen[1] = seen[0] + 1, time.monotonic()


async def _written(channel: Any) -> tuple[int, float]:
    """Write for some seconds; return how many were answered, and when the last was."""
    stub, end = platforms_pb2_grpc.PlatformServiceStub(channel), time.monotonic() + SECONDS

    async def writer() -> int:
        count = 0
        while time.monotonic() < end:
            await stub.CreatePlatform(
                pb.CreatePlatformRequest(platform=platform(count)), metadata=APPLICANT
            )
            count += 1
        return count

    counts = await asyncio.gather(*(writer() for _ in range(WRITERS)))
    return sum(counts), time.monotonic()


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * 4096


def watch_rate(service: Served, count: int) -> float:
    """Watch from the beginning until so many changes were seen; return changes a second."""
    with grpc.insecure_channel(service.address) as channel:
        stub = platforms_pb2_grpc.PlatformServiceStub(channel)
        return _rate(stub.WatchPlatforms(pb.WatchPlatformsRequest(), metadata=AUDITOR), count)


def follow_rate(service: Served, count: int) -> float:
    """The same over ReadJournal, as a consumer in another process reads."""
    with grpc.insecure_channel(service.address) as channel:
        stub = journal_pb2_grpc.JournalServiceStub(channel)
        request = journal_pb2.ReadJournalRequest(source="platforms", follow=True)
        return _rate(stub.ReadJournal(request, metadata=AUDITOR), count)


def _rate(stream: Any, count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        next(stream)
    seconds = time.perf_counter() - began
    stream.cancel()
    return count / seconds

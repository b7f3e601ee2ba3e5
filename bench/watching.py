"""A hundred watchers of one journal: whether they keep the writer's pace, and what each costs in memory."""

import asyncio
import json
import time
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc

from bench.contest import over_grpc
from bench.importing import import_rate
from bench.peers.build import program
from bench.results import Line, at_least, at_most
from bench.rows import platform
from bench.serving import APPLICANT, AUDITOR, Served, served
from luoshu.journal.v1 import journal_pb2, journal_pb2_grpc
from luoshu.platforms.v1 import platforms_pb2 as pb
from luoshu.platforms.v1 import platforms_pb2_grpc

WATCH = "/luoshu.platforms.v1.PlatformService/WatchPlatforms"
WATCHERS, WRITERS, GREEDY, SECONDS = 100, 4, 8, 6.0
ROWS = 20_000


def lines() -> Iterator[Line]:
    with served() as service:
        import_rate(service, ROWS)
        for name, rate in (("a watcher", watch_rate), ("a consumer by ReadJournal", follow_rate)):
            yield Line(f"{name} catching up", f"{rate(service, ROWS):,.0f} events/s")
    with served() as service:
        yield from asyncio.run(_fanned(service, WRITERS))
    with served() as service:
        beyond, _ = asyncio.run(_fanned(service, GREEDY))
        what = f"{WATCHERS} watchers where {GREEDY} write all that they can"
        yield Line(what, beyond.found, detail=beyond.detail)


async def _fanned(service: Served, writers: int) -> tuple[Line, Line]:
    """Return whether watchers keep pace with so many writers, each of whom writes all that it can; and their memory."""
    channel, before = grpc.aio.insecure_channel(service.address), resident(service.pid)
    asked = over_grpc(service.address, WATCH, b"", dict(AUDITOR))
    command = (str(program("load")), *asked, "-watch", "-callers", str(WATCHERS))
    watching = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    await asyncio.sleep(1)
    held = (resident(service.pid) - before) / WATCHERS
    written, ended = await _written(channel, writers)
    said, _ = await watching.communicate(f"{written}\n".encode())
    await channel.close()
    seen = json.loads(said)
    missed = sum(max(0, written - count) for count, _ in seen)
    lag = max(at for _, at in seen) - ended
    pace = written / SECONDS
    kept = at_least(
        f"{WATCHERS} watchers at the writers' pace: how many have every event a second after the last",
        sum(count >= written for count, _ in seen) / WATCHERS if lag <= 1 else 0, 1,
        f"{written:,} events at {pace:,.0f}/s, {WATCHERS * pace:,.0f} messages/s in all, {missed:,.0f} missed, "
        f"the last watcher {max(0.0, lag) * 1000:,.0f} ms behind the last answer",
    )  # fmt: skip
    return kept, at_most("memory of a watcher", held / 1024, 200, "resident, all of the server's growth", " KiB")  # fmt: skip


async def _written(channel: Any, writers: int) -> tuple[int, float]:
    """Write for some seconds; return how many were answered, and when the last was, in seconds since 1970."""
    stub, end = platforms_pb2_grpc.PlatformServiceStub(channel), time.monotonic() + SECONDS

    async def writer() -> int:
        count = 0
        while time.monotonic() < end:
            await stub.CreatePlatform(
                pb.CreatePlatformRequest(platform=platform(count)), metadata=APPLICANT
            )
            count += 1
        return count

    counts = await asyncio.gather(*(writer() for _ in range(writers)))
    return sum(counts), time.time()


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

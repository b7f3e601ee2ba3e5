"""Peers that hold on to what they take: a good client beside them is served as before.

python -m tests.hostile.probes --seconds 8
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvloop

from tests.flow.separate import Separate, addresses
from tests.hostile import frames, wire
from tests.hostile.load import Load
from tests.hostile.overload import OK, WHO, percentile
from tests.live.spread.size import measured

LIST = "/luoshu.platforms.v1.PlatformService/ListPlatforms"
RATE = 50.0  # calls a second of the good client
SLOW = 200  # connections of a slow peer
SILENT = 450  # connections that say nothing: with the good client's, fewer than the server takes
RESETS = 50  # calls begun and reset, each time on each connection
PAUSE = 0.1  # seconds between two bytes of a slow peer
Probe = Callable[[str], Awaitable[None]]


class Peer:
    """One connection that is written to at leisure, and opened again when the server ends it."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._writer: Any = None

    async def say(self, *parts: bytes, pause: float = PAUSE) -> None:
        reader, self._writer = await asyncio.open_connection(self._host, int(self._port))
        draining = asyncio.ensure_future(_drained(reader))
        try:
            for part in parts:
                self._writer.write(part)
                await self._writer.drain()
                await asyncio.sleep(pause)
            await draining
        finally:
            draining.cancel()
            self._writer.close()


async def _drained(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


async def slow_headers(address: str) -> None:
    """The headers of a call, a byte now and then."""
    call = wire.frame(wire.HEADERS, wire.END_HEADERS, 1, frames.GET)
    await Peer(address).say(wire.greeting(), *(call[n : n + 1] for n in range(len(call))))


async def slow_body(address: str) -> None:
    """A message of which a byte comes now and then."""
    begun = wire.frame(wire.HEADERS, wire.END_HEADERS, 1, frames.GET)
    body = wire.message(bytes(1000))
    parts = (wire.frame(wire.DATA, 0, 1, body[n : n + 1]) for n in range(len(body)))
    await Peer(address).say(wire.greeting() + begun, *parts)


async def silent(address: str) -> None:
    """A connection and nothing else."""
    await Peer(address).say(b"", pause=3600)


async def rapid_resets(address: str) -> None:
    """Calls that are reset as soon as they were begun."""
    rounds = range(1, 40 * 2 * RESETS, 2 * RESETS)
    await Peer(address).say(wire.greeting(), *map(_reset_from, rounds))


def _reset_from(first: int) -> bytes:
    cancel = (8).to_bytes(4, "big")
    return b"".join(
        wire.frame(wire.HEADERS, wire.END_HEADERS, stream, frames.GET)
        + wire.frame(wire.RST_STREAM, 0, stream, cancel)
        for stream in range(first, first + 2 * RESETS, 2)
    )


PROBES: dict[str, tuple[Probe, int]] = {
    "slow headers": (slow_headers, SLOW),
    "slow body": (slow_body, SLOW),
    "silent connections": (silent, SILENT),
    "rapid resets": (rapid_resets, 4),
}


@asynccontextmanager
async def probing(probe: Probe, address: str, count: int) -> AsyncIterator[None]:
    """So many peers at once; whoever is turned out comes again a moment later."""

    async def again() -> None:
        while True:
            with suppress(OSError):
                await probe(address)
            await asyncio.sleep(PAUSE)

    peers = [asyncio.ensure_future(again()) for _ in range(count)]
    await asyncio.sleep(1)
    try:
        yield
    finally:
        for peer in peers:
            peer.cancel()
        await asyncio.gather(*peers, return_exceptions=True)


async def good(address: str, seconds: float) -> tuple[float, int]:
    """Return the 99th percentile of a good client's calls, and how many were not answered."""
    load = Load(LIST, WHO.metadata, lambda _: b"")
    await load.connect(address, 2)
    done = await load.at(RATE, seconds)
    load.leave()
    answered = [one.seconds for one in done if one.code == OK]
    return percentile(answered, 0.99), len(done) - len(answered)


async def measure(address: str, seconds: float) -> list[dict[str, Any]]:
    """Return a row a probe: the good client's calls with it and without, in turn."""
    rows = []
    await good(address, 2)
    for name, (probe, count) in PROBES.items():
        alone, _ = await good(address, seconds)
        async with probing(probe, address, count):
            beside, lost = await good(address, seconds)
        row = {"probe": name, "peers": count, "p99_alone": alone, "p99": beside, "lost": lost}
        rows.append({**row, "ratio": round(beside / max(alone, 1e-9), 2), "goal": 2.0})
    return rows


def main() -> int:
    """Print a row a probe; return 1 when a good client's call was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.probes", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="luoshu-probes-") as folder:
        around = {**addresses(["platforms"]), "LUOSHU_LOG_LEVEL": "warning"}
        with Separate(("platforms",), Path(folder), around) as service:
            began = time.monotonic()
            rows = uvloop.run(measure(service.address, said.seconds))
    for row in rows:
        print(json.dumps(row))
        measured(f"probe: {row['probe']}", seconds=said.seconds, **row)
    print(f"{time.monotonic() - began:.0f} s")
    return int(any(row["lost"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())

"""An open loop: calls begin when they are due, whether or not earlier ones have ended. Cheap enough to outrun a server."""

import asyncio
import resource
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.hostile import wire

TICK = 0.002  # seconds between two looks at what is due
PATIENCE = 15.0  # seconds after the last call
RESET = 100  # beyond gRPC's codes: the stream was reset
GONE = 200  # the connection ended
SILENT = 300  # nothing came
Request = Callable[[int], bytes]


class Done(NamedTuple):
    """One call. `due`: when it was to begin; `seconds`: from then until its end."""

    due: float
    seconds: float
    code: int
    hint: bool


class Asked(NamedTuple):
    """A call that waits for its turn."""

    mark: Any
    headers: bytes
    raw: bytes


@dataclass
class Connection(asyncio.Protocol):
    """One connection that multiplexes calls, as many at once as the server allows."""

    done: Callable[[Any, wire.Status], None]
    streams: int = 100
    window: int = wire.FIRST_WINDOW
    next: int = 1
    open: dict[int, Any] = field(default_factory=dict)
    waiting: deque[Asked] = field(default_factory=deque)
    _received: bytearray = field(default_factory=bytearray)
    _transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(wire.greeting())

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        marks = [*self.open.values(), *(asked.mark for asked in self.waiting)]
        self.open.clear()
        self.waiting.clear()
        for mark in marks:
            self.done(mark, wire.Status(GONE))

    @property
    def alive(self) -> bool:
        return self._transport is not None

    def ask(self, mark: Any, headers: bytes, raw: bytes) -> None:
        """Make a call when there is room for it. `mark`: what `done` is told of it."""
        self.waiting.append(Asked(mark, headers, raw))

    def leave(self) -> None:
        self._transport.close()

    def flush(self) -> None:
        """Send what may be sent."""
        out = []
        while self.waiting and len(self.open) < self.streams:
            asked = self.waiting[0]
            if len(asked.raw) + 5 > self.window:
                break
            self.waiting.popleft()
            self.window -= len(asked.raw) + 5
            out.append(wire.call(self.next, asked.headers, asked.raw))
            self.open[self.next] = asked.mark
            self.next += 2
        if out and self._transport is not None:
            self._transport.write(b"".join(out))

    def data_received(self, data: bytes) -> None:
        self._received += data
        for one in wire.frames(self._received):
            self._take(one)
        self.flush()

    def _take(self, one: wire.Frame) -> None:
        if one.ends:
            said = wire.status(one.body) if one.kind == wire.HEADERS else wire.Status(-1)
            self._end(one.stream, said)
        elif one.kind == wire.RST_STREAM:
            self._end(one.stream, wire.Status(RESET + struct.unpack(">I", one.body)[0]))
        elif one.kind == wire.SETTINGS and not one.flags & wire.ACK:
            self._settle(one.body)
        elif one.kind == wire.WINDOW_UPDATE and one.stream == 0:
            self.window += struct.unpack(">I", one.body)[0]
        elif one.kind == wire.PING and not one.flags & wire.ACK:
            self._transport.write(wire.frame(wire.PING, wire.ACK, 0, one.body))

    def _end(self, stream: int, said: wire.Status) -> None:
        if stream in self.open:
            self.done(self.open.pop(stream), said)

    def _settle(self, body: bytes) -> None:
        for at in range(0, len(body), 6):
            name, value = struct.unpack_from(">HI", body, at)
            if name == wire.MAX_STREAMS:
                self.streams = min(self.streams, value)
        self._transport.write(wire.frame(wire.SETTINGS, wire.ACK))


class Load:
    """Calls of one RPC over some connections."""

    def __init__(self, path: str, metadata: wire.Metadata, request: Request) -> None:
        self._headers, self._request = wire.block(path, metadata), request
        self._connections: list[Connection] = []
        self._sent = 0
        self.done: list[Done] = []
        self.again: Callable[[], None] = lambda: None

    async def connect(self, address: str, count: int) -> None:
        host, _, port = address.rpartition(":")
        loop = asyncio.get_running_loop()
        for _ in range(count):
            made = Connection(self._end)
            await loop.create_connection(lambda made=made: made, host, int(port))  # type: ignore[misc]
            self._connections.append(made)
        await asyncio.sleep(0.2)

    def leave(self) -> None:
        for connection in self._connections:
            connection.leave()

    def _end(self, due: float, said: wire.Status) -> None:
        seconds = time.perf_counter() - due
        self.done.append(Done(due, seconds, said.code, b"RetryInfo" in said.details))
        self.again()

    def _ask(self, due: float) -> None:
        connection = self._connections[self._sent % len(self._connections)]
        connection.ask(due, self._headers, self._request(self._sent))
        self._sent += 1

    def _flush(self) -> None:
        for connection in self._connections:
            connection.flush()

    async def at(self, rate: float, seconds: float) -> Sequence[Done]:
        """Begin so many calls a second, evenly; return all of them."""
        began, first, count = time.perf_counter(), len(self.done), int(rate * seconds)
        started = 0
        while started < count:
            now = time.perf_counter()
            while started < count and began + started / rate <= now:
                self._ask(began + started / rate)
                started += 1
            self._flush()
            await asyncio.sleep(TICK)
        return await self._rest(first, count)

    async def closed(self, callers: int, seconds: float) -> Sequence[Done]:
        """Keep so many calls under way."""
        first, end = len(self.done), time.perf_counter() + seconds
        asked = callers

        def again() -> None:
            nonlocal asked
            if time.perf_counter() < end:
                asked += 1
                self._ask(time.perf_counter())

        self.again = again
        for _ in range(callers):
            self._ask(time.perf_counter())
        while time.perf_counter() < end:
            self._flush()
            await asyncio.sleep(TICK)
        self.again = lambda: None
        return await self._rest(first, asked)

    async def _rest(self, first: int, count: int) -> Sequence[Done]:
        until = time.perf_counter() + PATIENCE
        while len(self.done) - first < count and time.perf_counter() < until:
            self._flush()
            await asyncio.sleep(TICK)
        now = time.perf_counter()
        missing = count - (len(self.done) - first)
        return [*self.done[first:], *(Done(now - PATIENCE, PATIENCE, SILENT, False),) * missing]


def cpu() -> float:
    """Return the seconds that this process computed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

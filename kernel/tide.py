"""Wakes those who wait at the end of a journal when it has grown."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

LONGEST = 5.0  # seconds that one waits at most; then it looks for itself


class Placed(Protocol):
    """A line of a journal."""

    @property
    def position(self) -> int: ...


L = TypeVar("L", bound=Placed)


class Tide:
    """Belongs to one event loop. `ended`: the process is stopping; whoever waits should leave."""

    def __init__(self, longest: float = LONGEST) -> None:
        self._longest, self._waiters = longest, set[asyncio.Future[None]]()
        self.ended = False

    def rise(self) -> None:
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def end(self) -> None:
        self.ended = True
        self.rise()

    def turn(self) -> "asyncio.Future[None]":
        """Return what the next rise completes. Take it before reading, wait after: none is missed."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        return waiter

    async def wait(self, turn: "asyncio.Future[None]") -> None:
        try:
            await asyncio.wait((turn,), timeout=self._longest)
        finally:
            self._waiters.discard(turn)


async def lines_above(
    after: int, read: Callable[[int], Awaitable[Sequence[L]]], tide: Tide, *, follow: bool
) -> AsyncIterator[Sequence[L]]:
    """Yield what `read(position)` finds above one, some at a time; with `follow` for as long as the service runs."""
    while not tide.ended:
        turn = tide.turn()
        lines = await read(after)
        if lines:
            after = lines[-1].position
            yield lines
        elif not follow:
            return
        else:
            await tide.wait(turn)

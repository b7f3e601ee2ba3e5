"""Working through a stream: what comes while something is worked on is made ready, and then worked on together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def together(
    items: AsyncIterator[T], work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], most: int
) -> AsyncIterator[R]:
    """Yield what `work` makes of things that come, one of each, in their order.

    `work` gets those that are ready, at most so many, and answers for the first of them, one or more; the rest it gets again.
    It gets more as soon as that is done, and while that is told, but never before. What fails, be it the next thing or the work,
    ends it in its turn.
    """
    ready: asyncio.Queue[T | None] = asyncio.Queue(most)
    reading = asyncio.ensure_future(_read(items, ready))
    working: asyncio.Future[Sequence[R]] | None = None
    some: list[T] = []
    done: Sequence[R] = ()
    try:
        while some or done or (some := await _some(ready, reading, most)):
            working = asyncio.ensure_future(work(some)) if some else None
            for one in done:
                yield one
            done = await working if working else ()
            some = some[len(done) :] or _waiting(ready, most)
        await reading
    finally:
        begun: list[asyncio.Future[Any]] = [reading, working] if working else [reading]
        for future in begun:
            future.cancel()
        await asyncio.gather(*begun, return_exceptions=True)  # nobody is left to be told


async def _read(items: AsyncIterator[T], ready: "asyncio.Queue[T | None]") -> None:
    """Make things ready, and wake who waits when there are no more; why, where it failed, whoever awaits this is told."""
    try:
        async for item in items:
            await ready.put(item)
    finally:
        with contextlib.suppress(asyncio.QueueFull):  # then nobody waits
            ready.put_nowait(None)


async def _some(
    ready: "asyncio.Queue[T | None]", reading: "asyncio.Future[None]", most: int
) -> list[T]:
    """Wait for the next thing; return it and what is ready behind it. Nothing: there are no more."""
    if ready.empty() and reading.done():
        return []
    first = await ready.get()
    return [] if first is None else [first, *_waiting(ready, most - 1)]


def _waiting(ready: "asyncio.Queue[T | None]", most: int) -> list[T]:
    """Return what is ready."""
    some = list[T]()
    while len(some) < most and not ready.empty():
        item = ready.get_nowait()
        if item is None:
            break
        some.append(item)
    return some

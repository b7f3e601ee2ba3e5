"""A time limit that costs nothing where nothing is waited for."""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


async def in_time(run: Coroutine[Any, Any, T], limit: Callable[[], float]) -> T:
    """Return what a coroutine returns. Raises TimeoutError: it waited for more than `limit` seconds in all.

    What has its answer at once is not timed: to start a clock takes as long as to look up a row.
    """
    try:
        waits_for = run.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    async with asyncio.timeout(limit()):
        return await _rest(run, waits_for)


@types.coroutine
def _rest(run: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Go on with a coroutine that has begun: what it waits for, the task that runs this waits for."""
    try:
        while True:
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001 - a cancellation too is the coroutine's to hear of
                waits_for = run.throw(error)
            else:
                waits_for = run.send(sent)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]

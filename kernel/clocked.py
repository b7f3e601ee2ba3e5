"""A time limit that costs nothing where nothing is waited for, and little where something is."""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")
NEVER = float("inf")
SOON = 0.001  # seconds: uvloop's time goes in such steps, and what ends within one ends with it


class Limits:
    """The limits of what waits in one event loop. One timer runs for all, to the nearest.

    Hardly any limit is ever reached, and to set and stop a timer for each takes longer than all else about it. What is over is
    ended as `asyncio.timeout` ends it, whose object for each takes as long again.
    """

    def __init__(self) -> None:
        self._ends = dict["asyncio.Task[Any]", float]()
        self._nearest = NEVER
        self._timer: asyncio.TimerHandle | None = None

    async def in_time(self, run: Coroutine[Any, Any, T], limit: Callable[[], float]) -> T:
        """Return what a coroutine returns, in a task that waits for nothing else. Raises TimeoutError: it waited for more than
        `limit` seconds in all.

        What has its answer at once is not timed: to start a clock takes as long as to look up a row.
        """
        try:
            waits_for = run.send(None)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        task = self._start(limit())
        cancelled = task.cancelling()  # by others, before
        try:
            return await _rest(run, waits_for)
        except asyncio.CancelledError as error:
            if task not in self._ends and task.cancelling() <= cancelled + 1:
                raise TimeoutError from error
            raise
        finally:
            if self._ends.pop(task, None) is None:  # it was over
                task.uncancel()

    def _start(self, seconds: float) -> "asyncio.Task[Any]":
        """Start the clock of the task that runs."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is awaited in one
        assert task not in self._ends  # noqa: S101 - the inner of two limits would end the outer's
        ends = self._ends[task] = loop.time() + seconds
        if seconds <= 0:
            loop.call_soon(self._end, task)  # before it goes on
        elif ends < self._nearest:
            self._set(loop, ends)
        return task

    def _set(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._nearest, self._timer = when, loop.call_at(when, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what is over, and set the timer to what is next."""
        self._nearest, self._timer = NEVER, None
        now = loop.time()
        for task in [one for one, ends in self._ends.items() if ends < now + SOON]:
            self._end(task)
        if self._ends:
            self._set(loop, min(self._ends.values()))

    def _end(self, task: "asyncio.Task[Any]") -> None:
        """End what is over, unless it has its answer."""
        if self._ends.pop(task, None) is not None:
            task.cancel()


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

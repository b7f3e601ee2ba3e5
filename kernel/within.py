"""A time limit for the work of one task."""

import asyncio
from types import TracebackType
from typing import Any


class Within:
    """Ends a block after so many seconds with TimeoutError, as `asyncio.timeout` does, for a third of the CPU time: every call
    passes here. The block is a task's, which nobody has cancelled yet.
    """

    __slots__ = ("_late", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds, self._late = seconds, False

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._task: Any = asyncio.current_task(loop)
        self._timer = loop.call_later(self._seconds, self._end)

    def _end(self) -> None:
        self._late = True
        self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        """Raises TimeoutError: the time was over, and nobody else cancelled the task."""
        self._timer.cancel()
        if self._late and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

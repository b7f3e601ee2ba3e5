"""The threads that take turns at the interpreter, on one processor.

Only one of them runs at a time. On two processors each finds, at its turn, that its own's caches lack what the other has just
written: of every object that both touch the count of its references.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path

import structlog

from kernel.copier import NAME

log = structlog.get_logger(__name__)

STAY = 1.0  # seconds on one processor before another may be had
LOOSE = 0.02  # seconds in which the system may choose: meanwhile it moves a busy thread to where there is room
APART = ("_poll_wrapper", NAME)
"""In names of threads that work without the interpreter: grpcio's waits for answers to calls of our own, others copy a log."""
TASKS = Path("/proc/self/task")
RAN = 36  # field of a thread's `stat`, counted behind its name: the processor it ran on last (proc_pid_stat(5))


async def stay_together() -> None:
    """Keep the interpreter's threads on the event loop's processor, which the system chooses anew every second.

    Threads that are not Python's go where they like. Ends at once where there is one processor, or no such call.
    """
    allowed, told = _allowed(), False
    if len(allowed) < 2:
        return
    try:
        while True:
            try:
                _put(_interpreters(), {_processor()})
                await asyncio.sleep(STAY)
                _put(_all(), allowed)
                await asyncio.sleep(LOOSE)
            except OSError as error:  # it may not, has other processors now, or no descriptor left
                if not told:
                    log.warning("threads_apart", error=type(error).__name__)
                told = True
                await asyncio.sleep(STAY)
    finally:
        with contextlib.suppress(OSError):
            _put(_interpreters(), allowed)  # these need no descriptor to be found
            _put(_all(), allowed)


def _allowed() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _interpreters() -> list[int]:
    return [
        t.native_id
        for t in threading.enumerate()
        if t.native_id and not any(name in t.name for name in APART)
    ]


def _all() -> Iterable[int]:
    """Return every thread: one that was made in the meantime is where its maker was."""
    return [int(task.name) for task in TASKS.iterdir()]


def _put(threads: Iterable[int], processors: set[int]) -> None:
    for thread in threads:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            os.sched_setaffinity(thread, processors)


def _processor() -> int:
    stat = (TASKS / str(threading.get_native_id()) / "stat").read_text()
    return int(stat.rpartition(")")[2].split()[RAN])

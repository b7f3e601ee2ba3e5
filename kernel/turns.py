"""Where what a journal tells is taken: in a thread, by one follower of a sink at a time."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial

from luoshu.journal.v1.journal_pb2 import JournalEntry

Take = Callable[[list[JournalEntry]], None]
"""Takes what comes next of a journal. Called in a thread."""
Journal = Callable[[int, Take], AsyncGenerator[int, None]]
"""Has a source's journal taken from a position on, for as long as it runs; yields how many entries were, each time."""
Told = Callable[[int], AsyncGenerator[list[JournalEntry], None]]
"""Tells a source's journal from a position on, in the event loop, for as long as it runs."""


class Over(Exception):
    """Nobody takes a turn any more: the process stops."""


class Turns:
    """Of the followers that share a sink, one at a time: who enters has the sink until it leaves.

    Made before there is a thread: one begins where something is told in the event loop. `name`: of that thread.
    """

    def __init__(self, name: str) -> None:
        self._door, self._over = threading.Lock(), False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    def __enter__(self) -> None:
        """Wait for the sink. Raises Over."""
        self._door.acquire()
        if self._over:
            self._door.release()
            raise Over

    def __exit__(self, *_: object) -> None:
        self._door.release()

    def taking(self, told: Told) -> Journal:
        """Return a journal that is told in the event loop and taken in the sink's own thread, where no other waits for it."""
        return partial(self._taken, told)

    async def _taken(self, told: Told, after: int, take: Take) -> AsyncGenerator[int, None]:
        loop = asyncio.get_running_loop()
        async with aclosing(told(after)) as batches:
            async for entries in batches:
                await loop.run_in_executor(self._thread, take, entries)
                yield len(entries)

    def end(self) -> None:
        """Wait for who has the sink; nobody has it afterwards."""
        with self._door:
            self._over = True
        self._thread.shutdown(wait=False)

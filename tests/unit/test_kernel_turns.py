"""Followers that share a sink take turns, each in the thread that reads; once it is over nobody has the sink."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import pytest

from kernel.turns import Over, Turns
from luoshu.journal.v1.journal_pb2 import JournalEntry

PATIENCE = 20.0  # seconds; the machine may be busy


class Journal:
    """Tells a line at a time for as long as it is read; `closed`: it no longer is."""

    def __init__(self) -> None:
        self.closed = False

    async def tell(self, after: int) -> AsyncGenerator[list[JournalEntry], None]:
        try:
            while True:
                after += 1
                yield [JournalEntry(source="toys", position=after)]
        finally:
            self.closed = True


class Sink:
    """What takes stays in it until it is let go."""

    def __init__(self, turns: Turns) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.taken = list[tuple[int, str]]()
        self._turns = turns

    def take(self, entries: Sequence[JournalEntry]) -> None:
        with self._turns:
            self.entered.set()
            assert self.go_on.wait(PATIENCE)
            thread = threading.current_thread().name
            self.taken += [(entry.position, thread) for entry in entries]


async def test_what_the_loop_tells_is_taken_in_a_thread_of_the_sink_and_counted() -> None:
    turns, journal = Turns("toy"), Journal()
    sink = Sink(turns)
    sink.go_on.set()
    async with aclosing(turns.taking(journal.tell)(6, sink.take)) as taken:
        counts = [await anext(taken), await anext(taken)]
    assert counts == [1, 1]
    assert sink.taken == [(7, "toy_0"), (8, "toy_0")]
    assert journal.closed


def test_of_two_threads_one_has_the_sink_at_a_time() -> None:
    turns, inside, most = Turns("toy"), 0, 0

    def take(_: int) -> None:
        nonlocal inside, most
        with turns:
            inside += 1
            most = max(most, inside)
            threading.Event().wait(0.001)
            inside -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(take, range(40)))
    assert (inside, most) == (0, 1)


async def test_the_end_waits_for_who_has_the_sink() -> None:
    turns = Turns("toy")
    sink = Sink(turns)
    async with asyncio.timeout(PATIENCE):
        taking = asyncio.create_task(asyncio.to_thread(sink.take, [JournalEntry(position=1)]))
        assert await asyncio.to_thread(sink.entered.wait, PATIENCE)
        ending = asyncio.create_task(asyncio.to_thread(turns.end))
        await asyncio.sleep(0.05)
        assert not ending.done()
        sink.go_on.set()
        await ending
        assert [position for position, _ in sink.taken] == [1]
        await taking


def test_after_the_end_nobody_has_the_sink() -> None:
    turns = Turns("toy")
    turns.end()
    sink = Sink(turns)
    for _ in range(2):
        with pytest.raises(Over):
            sink.take([JournalEntry(position=1)])
    assert not sink.entered.is_set()
    turns.end()  # again is as once

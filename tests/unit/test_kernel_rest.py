"""A service that follows another rests between two looks, and takes together what came meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from types import SimpleNamespace

import pytest

from kernel import consumer
from kernel.consumer import FEW, REST, SHARD, Follower
from kernel.turns import Turns
from luoshu.journal.v1.journal_pb2 import JournalEntry

LAST = 9


class Kept:
    """Keeps what it was given, batch by batch; each takes a while of the clock."""

    name, sources = "kept", ("toys",)

    def __init__(self, clock: "Clock", takes: float) -> None:
        self.batches, self._clock, self._takes = list[list[int]](), clock, takes

    def cursors(self) -> Mapping[tuple[str, int], int]:
        return {("toys", SHARD): 0}

    def apply(self, _source: str, entries: Sequence[JournalEntry]) -> None:
        self.batches.append([entry.position for entry in entries])
        self._clock.now += self._takes


class Clock:
    """Time passes by sleeping. The journal grows by a line from look to look, by three more where one sleeps between them."""

    def __init__(self) -> None:
        self.now, self.slept, self.head = 0.0, list[float](), 1

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += max(0.0, seconds)
        self.head += 3

    async def backlog(self, after: int) -> AsyncIterator[list[JournalEntry]]:
        for start in range(after + 1, 3 * FEW, FEW):
            yield [JournalEntry(source="toys", position=start + n) for n in range(FEW)]

    async def journal(self, after: int) -> AsyncIterator[list[JournalEntry]]:
        while after < LAST:
            there = range(after + 1, min(self.head, LAST) + 1)
            yield [JournalEntry(source="toys", position=position) for position in there]
            after = there[-1]
            self.head += 1


async def followed(
    monkeypatch: pytest.MonkeyPatch, rest: float, takes: float, journal: str = "journal"
) -> tuple[Kept, Clock]:
    clock = Clock()
    sink = Kept(clock, takes)
    monkeypatch.setattr(consumer, "time", clock)
    monkeypatch.setattr(
        consumer,
        "asyncio",
        SimpleNamespace(sleep=clock.sleep, to_thread=asyncio.to_thread),
    )
    turns = Turns("toys")
    told = turns.taking(getattr(clock, journal))
    await Follower(sink, "toys", told, told, turns, rest)._follow()
    return sink, clock


async def test_what_comes_while_a_follower_rests_is_taken_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink, clock = await followed(monkeypatch, REST, 0.01)
    assert sink.batches == [[1], [2, 3, 4, 5], [6, 7, 8, 9]]
    assert set(clock.slept) == {round(REST - 0.01, 3)}


async def test_a_follower_that_was_busy_so_long_looks_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, clock = await followed(monkeypatch, REST, REST)
    assert clock.now == pytest.approx(3 * REST)


async def test_a_follower_that_is_behind_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    sink, clock = await followed(monkeypatch, REST, 0.01, "backlog")
    assert [len(batch) for batch in sink.batches] == [FEW, FEW, FEW]
    assert clock.slept == []


async def test_a_follower_that_people_wait_for_does_not_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink, clock = await followed(monkeypatch, 0.0, 0.01)
    assert sink.batches == [[position] for position in range(1, LAST + 1)]
    assert clock.slept == []

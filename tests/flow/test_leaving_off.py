"""A process that stops lets its consumers come to the end of a transaction, and no further."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from kernel.consumer import SHARD, Follower, Reaction, RoomSink
from kernel.errors import Stopping
from kernel.room import Circumstances, Room
from kernel.turns import Take, Turns
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.reports.consumer import ReportsSink
from tests.running import MovableClock, Running
from tests.unit.kernel_world import NO_PACK, SECRET, TOY, Clock, schema

PATIENCE = 20.0  # seconds; the machine may be busy
SOON = 0.05  # seconds in which what is not held back would have come


def lines(source: str, count: int) -> list[JournalEntry]:
    return [JournalEntry(source=source, position=n) for n in range(1, count + 1)]


class Held:
    """A sink whose first entry of each source stays in it until it is let go."""

    name, sources = "held", ("one", "other")

    def __init__(self) -> None:
        self.inside, self.done = list[str](), list[str]()
        self.entered, self.go_on = threading.Event(), threading.Event()

    def cursors(self) -> dict[tuple[str, int], int]:
        return {}

    def apply(self, source: str, _: Sequence[JournalEntry]) -> None:
        self.inside.append(source)
        self.entered.set()
        assert self.go_on.wait(PATIENCE)
        self.inside.remove(source)
        self.done.append(source)


class Read:
    """A topic that is read by a thread of its own, as Kafka's are; `reading`: its thread has begun."""

    def __init__(self, source: str) -> None:
        self.reading = threading.Event()
        self._source = source

    async def journal(self, _: int, take: Take) -> AsyncIterator[int]:
        def poll() -> None:
            self.reading.set()
            take(lines(self._source, 1))

        thread = threading.Thread(target=poll, daemon=True)
        thread.start()
        while thread.is_alive():  # noqa: ASYNC110 - a thread tells no loop
            await asyncio.sleep(0.001)
        yield 1
        await asyncio.Event().wait()


async def test_two_threads_that_read_for_one_sink_have_it_in_turn() -> None:
    sink, turns = Held(), Turns("held")
    topics = {source: Read(source) for source in sink.sources}
    follows = [
        Follower(sink, source, topic.journal, topic.journal, turns)
        for source, topic in topics.items()
    ]
    first, second = [asyncio.create_task(follower.run()) for follower in follows]
    try:
        for topic in topics.values():
            assert await asyncio.to_thread(topic.reading.wait, PATIENCE)
        assert await asyncio.to_thread(sink.entered.wait, PATIENCE)
        await asyncio.sleep(SOON)
        assert len(sink.inside) == 1
        for running in (first, second):
            running.cancel()
        ending = asyncio.create_task(asyncio.to_thread(turns.end))
        await asyncio.sleep(SOON)
        assert not ending.done()
        sink.go_on.set()
        await ending
        known = list(sink.done)
        await asyncio.sleep(SOON)
        assert (sink.inside, sink.done) == ([], known)
    finally:
        sink.go_on.set()


class Looks:
    """Looks at every entry, so that each is a transaction; after some the process stops."""

    def __init__(self, after: int) -> None:
        self.sink: Any = None
        self._after = after

    def concerns(self, _: JournalEntry) -> bool:
        return True

    def look(self, _: sa.Connection, entry: JournalEntry) -> Reaction:
        if entry.position == self._after:
            self.sink.hurry()
        return Reaction(known=((f"toys/{entry.position}", "", "", entry.position),))


async def test_a_service_that_is_behind_leaves_the_rest_of_what_it_has_read(tmp_path: Path) -> None:
    async def ask(_: str) -> None: ...

    url = schema(tmp_path / "toy.sqlite3")
    room = Room(TOY, Circumstances(url, SECRET, NO_PACK, Clock(), ask))
    looks = Looks(after=1)
    sink = looks.sink = RoomSink(
        room, "toy", {"toys": lambda _: Reaction()}, asyncio.get_running_loop(), {"toys": looks}
    )
    try:
        with pytest.raises(Stopping):
            await asyncio.to_thread(sink.apply, "toys", lines("toys", 200))
        at = (await asyncio.to_thread(sink.cursors))["toys", SHARD]
        assert 1 <= at <= 25
    finally:
        await asyncio.to_thread(room.close)


def test_a_process_leaves_its_databases_behind_what_is_being_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its upkeep tells the day at once, so that there is something to apply."""
    entered, ending, told = threading.Event(), threading.Event(), list[str]()
    apply, end, leave = ReportsSink.apply, Turns.end, ReportsSink.leave
    hurry = RoomSink.hurry

    def held(self: ReportsSink, source: str, entries: Sequence[JournalEntry]) -> None:
        if not entered.is_set():
            entered.set()
            ending.wait(5)  # no longer: what does not wait for it would be done by then
            threading.Event().wait(SOON)
            apply(self, source, entries)
            told.append("applied")

    def hurried(self: RoomSink) -> None:
        told.append("hurried")
        hurry(self)

    def ended(self: Turns) -> None:
        if not ending.is_set():
            told.append("ending")
        ending.set()
        end(self)

    def left(self: ReportsSink) -> None:
        told.append("left")
        leave(self)

    monkeypatch.setattr(ReportsSink, "apply", held)
    monkeypatch.setattr(RoomSink, "hurry", hurried)
    monkeypatch.setattr(Turns, "end", ended)
    monkeypatch.setattr(ReportsSink, "leave", left)
    names = ("platforms", "coordination", "reports")
    running = Running(tmp_path, names, MovableClock()).start()
    try:
        assert entered.wait(PATIENCE)
    finally:
        running.stop()
    assert set(told[: told.index("ending")]) == {"hurried"}
    assert told[told.index("ending") :] == ["ending", "applied", "left"]

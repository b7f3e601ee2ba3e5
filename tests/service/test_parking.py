"""Events that cannot be applied: parked with their record after five tries, redriven in order, and nobody else waits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from prometheus_client import generate_latest

from kernel import consumer, metrics
from kernel.case import Reference, Role
from kernel.consumer import SHARD, Follower, Reaction, RoomSink, Stuck, is_poison
from kernel.errors import Denied, NotFound, OwnerSilent, Unsettled
from kernel.events import EventServicer, measure
from kernel.parking import Parks, redrive
from kernel.room import Circumstances, Room
from kernel.turns import Turns
from luoshu.events.v1 import events_pb2 as pb
from luoshu.journal.v1.journal_pb2 import AccessEvent, EventHead, JournalEntry
from services.audit.consumer import AuditSink
from services.reports import consumer as reports
from services.reports.consumer import ReportsSink
from services.reports.facts import told
from services.reports.store import FACT
from tests.service import reports_story as story
from tests.unit.kernel_world import NO_PACK, SECRET, TOY, Clock, command, creation, schema

OPERATOR = consumer.Caller("liu", "DST", frozenset({Role.OPERATOR}))
POISON = b"\xff no event"


def entry(position: int, record: str, event: bytes = b"") -> JournalEntry:
    head = EventHead()
    head.change.record, head.change.action, head.change.position = record, "submit", position
    return JournalEntry(source="toys", position=position, event=event or head.SerializeToString())


class Poisoned:
    """What a release cannot apply: the events at some positions."""

    def __init__(self, *positions: int) -> None:
        self.positions, self.tries = set(positions), dict[int, int]()
        self.seen = list[int]()

    def react(self, entry: JournalEntry) -> Reaction:
        self.tries[entry.position] = self.tries.get(entry.position, 0) + 1
        if entry.position in self.positions:
            raise ZeroDivisionError
        self.seen.append(entry.position)
        record = EventHead.FromString(entry.event).change.record
        return Reaction(known=((record, f"at {entry.position}", "", entry.position),))


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async def ask(name: str) -> None: ...

    made = Room(TOY, Circumstances(schema(tmp_path / "toy.sqlite3"), SECRET, NO_PACK, Clock(), ask))
    yield made
    await asyncio.to_thread(made.close)


@pytest.fixture
def poison() -> Poisoned:
    return Poisoned(2)


@pytest.fixture
async def sink(room: Room, poison: Poisoned) -> RoomSink:
    return RoomSink(room, "toy", {"toys": poison.react}, asyncio.get_running_loop())


@contextlib.asynccontextmanager
async def following(sink: Any, entries: Sequence[JournalEntry]) -> AsyncIterator[Follower]:
    """A follower at work on a journal, which does not wait long after a failure."""

    async def journal(after: int) -> AsyncIterator[list[JournalEntry]]:
        yield list(entries[after:])
        await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consumer, "LONGEST_PAUSE", 0.001)
        patch.setattr(consumer, "PAUSE", 0.001)
        turns = Turns("toys")
        told = turns.taking(journal)
        made = Follower(sink, "toys", told, told, turns)
        running = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def reached(sink: Any, position: int, source: str = "toys") -> None:
    async with asyncio.timeout(20):
        while (await asyncio.to_thread(sink.cursors)).get((source, SHARD), 0) < position:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def known(room: Room) -> Mapping[str, str]:
    table = room.store.tables.known
    rows = room.read_here(lambda tx: tx.execute(sa.select(table.c.name, table.c.state)).all())
    return dict(tuple(row) for row in rows)


JOURNAL = [entry(1, "toys/a"), entry(2, "toys/b"), entry(3, "toys/a"), entry(4, "toys/b"), entry(5, "toys/c")]  # fmt: skip


async def test_a_poison_event_is_parked_with_what_follows_of_its_record(
    room: Room, sink: RoomSink, poison: Poisoned
) -> None:
    async with following(sink, JOURNAL):
        await reached(sink, 5)
    parked = await asyncio.to_thread(sink.parked)
    assert [(p.position, p.record, p.error) for p in parked] == [
        (2, "toys/b", "ZeroDivisionError"),
        (4, "toys/b", ""),
    ]
    assert await asyncio.to_thread(known, room) == {"toys/a": "at 3", "toys/c": "at 5"}


async def test_a_poison_event_is_tried_five_times_by_itself(
    sink: RoomSink, poison: Poisoned
) -> None:
    async with following(sink, JOURNAL):
        await reached(sink, 5)
    (parked, _) = await asyncio.to_thread(sink.parked)
    assert parked.tries == consumer.TRIES == 5
    assert poison.tries[2] == 1 + 5  # once in the batch that it spoiled


async def test_an_event_that_works_again_in_time_is_not_parked(
    room: Room, sink: RoomSink, poison: Poisoned
) -> None:
    async with following(sink, JOURNAL):
        while poison.tries.get(2, 0) < 4:  # noqa: ASYNC110
            await asyncio.sleep(0)
        poison.positions.clear()
        await reached(sink, 5)
    assert await asyncio.to_thread(sink.parked) == []


async def test_redriven_events_are_applied_in_the_order_of_their_record(
    room: Room, sink: RoomSink, poison: Poisoned
) -> None:
    async with following(sink, JOURNAL):
        await reached(sink, 5)
    poison.positions.clear()
    poison.seen.clear()
    done = await asyncio.to_thread(redrive, sink)
    assert [(d.parked.position, d.error) for d in done] == [(2, ""), (4, "")]
    assert poison.seen == [2, 4]
    assert (await asyncio.to_thread(known, room))["toys/b"] == "at 4"
    assert await asyncio.to_thread(sink.parked) == []


async def test_what_fails_again_stays_parked_and_what_follows_of_its_record_is_not_tried(
    sink: RoomSink, poison: Poisoned
) -> None:
    async with following(sink, JOURNAL):
        await reached(sink, 5)
    done = await asyncio.to_thread(redrive, sink)
    assert [(d.parked.position, d.error) for d in done] == [(2, "ZeroDivisionError")]
    parked = await asyncio.to_thread(sink.parked)
    assert [(p.position, p.tries) for p in parked] == [(2, 6), (4, 0)]


async def test_an_event_that_comes_while_its_record_is_parked_waits_too(
    sink: RoomSink, poison: Poisoned
) -> None:
    async with following(sink, JOURNAL):
        await reached(sink, 5)
    await asyncio.to_thread(sink.apply, "toys", [entry(6, "toys/b"), entry(7, "toys/d")])
    parked = await asyncio.to_thread(sink.parked)
    assert [p.position for p in parked] == [2, 4, 6]
    assert poison.seen[-1] == 7


async def test_an_event_that_is_taken_out_twice_acts_once(sink: RoomSink, poison: Poisoned) -> None:
    async with following(sink, JOURNAL):
        await reached(sink, 5)
    poison.positions.clear()
    (first, _) = await asyncio.to_thread(sink.parked)
    await asyncio.to_thread(sink.redrive, first)
    with pytest.raises(consumer.Displaced):
        await asyncio.to_thread(sink.redrive, first)


async def test_of_two_processes_each_goes_on_from_what_the_other_did(
    room: Room, poison: Poisoned
) -> None:
    poison.positions.clear()
    loop = asyncio.get_running_loop()
    one, other = (RoomSink(room, "toy", {"toys": poison.react}, loop) for _ in range(2))
    for sink in (one, other, one, other):  # every second one remembers a cursor that has moved
        for some in (JOURNAL[:1], JOURNAL[:3], JOURNAL):
            await asyncio.to_thread(sink.apply, "toys", some)
    await asyncio.to_thread(one.apply, "toys", [entry(6, "toys/a")])
    await asyncio.to_thread(other.apply, "toys", [entry(7, "toys/a")])
    assert (await asyncio.to_thread(other.cursors))["toys", SHARD] == 7
    assert (await asyncio.to_thread(known, room))["toys/a"] == "at 7"


async def test_a_command_whose_rule_crashes_is_parked_and_its_cursor_moves(room: Room) -> None:
    def react(entry: JournalEntry) -> Reaction:
        return Reaction((command("crash", "platforms/none"),))

    sink = RoomSink(room, "toy", {"toys": react}, asyncio.get_running_loop())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kernel.writer.decide_all", lambda _, c: [ZeroDivisionError() for _ in c])
        async with following(sink, JOURNAL[:1]):
            await reached(sink, 1)
    (parked,) = await asyncio.to_thread(sink.parked)
    assert parked.error == "ZeroDivisionError"


class Owner:
    """Of the records that others refer to: silent at first, then it tells of one."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, name: str) -> Reference | None:
        self.asked += 1
        if self.asked < 3:
            raise OwnerSilent("no answer", "未响应")
        return Reference(name, "ACTIVE", "甲") if name.endswith("/there") else None


@pytest.mark.parametrize(("name", "made"), [("others/there", 1), ("others/nowhere", 0)])
async def test_while_an_owner_is_silent_an_entrys_command_waits_and_the_cursor_with_it(
    tmp_path: Path, name: str, made: int
) -> None:
    def react(entry: JournalEntry) -> Reaction:
        create = creation(f"refers to {name}", name="platforms/p")
        return Reaction((create._replace(request_id="r"),))

    owner = Owner()
    room = Room(
        TOY, Circumstances(schema(tmp_path / "toy.sqlite3"), SECRET, NO_PACK, Clock(), owner)
    )
    sink = RoomSink(room, "toy", {"toys": react}, asyncio.get_running_loop())
    async with following(sink, JOURNAL[:1]):
        await reached(sink, 1)
    found = await room.find("platforms/p")
    assert (owner.asked >= 3, int(found is not None)) == (True, made)
    await asyncio.to_thread(room.close)


@pytest.mark.parametrize(
    ("error", "poison"),
    [
        (ZeroDivisionError(), True),
        (KeyError(), True),
        (sa.exc.DataError("", {}, Exception()), True),
        (sa.exc.IntegrityError("", {}, Exception()), True),
        (sa.exc.OperationalError("", {}, Exception()), False),
        (sa.exc.InterfaceError("", {}, Exception()), False),
        (sa.exc.TimeoutError(), False),
        (ConnectionRefusedError(), False),
        (TimeoutError(), False),
        (Unsettled("", ""), False),
        (OwnerSilent("", ""), False),
        (consumer.Gap("toys", 1, 3), False),
        (consumer.Displaced("toys"), False),
        (Stuck(), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_is_away_or_busy_is_no_poison(error: Exception, poison: bool) -> None:
    assert is_poison(error) is poison


async def test_a_consumer_whose_database_is_away_parks_nothing(
    sink: RoomSink, poison: Poisoned, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = sa.exc.OperationalError("", {}, Exception())
    tries = list[int]()

    def apply(_sink: RoomSink, source: str, entries: Sequence[JournalEntry]) -> None:
        tries.append(entries[0].position)
        raise away

    monkeypatch.setattr(RoomSink, "apply", apply)
    async with following(sink, JOURNAL):
        while len(tries) < 20:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert await asyncio.to_thread(sink.parked) == []
    assert await asyncio.to_thread(sink.cursors) == {}


def test_the_audit_and_the_relay_cannot_park() -> None:
    from kernel.relay import RelaySink

    for kind in (AuditSink, RelaySink):
        assert not isinstance(kind.__new__(kind), Parks)


# An operator.


async def test_an_operator_sees_what_is_parked_and_redrives_it_under_its_name(
    sink: RoomSink, poison: Poisoned
) -> None:
    servicer = EventServicer({"toy": sink}, {"toy": sink.room})
    async with following(sink, JOURNAL):
        await reached(sink, 5)
    listed = await servicer.ListParkedEvents(pb.ListParkedEventsRequest(), OPERATOR)
    assert [(e.consumer, e.position, e.action) for e in listed.events] == [
        ("toy", 2, "submit"),
        ("toy", 4, "submit"),
    ]
    await asyncio.to_thread(measure, [sink])
    assert b'luoshu_parked_events{consumer="toy"} 2.0' in generate_latest(metrics.REGISTRY)
    poison.positions.clear()
    request = pb.RedriveParkedEventsRequest(record="toys/b", reason="规则已修正")
    done = await servicer.RedriveParkedEvents(request, OPERATOR)
    assert [e.position for e in done.applied] == [2, 4]
    told = await sink.room.read(sink.room.store.access.told, 0)
    acts = [AccessEvent.FromString(line.event) for line in told]
    assert [(e.change.action, e.change.actor, e.change.record) for e in acts] == [("redriven", "liu", "toys/b")] * 2  # fmt: skip
    mark = sink.room.mark(request.SerializeToString(deterministic=True))
    assert {(e.change.reason, e.access.request_hash) for e in acts} == {("规则已修正", mark)}
    assert dict(acts[0].access.details) == {"source": "toys", "position": "2", "error": ""}


async def test_who_is_no_operator_redrives_nothing(sink: RoomSink) -> None:
    servicer = EventServicer({"toy": sink}, {"toy": sink.room})
    auditor = consumer.Caller("qian", "AUDIT", frozenset({Role.AUDITOR}))
    with pytest.raises(Denied):
        await servicer.RedriveParkedEvents(pb.RedriveParkedEventsRequest(), auditor)
    with pytest.raises(NotFound, match="there are: toy"):
        await servicer.ListParkedEvents(pb.ListParkedEventsRequest(consumer="x"), auditor)


# The reports.


@pytest.fixture
def journals() -> story.Journals:
    made = story.Journals()
    made.tick("2026-11-02")
    made.tell(story.platform("a"), "create", "2026-11-03", state="DRAFT")
    made.tell(story.platform("b"), "create", "2026-11-04", state="DRAFT")
    made.tell(story.platform("a"), "submit", "2026-11-05", state="SUBMITTED")
    made.tick("2026-12-02")
    return made


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Positions of platforms of which no fact can be made."""
    positions = {2}

    def impatient(entry: JournalEntry) -> Any:
        if entry.source == "platforms" and entry.position in positions:
            raise KeyError("a field of a later release")
        return told(entry)

    monkeypatch.setattr(reports, "told", impatient)
    return positions


def parked_and_read_on(folder: Path, journals: story.Journals) -> ReportsSink:
    engine = story.database(folder)
    sink = ReportsSink(engine, story.pack())
    first, *rest = journals.entries["platforms"]
    sink.apply("platforms", [first])
    sink.park("platforms", rest[0], "KeyError", 5)
    sink.apply("platforms", rest[1:])
    for source in story.SOURCES[1:]:
        sink.apply(source, journals.entries[source])
    return sink


def test_no_month_closes_while_an_event_of_it_is_parked(
    tmp_path: Path, journals: story.Journals, unreadable: set[int]
) -> None:
    sink = parked_and_read_on(tmp_path, journals)
    assert [p.position for p in sink.parked()] == [2, 4]
    assert sink.cursors()["platforms", SHARD] == 5
    assert story.editions(sink._engine) == {}


def test_a_redriven_event_makes_the_bytes_that_it_would_have_made_in_time(
    tmp_path: Path, journals: story.Journals, unreadable: set[int]
) -> None:
    sink = parked_and_read_on(tmp_path, journals)
    unreadable.clear()
    assert [d.error for d in redrive(sink)] == ["", ""]
    straight = story.applied(story.database(tmp_path, "straight"), journals)
    assert story.editions(sink._engine) == story.editions(straight) != {}
    assert content(sink._engine) == content(straight)


def test_a_source_whose_first_event_is_parked_closes_nothing(
    tmp_path: Path, journals: story.Journals, unreadable: set[int]
) -> None:
    sink = ReportsSink(story.database(tmp_path), story.pack())
    entries = journals.entries["platforms"]
    sink.park("platforms", entries[0], "KeyError", 5)
    unreadable.clear()
    sink.apply("platforms", entries[1:])
    for source in story.SOURCES[1:]:
        sink.apply(source, journals.entries[source])
    assert story.editions(sink._engine) == {}
    redrive(sink)
    straight = story.applied(story.database(tmp_path, "straight"), journals)
    assert content(sink._engine) == content(straight)


def test_a_month_that_cannot_be_closed_is_no_events_fault(
    tmp_path: Path, journals: story.Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = ReportsSink(story.database(tmp_path), story.pack())

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("services.reports.closing.Closing.settle", broken)
    with pytest.raises(Stuck):
        sink.apply("platforms", journals.entries["platforms"])
    assert sink.cursors() == {}


def content(engine: sa.Engine) -> dict[str, list[Any]]:
    """Return every row of every table."""
    with engine.begin() as tx:
        return {
            table.name: sorted(map(tuple, tx.execute(sa.select(table))))
            for table in FACT.metadata.sorted_tables
        }


async def test_a_source_that_is_away_is_told_of_once_in_words_and_found_again_at_once(
    sink: RoomSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried all the while: only the log is quiet."""
    monkeypatch.setattr(consumer, "PAUSE", 0.001)
    monkeypatch.setattr(consumer, "LONGEST_PAUSE", 0.001)
    tries, back = [0], asyncio.Event()

    async def journal(after: int) -> AsyncIterator[list[JournalEntry]]:
        tries[0] += 1
        if not back.is_set():
            raise OwnerSilent("away", "不在")
        yield [entry(1, "toys/a")]
        await asyncio.Event().wait()

    turns = Turns("toys")
    told = turns.taking(journal)
    following = Follower(sink, "toys", told, told, turns)
    with structlog.testing.capture_logs() as lines:
        running = asyncio.create_task(following.run())
        try:
            while tries[0] < 20:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            assert metrics.STALLED.labels(sink.name, "toys")._value.get() == 1
            (line,) = [line for line in lines if line["event"] == "consumer_stalled"]
            assert "waits for toys to answer" in line["says"]
            assert "等待 toys 响应" in line["says"]
            monkeypatch.setattr(consumer, "SAID_AGAIN", 0.0)
            await asyncio.sleep(0.02)
            assert sum(line["event"] == "consumer_stalled" for line in lines) > 1
            back.set()
            await reached(sink, 1)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

"""The head's lock, the group's commit, and what becomes of both when something breaks."""

import asyncio
import datetime
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from kernel.columns import microseconds
from kernel.database import Kept
from kernel.errors import Invalid, Unsettled
from kernel.outcome import Settled
from kernel.room import Circumstances, Room
from kernel.writer import Displaced, Work, Writer
from luoshu.platforms.v1 import platforms_pb2 as pb
from tests.unit.kernel_world import (
    MORNING,
    NO_PACK,
    OFFICER,
    SECRET,
    TOY,
    Clock,
    command,
    creation,
    schema,
    writer,
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return schema(tmp_path / "toy.sqlite3")


def journal(url: str) -> list[Any]:
    engine = sa.create_engine(url)
    with engine.connect() as tx:
        rows = tx.execute(sa.text("SELECT * FROM journal ORDER BY position")).all()
        head = tx.execute(sa.text("SELECT position, commit_time FROM journal_head")).one()
    engine.dispose()
    assert head.position == len(rows)
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    assert not rows or head.commit_time == rows[-1].commit_time
    return list(rows)


def events(url: str) -> list[pb.PlatformsEvent]:
    return [pb.PlatformsEvent.FromString(row.event) for row in journal(url)]


def write(by: Writer, *works: Work) -> list[Any]:
    return by.write(works)


def test_positions_are_dense_under_16_threads_with_a_writer_each(url: str) -> None:
    begin = threading.Barrier(16)

    def work() -> None:
        by = writer(url)
        begin.wait()
        for _ in range(6):
            (outcomes,) = write(by, Work((creation(), creation("refused"))))
            assert [type(o) for o in outcomes] == [Settled, Invalid]
        by.engine.dispose()

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal(url)) == 96


def rooms(url: str, count: int) -> list[Room]:
    async def nobody(_: str) -> None:
        return None

    return [
        Room(TOY, Circumstances(url=url, secret=SECRET, pack=NO_PACK, clock=Clock(), ask=nobody))
        for _ in range(count)
    ]


async def test_two_rooms_on_one_file_draw_each_number_once(url: str) -> None:
    both = rooms(url, 2)

    async def lead(room: Room) -> str:
        name = (await room.settle(creation())).name
        await room.settle(command("submit", name))
        done = await room.settle(command("recognize", name, OFFICER))
        return pb.Platform.FromString(done.record).official_number

    numbers = await asyncio.gather(*(lead(both[n % 2]) for n in range(40)))
    assert sorted(numbers) == [f"N{n:03d}" for n in range(1, 41)]
    for room in both:
        await asyncio.to_thread(room.close)
    assert len(journal(url)) == 120


async def test_what_another_room_wrote_is_told_here(url: str) -> None:
    here, there = rooms(url, 2)
    told = here.tell(0, follow=True)
    await there.settle(creation("那边"))
    lines = await asyncio.wait_for(anext(told), 5)
    assert [line.position for line in lines] == [1]
    for room in (here, there):
        await asyncio.to_thread(room.close)


async def test_what_is_told_has_no_hole_when_two_rooms_write_in_turn(url: str) -> None:
    here, there = rooms(url, 2)
    told, seen = here.tell(0, follow=True), list[int]()
    for room in (here, there, here, here, there, there, here):
        await room.settle(creation())
    while len(seen) < 7:
        seen += [line.position for line in await asyncio.wait_for(anext(told), 5)]
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    for room in (here, there):
        await asyncio.to_thread(room.close)


async def test_what_was_just_written_is_told_as_it_will_be_read(url: str) -> None:
    (room,) = rooms(url, 1)
    told = room.tell(0, follow=True)
    await room.settle(creation("刚刚"))
    (written,) = await asyncio.wait_for(anext(told), 5)
    (read,) = await room.read(room.store.told, 0, 10)
    assert tuple(getattr(written, field) for field in read._fields) == tuple(read)
    await asyncio.to_thread(room.close)


async def test_one_bad_command_leaves_its_neighbours(url: str) -> None:
    (room,) = rooms(url, 1)
    titles = ["甲", "refused", "crash", "乙\0", "丙"] * 10
    outcomes = await asyncio.gather(
        *(room.settle(creation(title)) for title in titles), return_exceptions=True
    )
    kinds = [type(outcome).__name__ for outcome in outcomes]
    assert kinds == ["Settled", "Invalid", "ZeroDivisionError", "Invalid", "Settled"] * 10
    await asyncio.to_thread(room.close)
    assert [event.platform.title for event in events(url)].count("丙") == 10
    assert len(journal(url)) == 20


def test_a_work_that_spoils_the_transaction_is_done_alone(url: str) -> None:
    def spoil(tx: sa.Connection) -> None:
        tx.execute(sa.text("INSERT INTO journal_head VALUES (1, 0, 0)"))

    def displace(_: sa.Connection) -> None:
        raise Displaced("source")

    by = writer(url)
    good, bad, moved, fine = write(
        by,
        Work((creation("甲"),)),
        Work((creation("乙"),), effects=spoil),
        Work((creation("丙"),), effects=displace),
        Work((creation("丁"),)),
    )
    assert [type(o) for o in (*good, *fine)] == [Settled, Settled]
    assert isinstance(bad, sa.exc.IntegrityError)
    assert isinstance(moved, Displaced)
    assert [event.platform.title for event in events(url)] == ["甲", "丁"]


def test_a_name_that_is_drawn_again_overwrites_nothing(url: str) -> None:
    by, first = writer(url), creation("甲", fresh=True)
    write(by, Work((first,)))
    again = creation("乙", fresh=True)._replace(name=first.name)
    spoilt, (new,) = write(by, Work((again,)), Work((creation("丙", fresh=True),)))
    assert isinstance(spoilt, sa.exc.IntegrityError)
    assert isinstance(new, Settled)
    assert [event.platform.title for event in events(url)] == ["甲", "丙"]


def test_effects_are_there_with_the_commands_or_not_at_all(url: str) -> None:
    def effect(tx: sa.Connection) -> None:
        by.store.put_cursor(tx, "elsewhere", 0, 7)

    by = writer(url)
    write(by, Work((creation(),), effects=effect))
    with by.engine.connect() as tx:
        assert by.store.cursors(tx) == {("elsewhere", 0): 7}


def test_an_effect_finds_what_was_decided_with_it(url: str) -> None:
    def effect(tx: sa.Connection) -> None:
        table = by.store.tables.records["platforms"]
        seen.extend(tx.execute(sa.select(table.c.name)).scalars())

    by, seen = writer(url), list[str]()
    (settled,), _ = by.write([Work((creation(),)), Work(effects=effect)])  # type: ignore[misc]
    assert seen == [settled.name]


class Broken:
    """An engine whose database went away, `times` times."""

    def __init__(self, engine: sa.Engine, times: int, error: Exception) -> None:
        self.engine, self.left, self.error = engine, times, error

    def connect(self) -> sa.Connection:
        if self.left:
            self.left -= 1
            raise sa.exc.OperationalError("BEGIN", {}, self.error)
        return self.engine.connect()


def breaks(by: Writer, times: int, error: Exception) -> None:
    by._kept = Kept(Broken(by.engine, times, error))  # type: ignore[arg-type]


@pytest.fixture
def gone(url: str) -> Iterator[Writer]:
    by = writer(url)
    engine = by.engine
    yield by
    engine.dispose()


def test_when_the_database_is_gone_everybody_learns_that_nothing_is_known(gone: Writer) -> None:
    breaks(gone, 1, ConnectionError("gone"))
    outcomes = write(gone, Work((creation(),)), Work((creation(),)))
    assert [type(outcome) for outcome in outcomes] == [Unsettled, Unsettled]
    assert "same request_id" in outcomes[0].en
    assert isinstance(write(gone, Work((creation(),)))[0][0], Settled)


def test_a_busy_database_is_asked_again(gone: Writer) -> None:
    error = RuntimeError("database is locked")
    breaks(gone, 3, error)
    ((outcome,),) = write(gone, Work((creation(),)))
    assert isinstance(outcome, Settled)


def test_a_busy_database_is_not_asked_for_ever(gone: Writer) -> None:
    error = RuntimeError("database is locked")
    breaks(gone, 5, error)
    (outcome,) = write(gone, Work((creation(),)))
    assert isinstance(outcome, Unsettled)


async def test_a_room_that_is_closed_has_left_its_file(url: str, tmp_path: Path) -> None:
    async def nobody(_: str) -> None:
        return None

    room, log = Room(TOY, Circumstances(url, SECRET, NO_PACK, Clock(), nobody)), "toy.sqlite3-wal"
    await room.settle(creation())
    assert (tmp_path / log).exists()
    room.close()
    assert not (tmp_path / log).exists()  # the last connection takes it away


def test_the_same_request_settles_what_was_unknown(gone: Writer, url: str) -> None:
    what = creation()
    first = write(gone, Work((what,)))[0][0]
    again = write(gone, Work((what,)))[0][0]
    assert again.repeated
    assert again.record == first.record
    assert len(journal(url)) == 1


def test_a_clock_that_goes_back_does_not_take_the_journal_with_it(url: str) -> None:
    clock = Clock()
    by = writer(url, clock)
    for hours in (0, -3, -48, 5, -5):
        clock.move(hours=hours)
        write(by, Work((creation(),)))
    times = [row.commit_time for row in journal(url)]
    assert times == sorted(times)
    assert times[0] == int(MORNING.timestamp() * 1_000_000)
    days = {event.change.business_date.day for event in events(url)}
    assert days == {16}
    told = [microseconds(event.change.commit_time) for event in events(url)]
    assert told == times


def test_a_quiet_day_is_told_once(url: str) -> None:
    clock = Clock()
    by = writer(url, clock)
    for _ in range(3):
        write(by, Work(tick=True))
    assert [row.record for row in journal(url)] == ["clock"]
    clock.move(hours=14)  # past midnight in Shanghai
    write(by, Work((creation(),)))
    write(by, Work(tick=True))
    assert [row.record for row in journal(url)][2:] == []
    clock.move(days=1)
    write(by, Work(tick=True), Work(tick=True), Work((creation(),)))
    assert [row.collection for row in journal(url)] == ["clock", "platforms", "clock", "platforms"]
    clock.move(days=-1)
    write(by, Work(tick=True))
    assert len(journal(url)) == 4
    ticks = [e.change for e in events(url) if e.change.record == "clock"]
    assert [tick.revision for tick in ticks] == [1, 2]
    assert [tick.business_date.day for tick in ticks] == [16, 18]


def test_the_day_changes_at_midnight_in_shanghai(url: str) -> None:
    clock = Clock(datetime.datetime(2026, 3, 16, 15, 59, 59, 999_999, tzinfo=datetime.UTC))
    by = writer(url, clock)
    write(by, Work((creation(),)))
    clock.move(microseconds=1)
    write(by, Work((creation(),)))
    assert [event.change.business_date.day for event in events(url)] == [16, 17]


def test_a_person_of_a_refused_command_leaves_no_key(url: str) -> None:
    from luoshu.journal.v1.journal_pb2 import Person

    person = {"contact": Person(name="李四")}
    by = writer(url)
    dry = creation(fields=person, validate_only=True)
    write(by, Work((dry, creation())))
    assert rows(url, "subject") == rows(url, "personal_value") == 0
    write(by, Work((creation(fields=person),)))
    assert (rows(url, "subject"), rows(url, "personal_value")) == (1, 1)


def rows(url: str, table: str) -> int:
    engine = sa.create_engine(url)
    with engine.connect() as tx:
        count: int = tx.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
    engine.dispose()
    return count

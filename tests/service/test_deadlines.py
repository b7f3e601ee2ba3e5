"""Deadlines on a real database: each happens once, whoever looks, whatever dies, however late."""

import asyncio
import datetime
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from app import migrate
from kernel.case import Caller, Role
from kernel.consumer import command_of
from kernel.dates import SHANGHAI
from kernel.outcome import Command
from kernel.pack import Pack, Register
from kernel.procedure import DaysOff
from kernel.room import Circumstances, Room
from kernel.timekeeper import Timekeeper
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.coordination.consumer import asking
from services.coordination.naming import review_name
from services.coordination.servicer import Inbox
from services.coordination.store import COORDINATION
from tests.service.lost_writes import lose, tried
from tests.unit.coordination_world import BEFORE_HOLIDAY, application, henan

NAME = review_name("applications/a1", 1)
ONCE = {"remind": 2 * 3, "escalate": 3, "fall_silent": 3}
"""Of three silent departments, until each has been silent past its deputy's days too."""


@dataclass
class Days:
    """A clock whose day is set."""

    day: datetime.date = BEFORE_HOLIDAY

    def __call__(self) -> Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(datetime.datetime.combine(self.day, datetime.time(9), SHANGHAI))
        return stamp


@dataclass
class Keepers:
    """Several processes of coordination on one database."""

    url: str
    days: Days = field(default_factory=Days)
    rooms: list[Room] = field(default_factory=list)
    keepers: list[Timekeeper] = field(default_factory=list)

    def start(self, pack: Pack) -> Timekeeper:
        room = Room(COORDINATION, Circumstances(self.url, bytes(32), pack, self.days, _nobody))
        self.rooms.append(room)
        self.keepers.append(Timekeeper(room, self.days))
        return self.keepers[-1]

    async def open(self) -> None:
        asked = command_of("coordination", _entry(1), "create", NAME, None, asking(application()))
        await self.rooms[0].settle(asked)

    async def look(self, day: datetime.date) -> None:
        self.days.day = day
        await asyncio.gather(*(keeper.look() for keeper in self.keepers))

    async def pass_to(self, last: datetime.date) -> None:
        while self.days.day < last:
            await self.look(self.days.day + datetime.timedelta(1))
            await self.look(self.days.day)

    def events(self) -> list[pb.CoordinationEvent]:
        lines = self.rooms[0].read_here(self.rooms[0].store.told, 0, 1000)
        return [pb.CoordinationEvent.FromString(line.event) for line in lines]

    def acts(self) -> Counter[str]:
        return Counter(e.change.action for e in self.events() if e.change.action in ONCE)

    def due(self) -> tuple[int, int]:
        room = self.rooms[0]
        return room.read_here(room.store.pending, self.days.day.isoformat())


async def _nobody(name: str) -> None:
    return None


def _entry(position: int) -> JournalEntry:
    return JournalEntry(source="funding", position=position)


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Of coordination's database; the live lane has another one."""
    return f"sqlite:///{tmp_path}/coordination.sqlite3"


@pytest.fixture
def on_disk(address: str) -> Callable[..., Any]:
    @asynccontextmanager
    async def made(processes: int = 1) -> AsyncIterator[Keepers]:
        migrate.upgrade("coordination", address)
        keepers = Keepers(address)
        for _ in range(processes):
            keepers.start(henan())
        try:
            await keepers.open()
            yield keepers
        finally:
            for room in keepers.rooms:
                await asyncio.to_thread(room.close)

    return made


END = datetime.date(2026, 10, 21)


def test_two_processes_that_look_at_once_do_each_thing_once(on_disk: Callable[..., Any]) -> None:
    async def run() -> None:
        async with on_disk(2) as there:
            await there.pass_to(END)
            assert there.acts() == ONCE
            assert there.events()[-1].review.outcome == pb.OUTCOME_AGREED
            assert there.due() == (0, 0)

    asyncio.run(run())


def test_a_process_that_dies_before_or_after_the_commit_leaves_nothing_undone_and_nothing_twice(
    on_disk: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three writes one is lost before the commit, and one's answer after it."""

    async def run() -> None:
        async with on_disk() as there:
            calls = lose(monkeypatch, there.rooms)
            while there.days.day < END:
                there.days.day += datetime.timedelta(1)
                for _ in range(3):  # a process is started again, and looks again
                    keeper = Timekeeper(there.rooms[0], there.days)
                    await tried(keeper)
            monkeypatch.undo()
            await Timekeeper(there.rooms[0], there.days).look()
            assert there.acts() == ONCE
            assert calls[0] == 6, "four commits, and two that were not"

    asyncio.run(run())


def test_after_weeks_away_what_was_due_happens_once_at_the_first_looks(
    on_disk: Callable[..., Any],
) -> None:
    async def run() -> None:
        async with on_disk() as there:
            late = datetime.date(2026, 12, 1)
            await there.look(late)
            await there.look(late)
            assert there.acts() == {"remind": 6, "escalate": 3}
            assert all(o.deputy_due_date.day > 1 for o in there.events()[-1].review.opinions)

    asyncio.run(run())


def test_a_corrected_calendar_moves_what_is_still_to_come_by_an_event_of_its_own(
    on_disk: Callable[..., Any],
) -> None:
    year = henan().calendar.get("2026")
    strike = DaysOff(
        zh="停工", en="off", first=datetime.date(2026, 10, 12), last=datetime.date(2026, 10, 13)
    )
    years = [
        replace(y, days_off=(*year.days_off, strike)) if y.id == "2026" else y
        for y in henan().calendar
    ]
    corrected = replace(henan(), calendar=Register(("year", "年"), years), version="corrected")

    async def run() -> None:
        async with on_disk() as there:
            there.start(corrected)
            await there.keepers[1].look()
            await there.keepers[1].look()
            (event,) = [e for e in there.events() if e.change.action == "reschedule"]
            due = event.review.opinions[0].due_date
            assert (due.month, due.day) == (10, 15)

    asyncio.run(run())


def test_a_list_then_a_watch_from_its_position_tell_of_every_change_of_the_inbox_once(
    on_disk: Callable[..., Any],
) -> None:
    finance = Caller("zheng", "FINANCE", frozenset({Role.CASE_OFFICER}))

    async def run() -> None:
        async with on_disk() as there:
            inbox = Inbox(there.rooms[0])
            listed = await inbox.ListInbox(pb.ListInboxRequest(), finance)
            assert [item.review for item in listed.items] == [NAME]
            watch = inbox.WatchInbox(pb.WatchInboxRequest(after_position=listed.position), finance)
            await there.look(datetime.date(2026, 10, 9))
            request = pb.OpineReviewRequest(name=NAME, verdict=pb.VERDICT_AGREE)
            await there.rooms[0].settle(Command("opine", NAME, request, "o", b"o", finance))
            told = [await anext(watch) for _ in range(4)]
            await watch.aclose()
            assert [change.action for change in told] == ["remind"] * 3 + ["opine"]
            assert [len(change.items) for change in told] == [1, 1, 1, 0]
            assert [c.position for c in told] == [listed.position + n for n in (1, 2, 3, 4)]
            assert not (await inbox.ListInbox(pb.ListInboxRequest(), finance)).items

    asyncio.run(run())

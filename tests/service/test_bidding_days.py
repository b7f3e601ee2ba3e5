"""A bidding's days on a real database: it ends once, and so does its opening, whoever looks and whatever dies."""

import asyncio
import datetime
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app import migrate
from kernel.case import Caller, Role
from kernel.dates import ONE_DAY, from_date
from kernel.outcome import Command
from kernel.room import Circumstances, Room
from kernel.timekeeper import Timekeeper
from luoshu.client.seals import seal_of
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies.store import TECHNOLOGIES
from tests.service.lost_writes import lose, tried
from tests.service.test_deadlines import Days
from tests.unit.technologies_story import (
    AGREED,
    BOILER,
    OTHER,
    PUBLISHERS,
    TODAY,
    UNITS,
    State,
    sealing,
)

NAME = "breakthroughs/smart-boiler"
CLOSES = TODAY + ONE_DAY * 20
ONCE = {"close_bids": 1, "lapse_bids": 1}


@dataclass
class Bidding:
    """Technologies on one database, in as many processes as were started."""

    url: str
    days: Days = field(default_factory=lambda: Days(TODAY))
    rooms: list[Room] = field(default_factory=list)

    def start(self) -> Timekeeper:
        room = Room(TECHNOLOGIES, Circumstances(self.url, bytes(32), sealing(), self.days, _nobody))
        self.rooms.append(room)
        return Timekeeper(room, self.days)

    async def do(self, action: str, *roles: Role, of: str = "DST", **fields: Any) -> None:
        name = "".join(word.title() for word in action.split("_")) + "BreakthroughRequest"
        caller = Caller(f"{of}-{roles[0].name}", of, frozenset(roles))
        request = getattr(pb, name)(**fields)
        key = f"{action}-{of}"
        given = request.breakthrough if action == "create" else None
        if action != "create":
            request.name = NAME
        await self.rooms[0].settle(
            Command(action, NAME, request, key, key.encode(), caller, given=given)
        )

    async def to_bidding(self) -> None:
        """Up to a bidding with two sealed bids."""
        draft = pb.Breakthrough(
            title="超临界二氧化碳锅炉", direction="high-end-equipment", lead_department="DST",
            target_level=6, planned_end_date=from_date(datetime.date(2027, 12, 31)),
        )  # fmt: skip
        officer, approver = Role.CASE_OFFICER, Role.APPROVER
        await self.do("create", officer, breakthrough=draft)
        await self.do("propose", officer)
        await self.do("enlist", approver, list_document_number="豫科〔2026〕8号")
        await self.do("circulate", officer, publishing_departments=PUBLISHERS)
        await self.do("conclude_circulation", Role.SYSTEM, review="reviews/r1", outcome=AGREED)
        published = {
            "publishing_departments": PUBLISHERS,
            "bids_close_date": from_date(CLOSES),
        }
        await self.do("publish_for_bids", officer, **published)
        for unit in (BOILER, OTHER):
            await self.do("submit_bid", Role.APPLICANT, of=unit, seal=seal(unit))

    def events(self) -> list[pb.TechnologiesEvent]:
        lines = self.rooms[0].read_here(self.rooms[0].store.told, 0, 1000)
        return [pb.TechnologiesEvent.FromString(line.event) for line in lines]

    def acts(self) -> Counter[str]:
        return Counter(e.change.action for e in self.events() if e.change.action in ONCE)


def seal(unit: str) -> str:
    content = pb.BidContent(units=UNITS, plan="三步", requested_fen=1)
    said = pb.SealedBid(breakthrough=NAME, bidder=unit, salt="00" * 32, content=content)
    return seal_of(said)


async def _nobody(name: str) -> None:
    return None


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Of technologies' database; the live lane has another one."""
    return f"sqlite:///{tmp_path}/technologies.sqlite3"


@pytest.fixture
def there(address: str) -> Any:
    migrate.upgrade("technologies", address)
    bidding = Bidding(address)
    yield bidding
    for room in bidding.rooms:
        room.close()


def test_two_processes_end_a_bidding_and_its_opening_once(there: Bidding) -> None:
    async def run() -> None:
        keepers = [there.start(), there.start()]
        await there.to_bidding()
        while there.days.day < CLOSES + ONE_DAY * 10:
            await asyncio.gather(*(keeper.look() for keeper in keepers))
            if there.days.day == CLOSES:
                assert not there.acts(), "the last day is the bidders' to its end"
            there.days.day += ONE_DAY
        assert there.acts() == ONCE
        last = there.events()[-1].breakthrough
        assert last.state == State.STATE_BIDS_CLOSED
        assert all(bid.HasField("lapse_date") for bid in last.bids)

    asyncio.run(run())


def test_a_process_that_dies_around_the_commit_ends_a_bidding_once(
    there: Bidding, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        there.start()
        await there.to_bidding()
        calls = lose(monkeypatch, there.rooms)
        for _ in range(3):
            there.days.day = max(there.days.day, CLOSES) + ONE_DAY * 4
            for _ in range(3):  # a process is started again, and looks again
                await tried(Timekeeper(there.rooms[0], there.days))
        assert there.acts() == ONCE
        assert calls[0] == 3, "one was lost before its commit, one answer after it, one went well"

    asyncio.run(run())


def test_after_weeks_away_bidders_still_have_all_their_days_to_reveal(there: Bidding) -> None:
    async def run() -> None:
        keeper = there.start()
        await there.to_bidding()
        there.days.day = CLOSES + ONE_DAY * 30
        await keeper.look()
        await keeper.look()
        assert there.acts() == {"close_bids": 1}
        last = there.events()[-1].breakthrough
        assert last.bids_reveal_date == from_date(datetime.date(2026, 5, 7))

    asyncio.run(run())

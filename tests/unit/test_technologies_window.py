"""A bidding has days: it is long enough, ends by itself, and so does the opening of what was sealed."""

import dataclasses
import datetime
from typing import Any

import pytest

from kernel.case import Role
from kernel.dates import ONE_DAY, from_date
from kernel.errors import Invalid, Refused
from kernel.pack import Pack, Register
from kernel.procedure import DaysOff
from luoshu.client.seals import seal_of
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies.domain import LIFECYCLE
from services.technologies.window import deadlines, outdated
from tests.unit.technologies_story import (
    BOILER,
    OTHER,
    PUBLISHERS,
    TODAY,
    UNITS,
    State,
    a_case,
    act,
    agreed,
    closed,
    listed,
    refused,
    sealing,
)

LEAST = datetime.date(2026, 3, 30)
"""The twentieth day after the day of publication."""
CONTENT = pb.BidContent(units=UNITS, plan="三步", requested_fen=1)
SALT, OTHER_SALT = "00" * 32, "11" * 32
REVEALED_UNTIL = datetime.date(2026, 4, 3)
"""Three working days after the closing on Tuesday 31 March: the Friday before Qingming."""


def case(*roles: Role, today: datetime.date = TODAY, **more: Any) -> Any:
    return a_case(*roles, today=today, **{"pack": sealing(), **more})


def system(today: datetime.date, **more: Any) -> Any:
    return case(Role.SYSTEM, today=today, department="SYSTEM", actor="technologies", **more)


def publish(closes: datetime.date, today: datetime.date = TODAY, **more: Any) -> pb.Breakthrough:
    told = {"publishing_departments": PUBLISHERS, "bids_close_date": from_date(closes), **more}
    return act(agreed(listed()), "publish_for_bids", case(today=today), **told)


def sealed_by(record: pb.Breakthrough, unit: str, salt: str) -> pb.Breakthrough:
    seal = seal_of(pb.SealedBid(breakthrough=record.name, bidder=unit, salt=salt, content=CONTENT))
    return act(record, "submit_bid", case(Role.APPLICANT, department=unit), seal=seal)


def two_sealed() -> pb.Breakthrough:
    return sealed_by(sealed_by(publish(LEAST), BOILER, SALT), OTHER, OTHER_SALT)


def let_happen(record: pb.Breakthrough, today: datetime.date) -> pb.Breakthrough:
    """What is due of it on a day."""
    (due,) = deadlines(record)
    return act(record, due.action, system(today), key=due.key)


def reveal(record: pb.Breakthrough, unit: str, number: str, today: datetime.date) -> Any:
    said = {"bid": number, "content": CONTENT, "salt": SALT if unit == BOILER else OTHER_SALT}
    return act(record, "reveal_bid", case(Role.APPLICANT, department=unit, today=today), **said)


@pytest.mark.parametrize(
    ("closes", "taken"), [(LEAST - ONE_DAY, False), (LEAST, True), (LEAST + ONE_DAY, True)]
)
def test_a_bidding_takes_as_many_days_as_the_pack_says(closes: datetime.date, taken: bool) -> None:
    if taken:
        assert publish(closes).bids_close_date == from_date(closes)
        return
    told = {"publishing_departments": PUBLISHERS, "bids_close_date": from_date(closes)}
    error = refused(
        Invalid, "BIDDING_TOO_SHORT", agreed(listed()), "publish_for_bids", case(), **told
    )
    assert str(LEAST) in error.en


def test_the_days_count_from_the_day_on_which_bids_are_first_taken() -> None:
    opens = from_date(TODAY + ONE_DAY)
    told = {"publishing_departments": PUBLISHERS, "bids_open_date": opens}
    for closes, taken in ((LEAST, False), (LEAST + ONE_DAY, True)):
        said = {**told, "bids_close_date": from_date(closes)}
        if taken:
            assert act(agreed(listed()), "publish_for_bids", case(), **said).bids_open_date == opens
        else:
            refused(
                Invalid, "BIDDING_TOO_SHORT", agreed(listed()), "publish_for_bids", case(), **said
            )


def test_a_bidding_is_not_dated_back_so_that_it_was_open_long_enough() -> None:
    said = {"publishing_departments": PUBLISHERS, "bids_close_date": from_date(LEAST)}
    early = {**said, "bids_open_date": from_date(TODAY - ONE_DAY)}
    refused(Invalid, "DATES_REVERSED", agreed(listed()), "publish_for_bids", case(), **early)
    dated = case(given_day=TODAY - ONE_DAY)
    assert act(agreed(listed()), "publish_for_bids", dated, **said).bids_open_date == from_date(
        TODAY
    )


def test_a_bidding_ends_by_itself_on_the_day_after_its_last() -> None:
    record = two_sealed()
    (due,) = deadlines(record)
    assert (due.day, due.action) == (LEAST + ONE_DAY, "close_bids")
    refused(Refused, "NOT_DUE", record, "close_bids", system(LEAST), key=due.key)
    ended = let_happen(record, due.day)
    assert ended.state == State.STATE_BIDS_CLOSED
    assert ended.bids_closed_date == from_date(due.day)
    assert ended.bids_reveal_date == from_date(REVEALED_UNTIL)
    late = case(Role.APPLICANT, department=OTHER, today=due.day)
    with pytest.raises(Refused, match="submit_bid"):
        act(ended, "submit_bid", late, seal="ab" * 32)


def test_a_bidding_that_a_person_closed_is_not_closed_again() -> None:
    record = two_sealed()
    (due,) = deadlines(record)
    officer = case(today=due.day)
    assert [d.action for d in deadlines(act(record, "close_bids", officer))] == ["lapse_bids"]


def test_the_end_of_one_round_does_not_end_the_next() -> None:
    (due,) = deadlines(publish(LEAST))
    after = due.day
    record = act(let_happen(publish(LEAST), after), "relist", case(today=after), reason="无人揭榜")
    told = {
        "publishing_departments": PUBLISHERS,
        "bids_close_date": from_date(after + ONE_DAY * 20),
    }
    again = act(agreed(record), "publish_for_bids", case(today=after), **told)
    refused(Refused, "NOT_DUE", again, "close_bids", system(after), key=due.key)


@pytest.mark.parametrize(("today", "taken"), [(LEAST, False), (LEAST + ONE_DAY, True)])
def test_no_reason_closes_a_bidding_before_it_was_open_long_enough(
    today: datetime.date, taken: bool
) -> None:
    record, officer = publish(LEAST + ONE_DAY * 5), case(today=today)
    if taken:
        assert act(record, "close_bids", officer, reason="三家已到").bids_closed_date.year
    else:
        refused(Refused, "BIDDING_TOO_SHORT", record, "close_bids", officer, reason="三家已到")


def test_what_was_not_revealed_in_time_lapses_on_the_day_after_and_is_never_judged() -> None:
    record = reveal(let_happen(two_sealed(), LEAST + ONE_DAY), BOILER, "b1", LEAST + ONE_DAY)
    (due,) = deadlines(record)
    assert (due.day, due.action) == (REVEALED_UNTIL + ONE_DAY, "lapse_bids")
    refused(Refused, "NOT_DUE", record, "lapse_bids", system(REVEALED_UNTIL), key=due.key)
    assert reveal(record, OTHER, "b2", REVEALED_UNTIL).bids[1].plan
    lapsed = let_happen(record, due.day)
    assert [bid.HasField("lapse_date") for bid in lapsed.bids] == [False, True]
    assert not deadlines(lapsed)
    said = {"bid": "b2", "content": CONTENT}
    late = case(Role.APPLICANT, department=OTHER, today=due.day)
    refused(Refused, "REVEAL_OVER", lapsed, "reveal_bid", late, salt=OTHER_SALT, **said)
    refused(Refused, "BID_LAPSED", lapsed, "score_bid", case(today=due.day), bid="b2", score=9000)
    approver = case(Role.APPROVER, today=due.day, actor="sun")
    refused(Refused, "BID_LAPSED", lapsed, "select_bidder", approver, bid="b2")
    scored = act(lapsed, "score_bid", case(today=due.day), bid="b1", score=9000)
    assert act(scored, "select_bidder", approver, bid="b1").state == State.STATE_UNDERTAKEN


def test_when_nobody_reveals_the_technology_can_be_listed_again_but_not_before() -> None:
    ended = let_happen(two_sealed(), LEAST + ONE_DAY)
    refused(
        Refused, "BIDS_STILL_SEALED", ended, "relist", case(today=REVEALED_UNTIL), reason="无人"
    )
    over = REVEALED_UNTIL + ONE_DAY
    again = act(let_happen(ended, over), "relist", case(today=over), reason="均未开标")
    assert again.state == State.STATE_LISTED
    assert not again.HasField("bids_reveal_date")


def test_after_all_are_revealed_and_where_bids_are_open_nothing_lapses() -> None:
    ended = let_happen(two_sealed(), LEAST + ONE_DAY)
    both = reveal(reveal(ended, BOILER, "b1", LEAST + ONE_DAY), OTHER, "b2", LEAST + ONE_DAY)
    assert not deadlines(both)
    assert not deadlines(closed())


def test_a_bidding_that_is_closed_late_leaves_bidders_all_their_days() -> None:
    late = LEAST + ONE_DAY * 30
    assert let_happen(two_sealed(), late).bids_reveal_date == from_date(datetime.date(2026, 5, 7))


def test_a_corrected_calendar_moves_the_end_of_a_running_opening() -> None:
    ended = let_happen(two_sealed(), LEAST + ONE_DAY)
    corrected = with_days_off(datetime.date(2026, 4, 2), datetime.date(2026, 4, 3))
    assert not outdated(ended, sealing())
    assert outdated(ended, corrected)
    moved = act(ended, "reschedule", system(LEAST + ONE_DAY, pack=corrected), key="v2")
    assert moved.bids_reveal_date == from_date(datetime.date(2026, 4, 8))
    assert not outdated(moved, corrected)


def with_days_off(first: datetime.date, last: datetime.date) -> Pack:
    off = DaysOff(zh="停工", en="off", first=first, last=last)
    pack = sealing()
    years = [
        dataclasses.replace(y, days_off=(*y.days_off, off)) if y.id == "2026" else y
        for y in pack.calendar
    ]
    return dataclasses.replace(pack, calendar=Register(("year", "年"), years), version="v2")


def test_only_the_system_lets_bids_lapse() -> None:
    assert LIFECYCLE.line(State.STATE_BIDS_CLOSED, "lapse_bids").by == (Role.SYSTEM,)

"""From the list over open bids to the units that undertake the work."""

import datetime

import pytest

from kernel.case import Role
from kernel.dates import from_date
from kernel.errors import Denied, Invalid, Refused
from luoshu.technologies.v1 import technologies_pb2 as pb
from tests.unit.technologies_story import (
    BOILER,
    OTHER,
    TODAY,
    UNITS,
    Assignment,
    State,
    a_case,
    act,
    agreed,
    bid,
    closed,
    listed,
    published,
    refused,
    undertaken,
)


def test_bids_are_published_by_as_many_departments_as_the_pack_says() -> None:
    refused(
        Invalid, "TOO_FEW_PUBLISHERS", listed(), "publish_for_bids", a_case(),
        publishing_departments=["DRC", "DST", "DIIT"], bids_close_date=from_date(TODAY),
    )  # fmt: skip


def test_bids_are_published_jointly_and_by_the_lead_department_too() -> None:
    refused(
        Invalid, "LEAD_NOT_AMONG", listed(), "publish_for_bids", a_case(),
        publishing_departments=["DRC", "DIIT"], bids_close_date=from_date(TODAY),
    )  # fmt: skip


def test_a_publisher_that_the_pack_does_not_know_is_refused() -> None:
    refused(
        Invalid, "UNKNOWN_ENTRY", listed(), "publish_for_bids", a_case(),
        publishing_departments=["DST", "DRC", "DIIT", "NASA"], bids_close_date=from_date(TODAY),
    )  # fmt: skip


def test_a_window_that_is_over_cannot_be_published() -> None:
    with pytest.raises(Invalid, match="bids_close_date"):
        published(TODAY - datetime.timedelta(days=1))


@pytest.mark.parametrize(("offset", "taken"), [(-1, False), (0, True), (5, True), (6, False)])
def test_bids_are_taken_from_the_first_to_the_end_of_the_last_day(offset: int, taken: bool) -> None:
    record = published(TODAY + datetime.timedelta(days=5))
    case = a_case(Role.APPLICANT, department=BOILER, today=TODAY + datetime.timedelta(days=offset))
    told = {"units": UNITS, "plan": "分三步实现"}
    if taken:
        assert act(record, "submit_bid", case, **told).bids[0].submit_date == from_date(case.today)
    else:
        refused(Refused, "OUTSIDE_THE_WINDOW", record, "submit_bid", case, **told)


def test_a_bid_cannot_be_dated_back_into_the_window() -> None:
    late = TODAY + datetime.timedelta(days=1)
    case = a_case(Role.APPLICANT, department=BOILER, today=late, given_day=TODAY)
    refused(
        Refused, "OUTSIDE_THE_WINDOW", published(), "submit_bid", case, units=UNITS, plan="迟到"
    )


@pytest.mark.parametrize("size", [1, 2])
def test_a_consortium_below_three_cannot_bid(size: int) -> None:
    case = a_case(Role.APPLICANT, department=BOILER)
    told = {"units": UNITS[:size], "plan": "力量不足"}
    refused(Invalid, "CONSORTIUM_TOO_SMALL", published(), "submit_bid", case, **told)


def test_a_consortium_of_three_bids_with_its_leading_unit_first() -> None:
    assert [unit.name for unit in bid(published(), BOILER).bids[0].units] == [u.name for u in UNITS]


@pytest.mark.parametrize("twin", [pb.Unit(name="郑大", code=OTHER), pb.Unit(name="郑州大学")])
def test_a_unit_counts_once_in_a_consortium(twin: pb.Unit) -> None:
    case = a_case(Role.APPLICANT, department=BOILER)
    units = [*UNITS[:2], twin]
    refused(Invalid, "UNIT_TWICE", published(), "submit_bid", case, units=units, plan="凑数")


def test_a_unit_bids_once_and_again_after_withdrawing() -> None:
    record, case = bid(published(), BOILER), a_case(Role.APPLICANT, department=BOILER)
    refused(Refused, "BID_TWICE", record, "submit_bid", case, units=UNITS, plan="再来")
    record = act(record, "withdraw_bid", case, bid="b1", reason="更换团队")
    record = bid(record, BOILER)
    assert [(b.id, b.withdrawn) for b in record.bids] == [("b1", True), ("b2", False)]


def test_only_its_bidder_withdraws_a_bid() -> None:
    case = a_case(Role.APPLICANT, department=OTHER)
    told = {"bid": "b1", "reason": "代撤"}
    refused(Denied, "NOT_THE_BIDDER", bid(published(), BOILER), "withdraw_bid", case, **told)


def test_a_window_closes_after_its_last_day_or_with_a_reason() -> None:
    record, after = published(), a_case(Role.SYSTEM, today=TODAY + datetime.timedelta(days=1))
    refused(Refused, "WINDOW_STILL_OPEN", record, "close_bids", a_case(Role.SYSTEM))
    assert act(record, "close_bids", after).state == State.STATE_BIDS_CLOSED
    assert (
        act(record, "close_bids", a_case(), reason="提前截止公告").state == State.STATE_BIDS_CLOSED
    )


@pytest.mark.parametrize("department", [BOILER, OTHER])
def test_a_unit_does_not_judge_a_bid_that_it_takes_part_in(department: str) -> None:
    case = a_case(Role.EXPERT_REVIEWER, department=department)
    refused(Denied, "CONFLICT_OF_INTEREST", closed(), "score_bid", case, bid="b1", score=10000)


def test_a_bid_without_score_is_not_selected_and_one_with_score_zero_may_be() -> None:
    case = a_case(Role.APPROVER)
    refused(Refused, "NOT_SCORED", closed(), "select_bidder", case, bid="b1")
    record = act(closed(), "score_bid", a_case(), bid="b1", score=0)
    assert act(record, "select_bidder", case, bid="b1").bids[0].selected


def test_the_lower_score_is_selected_only_with_a_reason() -> None:
    record, case = closed(), a_case(Role.APPROVER)
    record = act(record, "score_bid", a_case(), bid="b1", score=8000)
    record = act(record, "score_bid", a_case(), bid="b2", score=8001)
    refused(Invalid, "REASON_REQUIRED", record, "select_bidder", case, bid="b1")
    assert act(record, "select_bidder", case, bid="b1", reason="b2 被列入失信名单").bids[0].selected


def test_who_handed_in_a_bid_does_not_select_it() -> None:
    record = act(closed(), "score_bid", a_case(), bid="b1", score=9000)
    case = a_case(Role.APPROVER, actor=record.bids[0].author)
    refused(Denied, "FOUR_EYES", record, "select_bidder", case, bid="b1")


def test_a_bidder_gets_no_more_than_it_asked_for() -> None:
    record = act(closed(), "score_bid", a_case(), bid="b1", score=9000)
    case = a_case(Role.APPROVER)
    asked = record.bids[0].requested_fen
    told = {"bid": "b1", "budget_fen": asked + 1}
    refused(Invalid, "MORE_THAN_REQUESTED", record, "select_bidder", case, **told)
    assert act(record, "select_bidder", case, bid="b1", budget_fen=asked).budget_fen == asked


def test_the_selected_bid_says_who_undertakes_and_who_leads() -> None:
    record = undertaken()
    assert record.undertaking_unit == UNITS[0]
    assert list(record.consortium) == UNITS
    assert (record.leader.subject, record.budget_fen) == ("ps1-li", 500_000_00)
    assert record.assignment == Assignment.ASSIGNMENT_OPEN_BIDS


def test_a_new_round_does_not_select_a_bid_of_the_round_before() -> None:
    record = agreed(act(closed(), "relist", a_case(), reason="无合适揭榜方"))
    case = a_case(today=TODAY + datetime.timedelta(days=1))
    record = act(
        record, "publish_for_bids", case,
        publishing_departments=["DRC", "DST", "DIIT", "FINANCE"],
        bids_close_date=from_date(case.today),
    )  # fmt: skip
    record = act(record, "close_bids", case, reason="无人揭榜")
    assert record.bidding_round == 2
    refused(Invalid, "UNKNOWN_ENTRY", record, "score_bid", a_case(), bid="b1", score=1)


def test_a_commission_takes_one_unit_and_a_reason() -> None:
    case = a_case(Role.APPROVER)
    refused(Invalid, "REQUIRED", listed(), "commission", case, units=UNITS[:1], reason=" ")
    record = act(listed(), "commission", case, units=UNITS[:1], reason="唯一具备条件")
    assert record.undertaking_unit == UNITS[0]
    assert record.assignment == Assignment.ASSIGNMENT_COMMISSION
    assert record.state == State.STATE_UNDERTAKEN

"""What happens to an application by itself, and a completion in the middle of a joint review."""

import datetime

import pytest

from kernel.case import Role
from kernel.dates import ONE_DAY, from_date, to_date
from kernel.errors import Denied, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.timing import deadlines, outdated
from tests.unit.coordination_world import henan
from tests.unit.funding_world import CALLERS, NAME, A, World, noticed, refused, world

AGREED = pb.JOINT_REVIEW_OUTCOME_AGREED


def completing() -> World:
    there = world()
    there.walk(NAME, "open_joint_review")
    there.do(NAME, "request_completion", reason="请补充")
    return there


def test_a_notice_is_over_on_the_day_after_its_last_one_and_says_so_once() -> None:
    there = noticed()
    (due,) = deadlines(there.records[NAME])
    last = to_date(there.records[NAME].public_notice.end_date)
    assert last is not None
    assert (due.day, due.action) == (last + ONE_DAY, "close_notice")
    there.today = last
    with refused(Refused, "NOT_DUE"):
        there.do(NAME, "close_notice", key=due.key)
    there.today = last + ONE_DAY
    closed = there.do(NAME, "close_notice", key=due.key)
    assert to_date(closed.public_notice.close_date) == there.today
    assert closed.state == A.STATE_IN_PUBLIC_NOTICE
    assert not deadlines(closed)
    with refused(Refused, "NOT_DUE"):
        there.do(NAME, "close_notice", key=due.key)


def test_a_notice_in_working_days_moves_with_the_calendar_and_one_in_days_does_not() -> None:
    start = datetime.date(2026, 9, 24)  # the Mid-autumn Festival is from the 25th to the 27th
    there = noticed()
    notice = there.records[NAME].public_notice
    notice.start_date.CopyFrom(from_date(start))
    notice.end_date.CopyFrom(from_date(start + 5 * ONE_DAY))
    notice.days, notice.provisional = 5, False
    assert outdated(there.records[NAME], henan())
    there.pack = henan()
    moved = there.do(NAME, "reschedule", key="v")
    assert to_date(moved.public_notice.end_date) == datetime.date(2026, 10, 9)
    assert not outdated(moved, henan())
    notice.day_kind = pb.DAY_KIND_CALENDAR
    there.records[NAME].public_notice.CopyFrom(notice)
    assert not outdated(there.records[NAME], henan())


def test_in_a_joint_review_the_applicant_completes_and_hands_back_what_stays_judged() -> None:
    there = completing()
    assert there.records[NAME].state == A.STATE_COMPLETING_IN_REVIEW
    back = there.do(NAME, "resubmit")
    assert back.state == A.STATE_IN_JOINT_REVIEW
    assert back.joint_review.round == 1
    assert back.expert_review.recommended


def test_what_is_handed_back_must_be_whole() -> None:
    there = completing()
    there.records[NAME].budget[0].amount_fen += 1
    with pytest.raises(Exception, match="sum to"):
        there.do(NAME, "resubmit")


def test_only_the_applicants_unit_hands_back() -> None:
    with pytest.raises(Denied):
        completing().do(NAME, "resubmit", CALLERS[Role.CASE_OFFICER])


def test_when_the_days_to_complete_are_over_the_review_goes_on_by_itself() -> None:
    there = completing()
    (due,) = deadlines(there.records[NAME])
    with refused(Refused, "NOT_DUE"):
        there.do(NAME, "end_completion", key=due.key)
    there.today = due.day
    assert there.do(NAME, "end_completion", key=due.key).state == A.STATE_IN_JOINT_REVIEW


def test_after_the_award_the_outcome_is_of_the_changes_and_leaves_the_state() -> None:
    there = noticed()
    for action in ("approve", "sign_contract", "start"):
        there.do(NAME, action)
    there.do(NAME, "change_end_date", end_date=from_date(datetime.date(2031, 1, 1)), reason="延期")
    objected = pb.JOINT_REVIEW_OUTCOME_OBJECTED
    told = there.do(NAME, "conclude_joint_review", review="reviews/r1", outcome=objected)
    assert told.state == A.STATE_IN_PROGRESS
    assert [change.joint_review_outcome for change in told.changes] == [objected]
    with refused(Refused, "CHANGE_OBJECTED"):
        there.do(NAME, "pay_instalment")
    there.do(NAME, "change_end_date", end_date=from_date(datetime.date(2031, 6, 1)), reason="再议")
    there.do(NAME, "conclude_joint_review", review="reviews/r1", outcome=AGREED)
    assert there.do(NAME, "pay_instalment").paid_fen

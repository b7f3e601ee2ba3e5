"""Applications from the draft to the first checks: what is missing, too late, or nowhere."""

import datetime
from typing import Any

import pytest

from kernel.case import Caller, Role
from kernel.dates import ONE_DAY, to_date
from kernel.errors import Denied, Invalid, NotFound, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.domain import APPLICATION
from services.funding.rules import H
from tests.unit.fake_case import TODAY, checked
from tests.unit.funding_world import (
    BREAKTHROUGH,
    CALLERS,
    FEN,
    NAME,
    OTHER_UNIT,
    PLATFORM,
    PROGRAMME_NAME,
    THIRD_UNIT,
    UNIT,
    YEAR,
    A,
    C,
    application,
    call,
    day,
    path_of,
    refused,
    small_pack,
    unit,
    world,
)


def entered(**more: Any) -> pb.Application:
    given = application(programme="", year=0, lead_department="", currency="", **more)
    new: pb.Application = checked(APPLICATION, given, world().case(CALLERS[Role.APPLICANT]))
    return new


def test_an_application_takes_programme_year_and_lead_from_its_call() -> None:
    new = entered()
    assert (new.programme, new.year, new.lead_department) == (PROGRAMME_NAME, YEAR, "DST")
    assert new.currency == "CNY"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"call": ""}, "REQUIRED"),
        ({"title": " "}, "REQUIRED"),
        ({"end_date": day(59)}, "DATES_REVERSED"),
        ({"applicant_unit": unit(OTHER_UNIT)}, "NOT_THE_UNIT"),
        ({"consortium": [unit("914403001922038217")]}, "CREDIT_CODE_INVALID"),
        ({"consortium": [unit(), unit()]}, "UNIT_TWICE"),
        ({"consortium": [unit(UNIT)]}, "UNIT_TWICE"),
    ],
)
def test_a_wrong_application_is_not_entered(more: dict[str, Any], code: str) -> None:
    with refused(Invalid, code):
        entered(**more)


def test_only_imported_rows_have_another_currency() -> None:
    foreign = application(currency="USD")
    with refused(Invalid, "CURRENCY"):
        checked(APPLICATION, foreign, world().case())


def test_nobody_applies_to_a_call_that_is_not_published() -> None:
    there = world().put(call(state=C.STATE_DRAFT))
    with refused(Refused, "CALL_NOT_OPEN"):
        checked(APPLICATION, application(), there.case())


def test_an_application_stays_with_its_call() -> None:
    there = world().put(call(name="calls/other"), application(revision=1))
    moved = application(revision=1, call="calls/other")
    with refused(Invalid, "IMMUTABLE"):
        checked(APPLICATION, moved, there.case())


@pytest.mark.parametrize(
    ("offset", "open_"), [(-11, False), (-10, True), (0, True), (30, True), (31, False)]
)
def test_the_window_holds_from_its_first_to_the_end_of_its_last_day(
    offset: int, open_: bool
) -> None:
    there = world(today=TODAY + ONE_DAY * offset)
    if open_:
        submitted = there.do(NAME, "submit")
        assert submitted.submit_date == day(offset)
        assert list(submitted.concerned_departments) == ["410100"]
        return
    with refused(Refused, "CALL_NOT_OPEN"):
        there.do(NAME, "submit")


@pytest.mark.parametrize(
    "lacking",
    [
        {"abstract": ""},
        {"recommending_unit": ""},
        {"requested_fen": 0},
        {"budget": []},
        {"start_date": None},
        {"end_date": None},
        {"principal_investigator": None},
    ],
)
def test_a_submission_that_lacks_something_is_refused(lacking: dict[str, Any]) -> None:
    there = world().put(application(**lacking))
    with refused(Invalid, "REQUIRED") as refusal:
        there.do(NAME, "submit")
    assert refusal.value.field in lacking


def test_all_that_a_submission_lacks_is_told_at_once() -> None:
    there = world().put(application(abstract="", start_date=None, budget=[]))
    with refused(Invalid, "RULES_VIOLATED") as refusal:
        there.do(NAME, "submit")
    assert {p.field for p in refusal.value.problems} == {"abstract", "start_date", "budget"}


def test_the_budget_sums_to_what_is_asked_for() -> None:
    lines = [pb.BudgetLine(category="设备费", amount_fen=FEN - 1)]
    with refused(Invalid, "SUM_DIFFERS"):
        world().put(application(budget=lines)).do(NAME, "submit")


@pytest.mark.parametrize(("most", "fits"), [(FEN, True), (FEN - 1, False), (0, True)])
def test_a_call_gives_no_more_than_its_most(most: int, fits: bool) -> None:
    there = world().put(call(max_award_fen=most))
    if fits:
        assert there.do(NAME, "submit").state == A.STATE_SUBMITTED
        return
    with refused(Refused, "OVER_THE_MOST"):
        there.do(NAME, "submit")


@pytest.mark.parametrize(("members", "fits"), [(0, False), (1, True), (2, True), (3, False)])
def test_the_consortium_has_the_size_that_the_call_wants(members: int, fits: bool) -> None:
    codes = (OTHER_UNIT, THIRD_UNIT, "91110108551385082Q")
    there = world().put(
        call(consortium_min=2, consortium_max=3),
        application(consortium=[unit(code) for code in codes[:members]]),
    )
    if fits:
        assert there.do(NAME, "submit").state == A.STATE_SUBMITTED
        return
    with refused(Refused, "CONSORTIUM_SIZE"):
        there.do(NAME, "submit")


def test_a_topic_is_one_of_the_calls() -> None:
    there = world().put(call(topics=["电池"]), application(topic="芯片"))
    with refused(Invalid, "TOPIC_UNKNOWN"):
        there.do(NAME, "submit")


@pytest.mark.parametrize("field", ["platforms", "breakthroughs"])
def test_a_reference_to_nothing_is_refused_with_its_place(field: str) -> None:
    names = {"platforms": [PLATFORM, "platforms/none"], "breakthroughs": [BREAKTHROUGH, "x/none"]}
    more: dict[str, Any] = {field: names[field]}
    with pytest.raises(NotFound) as refusal:
        world().put(application(**more)).do(NAME, "submit")
    assert refusal.value.field == f"{field}[1]"


def test_references_that_exist_are_submitted() -> None:
    both: dict[str, Any] = {"platforms": [PLATFORM], "breakthroughs": [BREAKTHROUGH]}
    assert world().put(application(**both)).do(NAME, "submit").state == A.STATE_SUBMITTED


@pytest.mark.parametrize(
    ("state", "continues"), [(A.STATE_CLOSED, True), (A.STATE_SUBMITTED, False)]
)
def test_only_an_earlier_award_can_be_continued(state: Any, continues: bool) -> None:
    there = world().put(application(2, state=state), application(predecessor="applications/a2"))
    if continues:
        assert there.do(NAME, "submit").state == A.STATE_SUBMITTED
        return
    with refused(Refused, "PREDECESSOR_NOT_AWARDED"):
        there.do(NAME, "submit")


def test_an_application_is_not_its_own_predecessor() -> None:
    with refused(Refused, "PREDECESSOR_NOT_AWARDED"):
        world().put(application(predecessor=NAME)).do(NAME, "submit")


def test_what_is_sent_back_may_be_resubmitted_after_the_window() -> None:
    there = world(today=TODAY + ONE_DAY * 30)
    there.walk(NAME, "recommend")
    asked = there.do(NAME, "request_completion")
    last = to_date(asked.completion.complete_by)
    assert last == datetime.date(2026, 4, 22)  # five working days after Wednesday the 15th
    there.today = last
    again = there.do(NAME, "submit")
    assert not again.HasField("completion")
    assert not again.HasField("recommendation")


@pytest.mark.parametrize("outcome", ["AGREED", "OBJECTED"])
def test_what_departments_said_of_an_earlier_submission_says_nothing_of_the_next(
    outcome: str,
) -> None:
    there = world()
    there.walk(NAME, "open_joint_review")
    said = pb.JointReviewOutcome.Value(f"JOINT_REVIEW_OUTCOME_{outcome}")
    there.do(NAME, "conclude_joint_review", outcome=said)
    there.do(NAME, "request_completion")
    again = there.do(NAME, "submit")
    assert again.joint_review == pb.JointReview(round=1)


def test_a_resubmission_comes_too_late_the_day_after() -> None:
    there = world(today=TODAY + ONE_DAY * 30)
    there.walk(NAME, "submit")
    there.do(NAME, "request_completion", complete_by=day(40))
    with refused(Refused, "COMPLETION_RUNNING"):
        there.do(NAME, "refuse")
    there.today = TODAY + ONE_DAY * 41
    with refused(Refused, "CALL_NOT_OPEN"):
        there.do(NAME, "submit")
    assert there.do(NAME, "refuse").state == A.STATE_REFUSED


def test_nobody_is_asked_to_complete_it_by_yesterday() -> None:
    there = world()
    there.walk(NAME, "submit")
    with refused(Invalid, "DATE_TOO_EARLY"):
        there.do(NAME, "request_completion", complete_by=day(-1))


def test_a_pack_without_the_rule_gives_until_the_day_is_over() -> None:
    there = world(pack=small_pack(rules=()))
    there.walk(NAME, "submit")
    assert there.do(NAME, "request_completion").completion.complete_by == day(0)


def test_what_is_sent_back_within_the_window_is_not_refused() -> None:
    there = world()
    there.walk(NAME, "submit")
    there.do(NAME, "request_completion", complete_by=day(0))
    there.today += ONE_DAY
    with refused(Refused, "COMPLETION_RUNNING"):
        there.do(NAME, "refuse")


def test_a_predecessor_that_is_not_here_is_refused_with_its_place() -> None:
    with pytest.raises(NotFound) as refusal:
        world().put(application(predecessor="applications/none")).do(NAME, "submit")
    assert refusal.value.field == "predecessor"


@pytest.mark.parametrize(
    ("last", "action", "state"),
    [
        ("submit", "withdraw", A.STATE_WITHDRAWN),
        ("record_expert_review", "reject", A.STATE_REJECTED),
        ("recommend", "refuse", A.STATE_REFUSED),
    ],
)
def test_an_end_says_why_when_and_by_whom(last: str, action: str, state: Any) -> None:
    there = world()
    there.walk(NAME, last)
    ended = there.do(NAME, action)
    assert ended.state == state
    assert (ended.ending.reason, ended.ending.date) == ("依据会议纪要", day(0))
    assert ended.ending.decided_by


def test_only_the_recommending_unit_recommends() -> None:
    there = world()
    there.walk(NAME, "submit")
    other = Caller("accounts/x", "410300", frozenset({Role.RECOMMENDER}))
    with refused(Denied, "NOT_THE_DEPARTMENT"):
        there.do(NAME, "recommend", other)
    assert there.do(NAME, "recommend", opinion="同意").recommendation.unit == "410100"


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("check_form", {"result": pb.CHECK_RESULT_FAILED, "findings": "缺章"}),
        ("check_duplicates", {"result": pb.DUPLICATE_RESULT_DUPLICATE}),
        ("record_expert_review", {"recommended": False}),
    ],
)
def test_a_check_that_fails_ends_the_application(action: str, said: dict[str, Any]) -> None:
    there = world()
    there.walk(NAME, path_of(action))
    ended = there.do(NAME, action, **said)
    assert ended.state == A.STATE_REJECTED
    assert ended.ending.reason


def test_a_formal_check_that_fails_says_why() -> None:
    there = world()
    there.walk(NAME, "accept")
    with refused(Invalid, "REQUIRED"):
        there.do(NAME, "check_form", result=pb.CHECK_RESULT_FAILED)


@pytest.mark.parametrize("state", [H.STATE_OPEN, H.STATE_STANDING])
def test_a_finding_is_not_passed_over_in_silence(state: Any) -> None:
    there = world()
    there.walk(NAME, "check_form")
    finding = "findings/f1"
    there.put(pb.Hold(name="holds/f1", application=NAME, finding=finding, state=state))
    clear = {"result": pb.DUPLICATE_RESULT_CLEAR}
    with refused(Refused, "FINDING_PASSED_OVER") as passed_over:
        there.do(NAME, "check_duplicates", **clear, findings="无")
    assert finding in passed_over.value.en
    assert finding in passed_over.value.zh
    checked_ = there.do(NAME, "check_duplicates", **clear, findings=f"{finding}：对象不同。")
    assert checked_.state == A.STATE_DUPLICATES_CHECKED


@pytest.mark.parametrize(
    ("state", "application"), [(H.STATE_RELEASED, NAME), (H.STATE_OPEN, "applications/other")]
)
def test_a_hold_that_is_released_or_anothers_asks_nothing(state: Any, application: str) -> None:
    there = world()
    there.walk(NAME, "check_form")
    there.put(pb.Hold(name="holds/f1", application=application, finding="findings/f1", state=state))
    assert there.do(NAME, "check_duplicates").state == A.STATE_DUPLICATES_CHECKED


def test_a_continuation_must_have_been_declared() -> None:
    there = world()
    there.walk(NAME, "check_form")
    with refused(Refused, "CONTINUATION_UNDECLARED"):
        there.do(NAME, "check_duplicates", result=pb.DUPLICATE_RESULT_CONTINUATION)

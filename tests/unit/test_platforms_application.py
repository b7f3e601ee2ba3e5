"""From the draft to the public notice: who is asked for what, and until which day."""

import datetime
from typing import Any

import pytest

from kernel.dates import ONE_DAY, from_date, to_date
from kernel.errors import NotFound
from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.coordination.consumer import on_platforms
from services.platforms.consumer import on_coordination
from tests.unit.fake_case import TODAY
from tests.unit.platforms_story import (
    AFTERWARDS,
    AGREES,
    REVIEWED,
    TO_NOTICE,
    TO_REVIEW,
    S,
    act,
    case,
    day,
    lived,
    opinions,
    platform,
    refusal,
)


@pytest.mark.parametrize(
    "field", ["division", "direction", "abstract", "supporting_unit_name", "recommending_unit"]
)
def test_a_submission_says_all_that_is_asked_for(field: str) -> None:
    assert refusal(lambda: act(platform(**{field: " "}), "submit")).field == field


def test_all_that_a_submission_lacks_is_told_at_once() -> None:
    lacking = platform(division=" ", abstract="", recommending_unit="")
    problems = refusal(lambda: act(lacking, "submit")).problems
    assert {p.field for p in problems} == {"division", "abstract", "recommending_unit"}
    assert {p.code for p in problems} == {"REQUIRED"}


@pytest.mark.parametrize(("score", "right"), [(0, True), (1, False), (100, False), (101, True)])
def test_a_score_in_whole_points_is_refused(score: int, right: bool) -> None:
    before = lived(*TO_REVIEW[:-1])
    if right:
        after = act(before, "record_expert_review", score_hundredths=score)
        assert after.expert_reviews[0].score_hundredths == score
        return
    assert refusal(lambda: act(before, "record_expert_review", score_hundredths=score)).code == (
        "SCORE_IN_POINTS"
    )


def test_the_recommending_unit_sees_what_is_submitted() -> None:
    assert lived("submit").concerned_departments == ["410100"]


def test_a_kind_without_recommendation_is_accepted_at_once_and_not_recommended() -> None:
    submitted = lived("submit", kind="base", recommending_unit="")
    assert act(submitted, "accept").state == S.STATE_ACCEPTED
    assert refusal(lambda: act(submitted, "recommend")).code == "STEP_SKIPPED"


@pytest.mark.parametrize("action", ["accept", "refuse", "request_completion"])
def test_nothing_is_received_before_its_recommendation(action: str) -> None:
    error = refusal(lambda: act(lived("submit"), action))
    assert error.code == "STEP_MISSING"
    assert "推荐" in error.zh


@pytest.mark.parametrize(("fen", "meets"), [(799_999_999, False), (800_000_000, True)])
def test_a_requirement_holds_to_the_last_fen(fen: int, meets: bool) -> None:
    record = platform(kind="equipped", equipment_fen=fen)
    if meets:
        assert act(record, "submit").state == S.STATE_SUBMITTED
    else:
        assert refusal(lambda: act(record, "submit")).field == "equipment_fen"


def test_a_completion_is_due_after_today() -> None:
    recommended = lived("submit", "recommend")
    error = refusal(lambda: act(recommended, "request_completion", due_date=day(0)))
    assert error.field == "due_date"


def test_a_completion_is_in_time_on_its_last_day_and_late_on_the_next() -> None:
    asked = lived("submit", "recommend", "request_completion")
    last = TODAY + ONE_DAY * 5
    completed = act(asked, "complete", case(today=last), explanation="已补")
    assert completed.state == S.STATE_RECOMMENDED
    assert to_date(completed.completion_requests[0].completion_date) == last
    error = refusal(lambda: act(asked, "complete", case(today=last + ONE_DAY)))
    assert error.code == "DUE_DATE_PASSED"


def test_a_completion_told_later_as_of_an_earlier_day_is_still_late() -> None:
    asked = lived("submit", "recommend", "request_completion")
    late = case(today=TODAY + ONE_DAY * 6, given_day=TODAY)
    assert refusal(lambda: act(asked, "complete", late)).code == "DUE_DATE_PASSED"


def test_a_completed_application_that_needs_no_recommendation_is_submitted_again() -> None:
    asked = lived("submit", "request_completion", kind="base")
    assert act(asked, "complete").state == S.STATE_SUBMITTED


def test_a_review_that_is_not_passed_ends_the_application() -> None:
    checked_ = lived("submit", "recommend", "accept", "pass_formal_check")
    ended = act(checked_, "record_expert_review", passed=False, opinion="不同意")
    assert (ended.state, ended.end.reason) == (S.STATE_REJECTED, "不同意")


def test_a_review_is_not_held_tomorrow() -> None:
    accepted = lived("submit", "recommend", "accept", "pass_formal_check")
    error = refusal(lambda: act(accepted, "record_expert_review", review_date=day(1)))
    assert error.code == "DATE_IN_FUTURE"


def test_a_joint_review_asks_the_departments_of_the_pack_by_its_clock() -> None:
    asked = lived(*TO_REVIEW, "record_site_visit", "open_joint_review")
    assert asked.joint_review.departments == ["DRC", "FIN"]
    assert asked.concerned_departments == ["410100", "DRC", "FIN"]
    assert to_date(asked.joint_review.due_date) == TODAY + ONE_DAY * 4  # tomorrow is a holiday


def test_a_kind_without_joint_departments_has_no_joint_review() -> None:
    reviewed = lived("submit", "accept", "record_expert_review", kind="base")
    assert refusal(lambda: act(reviewed, "open_joint_review")).code == "STEP_SKIPPED"


@pytest.mark.parametrize(
    "answers",
    [
        opinions(("DRC", AGREES)),
        opinions(("DRC", AGREES), ("DRC", AGREES)),
        opinions(("DRC", AGREES), ("FIN", AGREES), ("DIIT", AGREES)),
    ],
)
def test_a_joint_review_is_concluded_by_every_department_once(answers: Any) -> None:
    asked = lived(*TO_REVIEW, "open_joint_review")
    error = refusal(lambda: act(asked, "conclude_joint_review", opinions=answers))
    assert error.code == "OPINIONS_INCOMPLETE"


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (AGREES, S.STATE_JOINTLY_REVIEWED),
        (pb.DepartmentOpinion.VERDICT_DEEMED, S.STATE_JOINTLY_REVIEWED),
        (pb.DepartmentOpinion.VERDICT_DISAGREES, S.STATE_REJECTED),
    ],
)
def test_one_department_that_disagrees_ends_the_application(verdict: int, state: int) -> None:
    asked = lived(*TO_REVIEW, "open_joint_review")
    answers = opinions(("FIN", verdict), ("DRC", AGREES))
    assert act(asked, "conclude_joint_review", opinions=answers).state == state


def test_a_silent_department_is_asked_again_in_another_round() -> None:
    asked = lived(*TO_REVIEW, "open_joint_review")
    answers = opinions(("FIN", pb.DepartmentOpinion.VERDICT_SILENT), ("DRC", AGREES))
    back = act(asked, "conclude_joint_review", opinions=answers)
    assert back.state == S.STATE_EXPERT_REVIEWED
    assert refusal(lambda: act(back, "publish_notice")).code == "STEP_MISSING"
    assert act(back, "open_joint_review").joint_review.round == 2


def test_the_days_of_a_review_are_the_packs() -> None:
    asked = lived(*TO_REVIEW)
    error = refusal(lambda: act(asked, "open_joint_review", due_date=day(3)))
    assert error.code == "NOT_SAID_HERE"


def test_coordination_asks_a_platforms_departments_and_tells_what_they_said() -> None:
    asked = lived(*TO_REVIEW, "open_joint_review")
    change = Change(action="open_joint_review", to_state="STATE_IN_JOINT_REVIEW")
    event = pb.PlatformsEvent(change=change, platform=asked)
    entry = JournalEntry(source="platforms", position=9, event=event.SerializeToString())
    [opened] = on_platforms(entry).commands
    review = coordination.Review()
    review.CopyFrom(opened.given)
    assert (opened.action, review.subject) == ("create", asked.name)
    assert [o.department for o in review.opinions] == ["DRC", "FIN"]
    review.opinions[0].verdict = coordination.VERDICT_RECUSE
    review.opinions[1].verdict = coordination.VERDICT_OBJECT
    ended = coordination.CoordinationEvent(
        change=Change(from_state="STATE_OPEN", to_state="STATE_CONCLUDED"), review=review
    )
    entry = JournalEntry(source="coordination", position=4, event=ended.SerializeToString())
    [concluded] = on_coordination(entry).commands
    said = {o.department: o.verdict for o in concluded.request.opinions}
    assert said == {
        "DRC": pb.DepartmentOpinion.VERDICT_RECUSED,
        "FIN": pb.DepartmentOpinion.VERDICT_DISAGREES,
    }


def test_a_platform_that_leaves_its_review_cancels_it() -> None:
    asked = lived(*TO_REVIEW, "open_joint_review")
    change = Change(
        action="withdraw", from_state="STATE_IN_JOINT_REVIEW", to_state="STATE_WITHDRAWN"
    )
    event = pb.PlatformsEvent(change=change, platform=asked)
    entry = JournalEntry(source="platforms", position=9, event=event.SerializeToString())
    assert [command.action for command in on_platforms(entry).commands] == ["cancel"]


def test_a_notice_skips_the_joint_review_only_where_the_kind_does() -> None:
    error = refusal(lambda: act(lived(*TO_REVIEW), "publish_notice"))
    assert (error.code, "会签" in error.zh) == ("STEP_MISSING", True)
    reviewed = lived("submit", "accept", "record_expert_review", kind="base")
    assert act(reviewed, "publish_notice").state == S.STATE_IN_PUBLIC_NOTICE


def test_a_notice_runs_for_the_working_days_of_the_pack() -> None:
    published = lived(*TO_NOTICE).public_notice
    assert to_date(published.end_date) == datetime.date(2026, 3, 24)  # a holiday and a weekend
    assert (published.days, published.working_days, published.provisional) == (5, True, False)


def test_a_notice_runs_for_the_calendar_days_of_the_pack() -> None:
    published = lived("submit", "accept", *REVIEWED, kind="base").public_notice
    assert to_date(published.end_date) == datetime.date(2026, 3, 23)
    assert (published.days, published.working_days, published.provisional) == (7, False, False)


def test_a_notice_past_the_announced_calendars_is_provisional() -> None:
    at = case(today=datetime.date(2026, 12, 28))
    reviewed = lived(*TO_NOTICE[:-1])
    start = from_date(at.today)
    notice = act(reviewed, "publish_notice", at, start_date=start).public_notice
    assert (to_date(notice.end_date), notice.provisional) == (datetime.date(2027, 1, 4), True)


def test_a_notice_does_not_start_in_the_past() -> None:
    reviewed = lived(*TO_NOTICE[:-1])
    error = refusal(lambda: act(reviewed, "publish_notice", start_date=day(-1)))
    assert error.field == "start_date"


@pytest.mark.parametrize(("late", "counts"), [(8, True), (9, False)])
def test_an_objection_counts_to_the_last_day_of_the_notice(late: int, counts: bool) -> None:
    at = case(today=TODAY + ONE_DAY * 20)
    published = lived(*TO_NOTICE)
    if counts:
        objected = act(published, "record_objection", at, receipt_date=day(late))
        assert objected.public_notice.objections[0].number == 1
    else:
        error = refusal(lambda: act(published, "record_objection", at, receipt_date=day(late)))
        assert error.code == "OUTSIDE_NOTICE"


@pytest.mark.parametrize(("offset", "over"), [(8, False), (9, True)])
def test_nothing_is_recognized_before_the_notice_is_over(offset: int, over: bool) -> None:
    at = case(today=TODAY + ONE_DAY * offset)
    published = lived(*TO_NOTICE)
    if over:
        assert act(published, "recognize", at).state == S.STATE_RECOGNIZED
    else:
        assert refusal(lambda: act(published, "recognize", at)).code == "NOTICE_RUNNING"


def test_a_recognition_is_not_dated_back_into_the_notice() -> None:
    at = case(today=AFTERWARDS, given_day=TODAY + ONE_DAY * 8)
    assert refusal(lambda: act(lived(*TO_NOTICE), "recognize", at)).code == "NOTICE_RUNNING"


def test_an_open_or_upheld_objection_bars_the_recognition_and_a_dismissed_one_does_not() -> None:
    at = case(today=AFTERWARDS)
    objected = lived(*TO_NOTICE, "record_objection")
    assert "is open" in refusal(lambda: act(objected, "recognize", at)).en
    upheld = act(objected, "resolve_objection", upheld=True)
    assert "is upheld" in refusal(lambda: act(upheld, "recognize", at)).en
    assert act(upheld, "reject", at).state == S.STATE_REJECTED
    dismissed = act(objected, "resolve_objection")
    assert act(dismissed, "recognize", at).state == S.STATE_RECOGNIZED


def test_an_objection_is_decided_once_and_must_exist() -> None:
    objected = lived(*TO_NOTICE, "record_objection")
    decided = act(objected, "resolve_objection")
    assert refusal(lambda: act(decided, "resolve_objection")).code == "OBJECTION_RESOLVED"
    with pytest.raises(NotFound, match="no objection 2; the notice has 1"):
        act(objected, "resolve_objection", objection_number=2)

"""The work, its levels and milestones, and the two facts that come of it."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.case import Reference, Role
from kernel.dates import from_date
from kernel.errors import AlreadyExists, Denied, Invalid, NotFound, Refused
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies import rules
from tests.unit.technologies_story import (
    BOILER,
    OTHER,
    TODAY,
    UNITS,
    Stage,
    State,
    Target,
    Verdict,
    a_case,
    act,
    assessed,
    day,
    in_acceptance,
    in_progress,
    listed,
    midway,
    published,
    refused,
    undertaken,
)

# The work.


def test_a_start_assesses_the_baseline_with_evidence() -> None:
    record = in_progress(baseline_level=4, actual_start_date=day(2026, 3, 1))
    first = record.assessments[0]
    assert (record.baseline_level, record.assessed_level) == (4, 4)
    assert (first.stage, first.evidence) == (Stage.STAGE_START, "豫评〔2026〕3号")
    assert first.assess_date == record.actual_start_date == day(2026, 3, 1)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"baseline_level": 6}, "TARGET_NOT_ABOVE_BASELINE"),
        ({"baseline_level": 10}, "LEVEL_UNKNOWN"),
        ({"evidence": " "}, "REQUIRED"),
        ({"actual_start_date": day(2026, 3, 11)}, "IN_THE_FUTURE"),
    ],
)
def test_a_start_is_refused_without_room_evidence_or_a_past_day(
    fields: dict[str, Any], code: str
) -> None:
    told = {"baseline_level": 3, "evidence": "报告", **fields}
    refused(Invalid, code, undertaken(), "start", a_case(), **told)


def plan(*due: datetime.date) -> list[pb.MilestonePlan]:
    return [pb.MilestonePlan(title=f"第{n}步", due_date=from_date(d)) for n, d in enumerate(due, 1)]


def with_milestones(*due: datetime.date) -> pb.Breakthrough:
    case = a_case(Role.APPLICANT, department=BOILER)
    record = act(undertaken(), "plan_milestones", case, milestones=plan(*due))
    return act(record, "start", a_case(), baseline_level=3, evidence="报告")


def test_milestones_are_planned_anew_until_the_start_and_only_added_after() -> None:
    one, two = datetime.date(2026, 6, 30), datetime.date(2026, 12, 31)
    record = act(undertaken(), "plan_milestones", a_case(), milestones=plan(one, two))
    record = act(record, "plan_milestones", a_case(), milestones=plan(two))
    record = act(record, "start", a_case(), baseline_level=3, evidence="报告")
    record = act(record, "add_milestone", a_case(), milestone=plan(one)[0])
    assert [m.id for m in record.milestones] == ["m1", "m2"]


@pytest.mark.parametrize(
    ("due", "code"),
    [
        ([(2026, 12, 31), (2026, 6, 30)], "DATES_REVERSED"),
        ([(2025, 12, 31)], "DATES_REVERSED"),
        ([(2028, 1, 1)], "AFTER_THE_END"),
    ],
)
def test_milestones_lie_in_order_within_the_planned_time(due: Any, code: str) -> None:
    told = plan(*(datetime.date(*parts) for parts in due))
    refused(Invalid, code, undertaken(), "plan_milestones", a_case(), milestones=told)


@pytest.mark.parametrize("department", [OTHER, "DIIT", ""])
@pytest.mark.parametrize("action", ["add_milestone", "submit_for_acceptance", "link_platform"])
def test_only_the_undertaking_unit_and_the_lead_department_report(
    action: str, department: str
) -> None:
    case = a_case(Role.APPLICANT, department=department)
    refused(Denied, "NOT_THE_UNDERTAKER", in_progress(), action, case)


def test_an_unnamed_unit_lets_no_unnamed_department_in() -> None:
    record = act(listed(), "commission", a_case(Role.APPROVER), units=UNITS[2:], reason="唯一")
    case = a_case(Role.APPLICANT, department="")
    refused(Denied, "NOT_THE_UNDERTAKER", record, "plan_milestones", case)


def test_a_milestone_that_was_reached_is_not_decided_again() -> None:
    told = {"milestone": "m1", "verdict": Verdict.VERDICT_GO, "evidence": "测试报告"}
    record = act(with_milestones(datetime.date(2026, 6, 30)), "reach_milestone", a_case(), **told)
    assert record.milestones[0].done_date == from_date(TODAY)
    assert record.state == State.STATE_IN_PROGRESS
    refused(Refused, "MILESTONE_DECIDED", record, "reach_milestone", a_case(), **told)


def test_a_missed_milestone_is_mended_or_ends_the_work() -> None:
    record = with_milestones(datetime.date(2026, 6, 30))
    told = {"milestone": "m1", "verdict": Verdict.VERDICT_NO_GO, "evidence": "测试报告"}
    refused(Invalid, "REQUIRED", record, "reach_milestone", a_case(), **told)
    told["reason"] = "样机未通过"
    stays = act(record, "reach_milestone", a_case(), **told)
    assert stays.state == State.STATE_IN_PROGRESS
    mended = {**told, "verdict": Verdict.VERDICT_GO}
    assert (
        act(stays, "reach_milestone", a_case(), **mended).milestones[0].verdict
        == Verdict.VERDICT_GO
    )
    ended = act(record, "reach_milestone", a_case(Role.APPROVER), **told, terminate=True)
    assert (ended.state, ended.end_reason) == (State.STATE_TERMINATED, "样机未通过")


@pytest.mark.parametrize(("role", "actor"), [(Role.CASE_OFFICER, "zhao"), (Role.APPROVER, "wang")])
def test_a_missed_milestone_ends_the_work_only_by_another_approver(role: Role, actor: str) -> None:
    told = {
        "milestone": "m1",
        "verdict": Verdict.VERDICT_NO_GO,
        "evidence": "报告",
        "reason": "未过",
    }
    record, case = with_milestones(datetime.date(2026, 6, 30)), a_case(role, actor=actor)
    refused(Denied, "APPROVER_NEEDED", record, "reach_milestone", case, **told, terminate=True)


def test_a_milestone_that_was_reached_cannot_end_the_work() -> None:
    told = {"milestone": "m1", "verdict": Verdict.VERDICT_GO, "evidence": "报告", "terminate": True}
    record, case = with_milestones(datetime.date(2026, 6, 30)), a_case(Role.APPROVER)
    refused(Invalid, "END_WITHOUT_NO_GO", record, "reach_milestone", case, **told)


def test_the_assessed_level_is_that_of_the_latest_day_not_of_the_latest_entry() -> None:
    record, told = in_progress(actual_start_date=day(2026, 1, 5)), {"evidence": "中期报告"}
    stage = Stage.STAGE_MIDDLE
    record = act(
        record, "assess", a_case(), level=5, stage=stage, assess_date=day(2026, 3, 1), **told
    )
    record = act(
        record, "assess", a_case(), level=4, stage=stage, assess_date=day(2026, 2, 1), **told
    )
    assert (record.assessed_level, len(record.assessments)) == (5, 3)
    record = act(
        record, "assess", a_case(), level=4, stage=stage, assess_date=day(2026, 3, 1), **told
    )
    assert record.assessed_level == 4


@pytest.mark.parametrize("stage", [Stage.STAGE_START, Stage.STAGE_ACCEPTANCE])
def test_only_midway_is_assessed_while_in_progress(stage: int) -> None:
    told = {"level": 4, "stage": stage, "evidence": "报告"}
    refused(Invalid, "STAGE_DOES_NOT_FIT", in_progress(), "assess", a_case(), **told)


def test_a_level_is_not_assessed_before_the_work_began() -> None:
    told = {"level": 4, "stage": Stage.STAGE_MIDDLE, "evidence": "报告"}
    before = day(2026, 3, 9)
    refused(
        Invalid, "DATES_REVERSED", in_progress(), "assess", a_case(), assess_date=before, **told
    )


def test_a_target_is_lowered_only_with_a_document_and_stays_on_record() -> None:
    case, told = a_case(Role.APPROVER), {"target_level": 5, "reason": "经费压减"}
    refused(Invalid, "DOCUMENT_REQUIRED", in_progress(), "change_plan", case, **told)
    record = act(in_progress(), "change_plan", case, **told, document_number="豫科〔2026〕30号")
    change = record.plan_changes[0]
    assert record.target_level == 5
    assert (change.target_level_before, change.target_level_after) == (6, 5)
    assert change.reason == "经费压减"


@pytest.mark.parametrize(
    ("level", "code"), [(3, "TARGET_NOT_ABOVE_BASELINE"), (10, "LEVEL_UNKNOWN")]
)
def test_a_changed_target_stays_on_the_scale_above_the_baseline(level: int, code: str) -> None:
    told = {"target_level": level, "reason": "调整", "document_number": "1"}
    refused(Invalid, code, in_progress(), "change_plan", a_case(Role.APPROVER), **told)


def test_a_delay_keeps_the_end_that_was_planned_before() -> None:
    case, end = a_case(Role.APPROVER), day(2028, 6, 30)
    record = act(in_progress(), "change_plan", case, planned_end_date=end, reason="疫情")
    assert record.planned_end_date == end
    assert record.plan_changes[0].end_date_before == day(2027, 12, 31)
    assert record.target_level == 6


def test_a_change_of_plan_that_changes_nothing_is_refused() -> None:
    case = a_case(Role.APPROVER)
    refused(Invalid, "NOTHING_CHANGES", in_progress(), "change_plan", case, reason="无")


def test_acceptance_waits_for_the_verdict_on_every_milestone() -> None:
    record = with_milestones(datetime.date(2026, 6, 30))
    error = refused(
        Refused, "MILESTONES_UNDECIDED", record, "submit_for_acceptance", a_case(), report="报告"
    )
    assert "m1" in error.en


# Completed, and target reached: two facts.


@given(st.integers(1, 9))
def test_work_is_completed_at_any_level_and_reached_from_its_target_on(level: int) -> None:
    told = {"document_number": "豫科验〔2026〕1号", "benefits": "降低能耗"}
    record = act(assessed(level), "accept", a_case(Role.APPROVER), **told)
    assert record.completed
    assert record.completion_date == from_date(TODAY)
    reached = level >= 6
    assert record.state == (State.STATE_BROKEN_THROUGH if reached else State.STATE_NOT_REACHED)
    assert record.target_reached == (
        Target.TARGET_REACHED if reached else Target.TARGET_NOT_REACHED
    )
    assert record.HasField("target_reached_date") == reached


def test_a_plan_counts_by_the_day_of_the_assessment_not_of_the_document() -> None:
    began = act(undertaken(), "start", a_case(), baseline_level=3, evidence="报告",
                actual_start_date=day(2026, 1, 5))  # fmt: skip
    record = act(
        in_acceptance(midway(began)), "assess", a_case(), level=6, stage=Stage.STAGE_ACCEPTANCE,
        evidence="报告", assess_date=day(2026, 3, 1),
    )  # fmt: skip
    record = act(record, "accept", a_case(Role.APPROVER), document_number="1")
    assert record.target_reached_date == day(2026, 3, 1)
    assert record.completion_date == from_date(TODAY)


def test_acceptance_is_not_asked_for_before_a_level_was_assessed_midway() -> None:
    case = a_case(Role.APPLICANT, department=BOILER)
    told = {"report": "报告"}
    refused(Refused, "NOT_ASSESSED_MIDWAY", in_progress(), "submit_for_acceptance", case, **told)
    assert in_acceptance(midway(in_progress())).state == State.STATE_IN_ACCEPTANCE


def test_work_is_not_accepted_on_a_level_assessed_midway() -> None:
    told = {"level": 9, "stage": Stage.STAGE_MIDDLE, "evidence": "报告"}
    record = in_acceptance(act(in_progress(), "assess", a_case(), **told))
    case = a_case(Role.APPROVER)
    refused(Refused, "NOT_ASSESSED", record, "accept", case, document_number="1")


def test_terminated_work_is_neither_completed_nor_known_to_miss_its_target() -> None:
    record = act(assessed(2), "terminate", a_case(Role.APPROVER), reason="承担单位破产")
    assert not record.completed
    assert record.target_reached == Target.TARGET_UNSPECIFIED
    assert (record.state, record.end_reason) == (State.STATE_TERMINATED, "承担单位破产")


# Platforms, and the size of a record.


def test_a_platform_is_linked_once_when_it_exists() -> None:
    case = a_case(
        references={
            "platforms/songshan": Reference("platforms/songshan", "STATE_OPERATING", "嵩山实验室")
        }
    )
    record = act(in_progress(), "link_platform", case, platform="platforms/songshan")
    assert list(record.platforms) == ["platforms/songshan"]
    told = {"platform": "platforms/songshan"}
    refused(AlreadyExists, "ALREADY_EXISTS", record, "link_platform", case, **told)
    with pytest.raises(NotFound):
        act(record, "link_platform", case, platform="platforms/nowhere")
    record = act(record, "unlink_platform", case, **told)
    assert not record.platforms
    refused(Refused, "NOT_LINKED", record, "unlink_platform", case, **told)


def test_a_full_record_takes_no_more_bids_but_can_still_end() -> None:
    record = published()
    while record.ByteSize() <= rules.ROOM:
        record.bids.add(id=f"b{len(record.bids) + 1}", round=1, plan="长" * 500, bidder="x")
    case = a_case(Role.APPLICANT, department=BOILER)
    refused(Refused, "RECORD_FULL", record, "submit_bid", case, units=UNITS, plan="满")
    assert act(record, "terminate", a_case(Role.APPROVER), reason="止").ByteSize() < 60 * 1024

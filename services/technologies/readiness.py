"""Readiness levels, what they were assessed from, and what follows for the target.

The scale is data of the pack (ISO 16290 has 9 levels); GB/T 22900-2022 assesses at the start,
midway and at acceptance. *Completed* and *target reached* are two facts: work can be completed
below its target, or without any level on file.
"""

import datetime
from collections.abc import Iterable

from kernel.case import Case
from kernel.dates import from_date, to_date
from kernel.errors import Invalid, Refused
from kernel.pack import Ladder
from luoshu.technologies.v1 import technologies_pb2 as pb

State = pb.Breakthrough.State
Target = pb.Breakthrough.Target
Assessment = pb.ReadinessAssessment
Stage = pb.ReadinessAssessment.Stage

DEFAULT_SCALE = "iso16290"
MIDDLE = "middle"
"""As a scale of the pack says when it is assessed."""
COMPLETED = frozenset({State.STATE_BROKEN_THROUGH, State.STATE_NOT_REACHED, State.STATE_COMPLETED})


def scale(record: pb.Breakthrough, case: Case) -> Ladder:
    """Return the record's scale. Raises Invalid: the pack has none of that name."""
    return case.pack.ladder(record.readiness_scale or DEFAULT_SCALE, field="readiness_scale")


def on_scale(record: pb.Breakthrough, case: Case) -> None:
    """Raise Invalid for a level that the scale does not have; 0 is a level that is not known."""
    ladder = scale(record, case)
    for field in ("baseline_level", "target_level", "assessed_level"):
        if level := getattr(record, field):
            ladder.rung(level, field)
    for index, assessment in enumerate(record.assessments):
        ladder.rung(assessment.level, f"assessments[{index}].level")


def above_baseline(baseline: int, target: int, field: str) -> None:
    """Raise Invalid unless the target lies above the baseline, where both are known."""
    if baseline and target and target <= baseline:
        raise Invalid(
            f"the target level {target} is not above the baseline {baseline}; "
            "set a higher target or another baseline",
            f"目标就绪度 {target} 级不高于基线 {baseline} 级；请提高目标或更正基线",
            field=field,
            reason="TARGET_NOT_ABOVE_BASELINE",
        )


def enter(record: pb.Breakthrough, assessment: Assessment) -> None:
    """Add an assessment; "
    "the record's level is that of the newest one, however late an older one is entered."""
    record.assessments.append(assessment)
    record.assessed_level = newest(record.assessments).level


def newest(assessments: Iterable[Assessment]) -> Assessment:
    """Return the assessment of the latest day, of one day the one entered last. Raises ValueError "
    "when there is none."""
    return max(enumerate(assessments), key=lambda each: (_day(each[1]), each[0]))[1]


def demand_middle(record: pb.Breakthrough, case: Case) -> None:
    """Raise Refused before an assessment midway, where the scale is assessed there; an imported work may have none on file."""
    made = any(each.stage == Stage.STAGE_MIDDLE for each in record.assessments)
    if made or record.origin.foreign_id or MIDDLE not in scale(record, case).assessed_at:
        return
    raise Refused(
        "no level was assessed midway; assess it first, stage STAGE_MIDDLE",
        "尚无中期就绪度评定；请先执行 assess（阶段 STAGE_MIDDLE）",
        reason="NOT_ASSESSED_MIDWAY",
    )


def at_acceptance(record: pb.Breakthrough) -> Assessment:
    """Return the assessment that counts against the target. Raises Refused while there is none."""
    made = [each for each in record.assessments if each.stage == Stage.STAGE_ACCEPTANCE]
    if made:
        return newest(made)
    raise Refused(
        "cannot accept without a level assessed at acceptance; "
        "assess it first, stage STAGE_ACCEPTANCE",
        "尚无验收阶段的就绪度评定，不能验收；请先执行 assess（阶段 STAGE_ACCEPTANCE）",
        reason="NOT_ASSESSED",
    )


def target_known(record: pb.Breakthrough) -> None:
    """Raise Refused when there is no target to measure against."""
    if not record.target_level:
        raise Refused(
            "the target level is not known, so nothing can be measured against it; "
            "set it in the plan (change_plan), or import the row with it",
            "目标就绪度未知，无法对照评定；请先通过 change_plan 设定，或重新导入含目标的数据",
            reason="TARGET_UNKNOWN",
        )


def conclude(record: pb.Breakthrough, assessment: Assessment, completed_on: datetime.date) -> int:
    """Complete the record by the level assessed at acceptance. Return the state that follows."""
    record.completed = True
    if not record.completion_date.year:
        record.completion_date.CopyFrom(from_date(completed_on))
    record.ClearField("target_reached_date")
    if assessment.level < record.target_level:
        record.target_reached = Target.TARGET_NOT_REACHED
        return State.STATE_NOT_REACHED
    record.target_reached = Target.TARGET_REACHED
    record.target_reached_date.CopyFrom(assessment.assess_date)
    return State.STATE_BROKEN_THROUGH


def settle_imported(record: pb.Breakthrough, case: Case) -> None:
    """Derive both facts of a historical row from its state and levels. Raises Invalid where state "
    "and levels disagree."""
    if record.assessments and not record.assessed_level:
        record.assessed_level = newest(record.assessments).level
    known = bool(record.assessed_level and record.target_level)
    reached = known and record.assessed_level >= record.target_level
    _agree(record, reached)
    record.completed = record.state in COMPLETED
    record.target_reached = _target(record, known, reached)
    if record.target_reached != Target.TARGET_REACHED:
        record.ClearField("target_reached_date")
    elif to_date(record.target_reached_date, "target_reached_date") is None:
        day = to_date(record.completion_date, "completion_date") or case.effective
        record.target_reached_date.CopyFrom(from_date(day))


def _agree(record: pb.Breakthrough, reached: bool) -> None:
    if record.state == State.STATE_BROKEN_THROUGH and not reached:
        raise _disagreement(record, "STATE_NOT_REACHED", "STATE_COMPLETED")
    if record.state == State.STATE_NOT_REACHED and reached:
        raise _disagreement(record, "STATE_BROKEN_THROUGH")


def _disagreement(record: pb.Breakthrough, *fitting: str) -> Invalid:
    name = State.Name(record.state)
    levels = (record.assessed_level or "-", record.target_level or "-")
    return Invalid(
        f"{name} disagrees with assessed level {levels[0]} and target level {levels[1]}; "
        f"enter it as {' or '.join(fitting)}",
        f"{name} 与评定等级 {levels[0]}、目标等级 {levels[1]} 不一致；"
        f"请以 {' 或 '.join(fitting)} 导入",
        field="state",
        reason="STATE_DISAGREES",
    )


def _target(record: pb.Breakthrough, known: bool, reached: bool) -> Target.ValueType:
    if record.state == State.STATE_NOT_REACHED:
        return Target.TARGET_NOT_REACHED
    if not (record.completed and known):
        return Target.TARGET_UNSPECIFIED
    return Target.TARGET_REACHED if reached else Target.TARGET_NOT_REACHED


def _day(assessment: Assessment) -> datetime.date:
    return to_date(assessment.assess_date, "assess_date") or datetime.date.min

"""The work itself: start, assessments, changes of the plan, acceptance, end, platforms. Pure."""

from kernel.case import Case
from kernel.dates import from_date, to_date
from kernel.errors import AlreadyExists, Invalid, Refused
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies import readiness
from services.technologies.readiness import Assessment, Stage, State
from services.technologies.rules import (
    end_early,
    in_order,
    past_day,
    roomy,
    undertaker,
    words,
)


def start(record: pb.Breakthrough, command: pb.StartBreakthroughRequest, case: Case) -> None:
    readiness.target_known(record)
    readiness.scale(record, case).rung(command.baseline_level, "baseline_level")
    readiness.above_baseline(command.baseline_level, record.target_level, "baseline_level")
    began = from_date(past_day(command.actual_start_date, case, "actual_start_date"))
    record.baseline_level = command.baseline_level
    record.actual_start_date.CopyFrom(began)
    assessment = Assessment(
        level=command.baseline_level,
        assess_date=began,
        stage=Stage.STAGE_START,
        evidence=words(command.evidence, "evidence"),
        assessor=command.assessor,
    )
    readiness.enter(record, assessment)


def assess(record: pb.Breakthrough, command: pb.AssessBreakthroughRequest, case: Case) -> None:
    readiness.target_known(record)
    _stage(record, command.stage)
    readiness.scale(record, case).rung(command.level, "level")
    assessed = past_day(command.assess_date, case, "assess_date")
    in_order(to_date(record.actual_start_date), assessed, "assess_date")
    if record.state == State.STATE_IN_PROGRESS:
        roomy(record)
    assessment = Assessment(
        level=command.level,
        assess_date=from_date(assessed),
        stage=command.stage,
        evidence=words(command.evidence, "evidence"),
        assessor=command.assessor,
    )
    readiness.enter(record, assessment)


def _stage(record: pb.Breakthrough, stage: Stage.ValueType) -> None:
    """The start is assessed by `start`, midway while in progress, acceptance once it is asked "
    "for."""
    midway = record.state == State.STATE_IN_PROGRESS
    fits = Stage.STAGE_MIDDLE if midway else Stage.STAGE_ACCEPTANCE
    if stage != fits:
        raise Invalid(
            f"{Stage.Name(stage)} is not assessed while {State.Name(record.state)}; "
            f"use {Stage.Name(fits)}",
            f"{State.Name(record.state)} 状态下不作 {Stage.Name(stage)} 评定；"
            f"请使用 {Stage.Name(fits)}",
            field="stage",
            reason="STAGE_DOES_NOT_FIT",
        )


def change_plan(
    record: pb.Breakthrough, command: pb.ChangePlanBreakthroughRequest, case: Case
) -> None:
    """A plan changes with its reason; "
    "what was before stays on record, a lowered target included."""
    reason, end = (
        words(command.reason, "reason"),
        to_date(command.planned_end_date, "planned_end_date"),
    )
    if not (end or command.target_level or command.budget_fen):
        raise Invalid(
            "nothing changes; give planned_end_date, target_level or budget_fen",
            "没有变更内容；请填写 planned_end_date、target_level 或 budget_fen",
            reason="NOTHING_CHANGES",
        )
    began = to_date(record.actual_start_date) or to_date(record.planned_start_date)
    in_order(began, end, "planned_end_date")
    _new_target(record, command, case)
    roomy(record)
    record.plan_changes.append(_before(record, command, case, reason))
    record.target_level = command.target_level or record.target_level
    record.budget_fen = command.budget_fen or record.budget_fen
    if end:
        record.planned_end_date.CopyFrom(from_date(end))


def _new_target(
    record: pb.Breakthrough, command: pb.ChangePlanBreakthroughRequest, case: Case
) -> None:
    """Raise Invalid for a target that is off the scale, not above the baseline, or lowered "
    "without a document."""
    if not command.target_level:
        return
    readiness.scale(record, case).rung(command.target_level, "target_level")
    readiness.above_baseline(record.baseline_level, command.target_level, "target_level")
    if command.target_level < record.target_level and not command.document_number.strip():
        raise Invalid(
            f"lowering the target from {record.target_level} to {command.target_level} takes a "
            "document; give its number",
            f"目标由 {record.target_level} 级降为 {command.target_level} 级须有批准文件；"
            "请填写文号",
            field="document_number",
            reason="DOCUMENT_REQUIRED",
        )


def _before(
    record: pb.Breakthrough, command: pb.ChangePlanBreakthroughRequest, case: Case, reason: str
) -> pb.PlanChange:
    return pb.PlanChange(
        change_date=from_date(case.effective),
        end_date_before=record.planned_end_date,
        end_date_after=command.planned_end_date,
        target_level_before=record.target_level,
        target_level_after=command.target_level,
        budget_fen_before=record.budget_fen,
        budget_fen_after=command.budget_fen,
        document_number=command.document_number,
        reason=reason,
    )


def submit_for_acceptance(
    record: pb.Breakthrough, command: pb.SubmitForAcceptanceBreakthroughRequest, case: Case
) -> None:
    undertaker(record, case)
    undecided = [m.id for m in record.milestones if not m.verdict]
    if undecided:
        raise Refused(
            f"milestones without a verdict: {', '.join(undecided)}; "
            "decide them first (reach_milestone)",
            f"以下里程碑尚无结论：{'、'.join(undecided)}；请先执行 reach_milestone",
            reason="MILESTONES_UNDECIDED",
        )
    readiness.demand_middle(record, case)
    ended = past_day(command.actual_end_date, case, "actual_end_date")
    in_order(to_date(record.actual_start_date), ended, "actual_end_date")
    record.actual_end_date.CopyFrom(from_date(ended))
    record.final_report = words(command.report, "report")


def accept(record: pb.Breakthrough, command: pb.AcceptBreakthroughRequest, case: Case) -> int:
    """Completed in either case; "
    "the level assessed at acceptance tells whether the target is reached."""
    readiness.target_known(record)
    assessment = readiness.at_acceptance(record)
    record.acceptance_document_number = words(command.document_number, "document_number")
    record.benefits = command.benefits or record.benefits
    record.end_reason = command.reason
    return readiness.conclude(record, assessment, case.effective)


def terminate(
    record: pb.Breakthrough, command: pb.TerminateBreakthroughRequest, case: Case
) -> None:
    end_early(record, command.reason, case)


def link_platform(
    record: pb.Breakthrough, command: pb.LinkPlatformBreakthroughRequest, case: Case
) -> None:
    undertaker(record, case)
    if command.platform in record.platforms:
        raise AlreadyExists(
            f"{command.platform} is linked already",
            f"{command.platform} 已关联",
            field="platform",
        )
    roomy(record)
    record.platforms.append(case.reference(command.platform).name)


def unlink_platform(
    record: pb.Breakthrough, command: pb.UnlinkPlatformBreakthroughRequest, case: Case
) -> None:
    undertaker(record, case)
    if command.platform not in record.platforms:
        linked = list(record.platforms)
        raise Refused(
            f"{command.platform} is not linked; linked: {', '.join(linked) or 'none'}",
            f"{command.platform} 未关联；已关联：{'、'.join(linked) or '无'}",
            reason="NOT_LINKED",
        )
    record.platforms.remove(command.platform)

"""Milestones: planned before the work begins, added on the way, decided with evidence. Pure."""

import datetime

from kernel.case import Case, Role
from kernel.dates import from_date, to_date
from kernel.errors import Denied, Invalid, Refused
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies.rules import (
    day,
    end_early,
    found,
    in_order,
    past_day,
    roomy,
    undertaker,
    words,
)

State = pb.Breakthrough.State
Verdict = pb.Milestone.Verdict


def plan_milestones(
    record: pb.Breakthrough, command: pb.PlanMilestonesBreakthroughRequest, case: Case
) -> None:
    undertaker(record, case)
    record.milestones.clear()
    before = None
    for index, plan in enumerate(command.milestones):
        field = f"milestones[{index}]"
        in_order(before, to_date(plan.due_date, f"{field}.due_date"), f"{field}.due_date")
        before = _plan(record, plan, field)
    roomy(record)


def add_milestone(
    record: pb.Breakthrough, command: pb.AddMilestoneBreakthroughRequest, case: Case
) -> None:
    undertaker(record, case)
    roomy(record)
    _plan(record, command.milestone, "milestone")


def _plan(record: pb.Breakthrough, plan: pb.MilestonePlan, field: str) -> datetime.date:
    """Add a milestone within the planned time. Return its due day."""
    due = day(plan.due_date, f"{field}.due_date")
    in_order(to_date(record.planned_start_date), due, f"{field}.due_date")
    end = to_date(record.planned_end_date)
    if end and due > end:
        raise Invalid(
            f"the milestone is due on {due}, after the planned end {end}; "
            "set it earlier or change the plan",
            f"里程碑日期 {due} 晚于计划结束日期 {end}；请提前，或先变更计划",
            field=f"{field}.due_date",
            reason="AFTER_THE_END",
        )
    title = words(plan.title, f"{field}.title")
    record.milestones.add(id=f"m{len(record.milestones) + 1}", title=title, due_date=plan.due_date)
    return due


def reach_milestone(
    record: pb.Breakthrough, command: pb.ReachMilestoneBreakthroughRequest, case: Case
) -> int:
    """A no-go ends the work or leaves it to be mended; "
    "a milestone that was mended is decided again."""
    milestone = found(record.milestones, command.milestone, ("milestone", "里程碑"), "milestone")
    if milestone.verdict == Verdict.VERDICT_GO:
        raise Refused(
            f"{milestone.id} is reached already; its verdict stands",
            f"{milestone.id} 已通过；结论不再更改",
            reason="MILESTONE_DECIDED",
        )
    _no_go(record, command, case)
    milestone.verdict = command.verdict
    milestone.evidence = words(command.evidence, "evidence")
    milestone.done_date.CopyFrom(from_date(past_day(command.done_date, case, "done_date")))
    return end_early(record, command.reason, case) if command.terminate else State.STATE_IN_PROGRESS


def _no_go(
    record: pb.Breakthrough, command: pb.ReachMilestoneBreakthroughRequest, case: Case
) -> None:
    """Raise Invalid for a no-go without its reason, and for an end without a no-go; "
    "Denied for an end by no approver."""
    if command.verdict == Verdict.VERDICT_NO_GO:
        words(command.reason, "reason")
    elif command.terminate:
        raise Invalid(
            "only a no-go can end the work; leave terminate empty, or say VERDICT_NO_GO",
            "只有未通过的里程碑才能终止项目；请取消 terminate，或将结论改为 VERDICT_NO_GO",
            field="terminate",
            reason="END_WITHOUT_NO_GO",
        )
    approves = Role.APPROVER in case.caller.roles and case.caller.actor != record.author
    if command.terminate and not approves:
        raise Denied(
            "ending the work takes an approver other than the record's author; "
            "enter the no-go without terminate",
            "终止项目须由登记人以外的审批人办理；可先登记未通过而不终止",
            reason="APPROVER_NEEDED",
        )

"""The contract of an award: instalments, milestones, checks while the work is under way."""

from collections.abc import Mapping

from kernel.case import Case
from kernel.dates import from_date
from kernel.errors import Invalid, NotFound, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.application import budget_lines, check_budget
from services.funding.joint_review import put_to_departments
from services.funding.rules import effective_day, past_day, room, yuan

MOST_CHECKS = 20


def sign_contract(
    application: pb.Application, command: pb.SignContractApplicationRequest, case: Case
) -> None:
    """Record the contract and its instalments. Raises Invalid where sums or numbers are wrong."""
    before = budget_lines(application)
    if command.budget:
        application.ClearField("budget")
        application.budget.extend(command.budget)
    check_budget(application, application.approved_fen)
    _ask_where_raised(application, before)
    _plan(application, command)
    _milestones(application, command)
    application.contract.number, application.contract.tasks = command.number, command.tasks
    application.contract.date.CopyFrom(from_date(past_day(command.date, "date", case)))


def _ask_where_raised(application: pb.Application, before: Mapping[str, int]) -> None:
    """An award cuts a budget; a line that it raises is a change, which the departments have not seen."""
    raised = [line for line, fen in budget_lines(application).items() if fen > before.get(line, 0)]
    if before and raised:
        put_to_departments(application)


def _plan(application: pb.Application, command: pb.SignContractApplicationRequest) -> None:
    """Take over the instalments as planned: nothing of them is paid."""
    numbers = [instalment.number for instalment in command.instalments]
    if numbers != list(range(1, len(numbers) + 1)) or any(
        not i.amount_fen for i in command.instalments
    ):
        raise Invalid(
            "instalments are numbered 1, 2, 3, … and each has an amount; correct them",
            "各期须按1、2、3……编号且金额大于零；请更正",
            field="instalments",
            reason="INSTALMENTS_UNORDERED",
        )
    planned = sum(instalment.amount_fen for instalment in command.instalments)
    total = yuan(application.approved_fen)
    if planned != application.approved_fen:
        raise Invalid(
            f"the instalments sum to {yuan(planned)}, not to the award, {total}; correct them",
            f"各期合计{yuan(planned)}元，不等于立项金额{total}元；请更正",
            field="instalments",
            reason="SUM_DIFFERS",
        )
    application.ClearField("instalments")
    for given in command.instalments:
        taken = application.instalments.add()
        taken.CopyFrom(given)
        for field in ("paid_date", "paid_fen", "voucher", "earlier_vouchers", "released_fen"):
            taken.ClearField(field)


def _milestones(application: pb.Application, command: pb.SignContractApplicationRequest) -> None:
    """Take over the milestones as planned: none is reached. Raises Invalid for a number that is out of order or missing."""
    numbers = [milestone.number for milestone in command.milestones]
    waited = {instalment.milestone for instalment in command.instalments} - {0}
    if numbers != list(range(1, len(numbers) + 1)) or not waited <= set(numbers):
        raise Invalid(
            "milestones are numbered 1, 2, 3, …, and instalments wait for one of them; correct them",
            "里程碑须按1、2、3……编号，且各期所依里程碑须在其中；请更正",
            field="milestones",
            reason="MILESTONES_UNORDERED",
        )
    application.contract.ClearField("milestones")
    for given in command.milestones:
        application.contract.milestones.add(
            number=given.number, title=given.title, due_date=given.due_date
        )


def record_milestone(
    application: pb.Application, command: pb.RecordMilestoneApplicationRequest, case: Case
) -> None:
    """Record how a milestone ended. Raises NotFound, Refused once it is passed."""
    milestone = _milestone(application, command.number)
    if milestone.result == pb.CHECK_RESULT_PASSED:
        raise Refused(
            f"milestone {milestone.number} is passed; what was passed stays so",
            f"第{milestone.number}号里程碑已通过，不能更改",
            field="number",
            reason="MILESTONE_PASSED",
        )
    milestone.result, milestone.evidence = command.result, command.evidence
    milestone.date.CopyFrom(from_date(past_day(command.date, "date", case)))


def _milestone(application: pb.Application, number: int) -> pb.ContractMilestone:
    for milestone in application.contract.milestones:
        if milestone.number == number:
            return milestone
    raise NotFound(
        f"there is no milestone {number}; the contract has {len(application.contract.milestones)}",
        f"没有第{number}号里程碑；任务书共{len(application.contract.milestones)}个",
        field="number",
    )


def demand_milestone(application: pb.Application, instalment: pb.Instalment) -> None:
    """Raises Refused where an instalment waits for a milestone that is not passed."""
    if not instalment.milestone:
        return
    milestone = _milestone(application, instalment.milestone)
    if milestone.result != pb.CHECK_RESULT_PASSED:
        raise Refused(
            f"instalment {instalment.number} waits for milestone {milestone.number}, which is not "
            "passed; record_milestone first",
            f"第{instalment.number}期须待第{milestone.number}号里程碑通过；请先登记（record_milestone）",
            field="number",
            reason="MILESTONE_OPEN",
        )


def start(application: pb.Application, command: pb.StartApplicationRequest, case: Case) -> None:
    """Start the work before any money is paid."""


def record_mid_term(
    application: pb.Application, command: pb.RecordMidTermApplicationRequest, case: Case
) -> None:
    """Record a mid-term check."""
    room(application.mid_term_checks, MOST_CHECKS, "mid-term checks", "中期检查")
    application.mid_term_checks.add(
        result=command.result, findings=command.findings, date=effective_day(case)
    )

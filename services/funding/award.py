"""The award and its contract: approval within the ceiling, instalments, payments, checks."""

from kernel.case import Case
from kernel.dates import from_date, to_date
from kernel.errors import Denied, Invalid, NotFound, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding import change, eligibility, money
from services.funding.application import check_budget
from services.funding.checks import Stage
from services.funding.programme import demand_active, own_source
from services.funding.rules import (
    call_of,
    effective_day,
    in_order,
    past_day,
    programme_of,
    room,
    yuan,
)

MOST_CHECKS = 20


def approve(application: pb.Application, command: pb.ApproveApplicationRequest, case: Case) -> None:
    """Make the award and hold it of the year's ceiling. Raises Denied, Refused."""
    _demand_other_eyes(application, case)
    _demand_notice_over(application, case)
    _demand_no_objection(application)
    demand_active(programme_of(application, case), "approve")
    _demand_amount(application, command.approved_fen, case)
    programme = case.change(application.programme)
    source = own_source(programme, command.funding_source, "funding_source", case)
    application.funding_source = source
    eligibility.demand(application, Stage.APPROVAL, case)
    money.commit(programme, application.year, command.approved_fen, source)
    application.approved_fen = application.committed_fen = command.approved_fen
    approval = application.approval
    approval.document_number, approval.amount_fen = command.document_number, command.approved_fen
    approval.approved_by = case.caller.actor
    approval.date.CopyFrom(effective_day(case))
    approval.award_number = _award_number(application, programme, case)


def _demand_other_eyes(application: pb.Application, case: Case) -> None:
    """The table keeps the author away; who checked the application does not approve either."""
    handled = {
        application.formal_check.checked_by,
        application.duplicate_check.checked_by,
        application.expert_review.recorded_by,
    }
    if case.caller.actor in handled:
        raise Denied(
            "approve needs a second pair of eyes: another account than those that checked",
            "approve 须由未参与审查的其他账号办理（四眼原则）",
            reason="FOUR_EYES",
        )


def _demand_notice_over(application: pb.Application, case: Case) -> None:
    """The notice ends with its last local day: the day after is the first that is free."""
    last = to_date(application.public_notice.end_date)
    if last is None or case.effective <= last:
        raise Refused(
            f"cannot approve on {case.effective}: the public notice runs to the end of {last}",
            f"不能在{case.effective}立项：公示至{last}结束",
            reason="NOTICE_RUNNING",
        )


def _demand_no_objection(application: pb.Application) -> None:
    for objection in application.public_notice.objections:
        resolved = objection.HasField("resolve_date")
        if resolved and not objection.upheld:
            continue
        said, said_zh = ("upheld", "成立") if resolved else ("open", "尚未处理")
        allowed = "reject, request_completion" if resolved else "resolve_objection, reject"
        raise Refused(
            f"cannot approve: objection {objection.number} is {said}; allowed: {allowed}",
            f"不能立项：第{objection.number}号异议{said_zh}；可执行：{allowed}",
            reason="OBJECTION_STANDS",
        )


def _demand_amount(application: pb.Application, fen: int, case: Case) -> None:
    """Neither more than was asked for nor more than the call gives; the ceiling comes after."""
    most = call_of(application, case).max_award_fen or application.requested_fen
    most = min(most, application.requested_fen)
    if fen > most:
        raise Refused(
            f"{yuan(fen)} CNY is over the request or the call's most; at most {yuan(most)} CNY",
            f"{yuan(fen)}元超出申请额或指南上限；最多{yuan(most)}元",
            field="approved_fen",
            reason="OVER_THE_MOST",
        )


def _award_number(application: pb.Application, programme: pb.Programme, case: Case) -> str:
    """Return the programme's next number of the year, gapless: `ZDZX-2026-0007`."""
    code = programme.name.partition("/")[2]
    if programme.policy:
        code = case.pack.programmes.get(programme.policy, case.effective).code
    return f"{code}-{application.year}-{case.number(f'award/{code}/{application.year}'):04d}"


def sign_contract(
    application: pb.Application, command: pb.SignContractApplicationRequest, case: Case
) -> None:
    """Record the contract and its instalments. Raises Invalid where sums or numbers are wrong."""
    if command.budget:
        application.ClearField("budget")
        application.budget.extend(command.budget)
    check_budget(application, application.approved_fen)
    _plan(application, command)
    _milestones(application, command)
    application.contract.number, application.contract.tasks = command.number, command.tasks
    application.contract.date.CopyFrom(from_date(past_day(command.date, "date", case)))


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
        for field in ("paid_date", "paid_fen", "voucher", "released_fen"):
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


def _demand_milestone(application: pb.Application, instalment: pb.Instalment) -> None:
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


def pay_instalment(
    application: pb.Application, command: pb.PayInstalmentApplicationRequest, case: Case
) -> None:
    """Record a payment. Raises NotFound, Refused for too much or a voucher used before."""
    instalment = _instalment(application, command.number)
    _demand_milestone(application, instalment)
    _demand_new_voucher(application, command.voucher)
    paid = past_day(command.paid_date, "paid_date", case)
    eligibility.demand(application, Stage.PAYMENT, case, day=paid)
    in_order(application.contract.date, from_date(paid), "paid_date")
    change.demand_agreed(application)
    money.pay(application, instalment, command.amount_fen, case)
    instalment.voucher = command.voucher
    instalment.paid_date.CopyFrom(from_date(paid))


def _instalment(application: pb.Application, number: int) -> pb.Instalment:
    for instalment in application.instalments:
        if instalment.number == number:
            return instalment
    raise NotFound(
        f"there is no instalment {number}; the contract has {len(application.instalments)}",
        f"没有第{number}期拨款；任务书共{len(application.instalments)}期",
        field="number",
    )


def _demand_new_voucher(application: pb.Application, voucher: str) -> None:
    if any(instalment.voucher == voucher for instalment in application.instalments):
        raise Refused(
            f"voucher {voucher} is on record for this award; a payment is entered once",
            f"凭证{voucher}已登记；同一笔付款只登记一次",
            field="voucher",
            reason="VOUCHER_USED",
        )


def record_mid_term(
    application: pb.Application, command: pb.RecordMidTermApplicationRequest, case: Case
) -> None:
    """Record a mid-term check."""
    room(application.mid_term_checks, MOST_CHECKS, "mid-term checks", "中期检查")
    application.mid_term_checks.add(
        result=command.result, findings=command.findings, date=effective_day(case)
    )

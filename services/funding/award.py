"""The award: approval within the ceiling, by other eyes, after the notice."""

from kernel.case import Case
from kernel.dates import to_date
from kernel.errors import Denied, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding import eligibility, money
from services.funding.checks import Stage
from services.funding.programme import demand_active, own_source
from services.funding.rules import call_of, effective_day, programme_of, yuan


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

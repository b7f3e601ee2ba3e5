"""What an application must be: on entry, on every edit, and whole before it is submitted."""

from collections import Counter

from kernel.case import Case
from kernel.errors import Invalid, NotFound, Refused
from kernel.units import check_code, demand_own, unit_of
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.history import check_history
from services.funding.rules import (
    C,
    all_required,
    in_order,
    required,
    yuan,
)

CURRENCY = "CNY"


def check(application: pb.Application, case: Case) -> None:
    """Hold an application to its contract, and fill what follows from its call. Raises Invalid."""
    application.currency = application.currency or CURRENCY
    application.title = application.title.strip()
    required(application.title, "title")
    in_order(application.start_date, application.end_date, "end_date")
    if application.recommending_unit:
        recommender = unit_of(application.recommending_unit, "recommending_unit", case)
        application.recommending_unit = recommender
    if case.importing:
        check_history(application, case)
        return
    _check_currency(application)
    _check_call(application, case)
    _check_units(application)
    check_references(application, case)


def _check_currency(application: pb.Application) -> None:
    if application.currency != CURRENCY:
        raise Invalid(
            f"{application.currency} is for imported rows only; apply in {CURRENCY}",
            f"{application.currency}仅用于导入的历史数据；请以人民币（{CURRENCY}）申报",
            field="currency",
            reason="CURRENCY",
        )


def _check_call(application: pb.Application, case: Case) -> None:
    """The call gives programme, year and lead; it stays the same for the whole life."""
    required(application.call, "call")
    if application.revision and case.get(application.name).call != application.call:
        raise Invalid(
            "an application stays with its call; withdraw it and apply anew",
            "申报书不能更换指南；请撤回后重新申报",
            field="call",
            reason="IMMUTABLE",
        )
    call = case.get(application.call)
    if call.state not in (C.STATE_PUBLISHED, C.STATE_CLOSED):
        raise Refused(
            f"{call.name} is {C.Name(call.state)}; apply to a published call",
            f"{call.name} 当前状态为 {C.Name(call.state)}；请选择已发布的指南",
            field="call",
            reason="CALL_NOT_OPEN",
        )
    application.programme, application.year = call.programme, call.year
    application.lead_department = call.lead_department


def _check_units(application: pb.Application) -> None:
    """An applicant applies in its own name, by its credit code; members take part once."""
    lead = application.applicant_unit
    lead.code = lead.code or application.owner_unit
    demand_own(lead.code, application.owner_unit, "applicant_unit.code")
    check_consortium(application)


def check_consortium(application: pb.Application) -> None:
    """Raises Invalid where a unit's code is wrong or it takes part twice."""
    check_code(application.applicant_unit.code, "applicant_unit.code")
    seen = {application.applicant_unit.code}
    for index, unit in enumerate(application.consortium):
        field = f"consortium[{index}].code"
        check_code(unit.code, field)
        if unit.code in seen:
            raise Invalid(
                f"{unit.name} takes part twice; name each unit once",
                f"{unit.name}重复；每家单位只填一次",
                field=field,
                reason="UNIT_TWICE",
            )
        seen.add(unit.code)


def check_complete(application: pb.Application) -> None:
    """Raises Invalid, Violated for all that a submission lacks."""
    needed: dict[str, object] = {
        "abstract": application.abstract,
        "recommending_unit": application.recommending_unit,
        "requested_fen": application.requested_fen,
        "budget": application.budget,
        "start_date": application.HasField("start_date"),
        "end_date": application.HasField("end_date"),
        "principal_investigator": application.principal_investigator.subject,
    }
    all_required(needed)


def check_references(application: pb.Application, case: Case) -> None:
    """Raises NotFound for a platform or breakthrough that its own service does not know."""
    for field in ("platforms", "breakthroughs"):
        for index, name in enumerate(getattr(application, field)):
            try:
                case.reference(name)
            except NotFound as missing:
                raise missing.within(f"{field}[{index}]") from None


def budget_lines(application: pb.Application) -> Counter[str]:
    """Return category → fen."""
    lines: Counter[str] = Counter()
    for line in application.budget:
        lines[line.category] += line.amount_fen
    return lines


def check_budget(application: pb.Application, total: int) -> None:
    """Raises Invalid where the budget lines do not sum to the total, fen."""
    have = sum(line.amount_fen for line in application.budget)
    if have != total:
        raise Invalid(
            f"the budget lines sum to {yuan(have)}, not {yuan(total)}; correct the lines",
            f"预算科目合计{yuan(have)}元，不等于{yuan(total)}元；请更正",
            field="budget",
            reason="SUM_DIFFERS",
        )

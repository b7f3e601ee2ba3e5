"""A sanction: a unit or a person that gets no public money from one day to another."""

from kernel.case import Case
from kernel.dates import ONE_DAY, from_date, to_date
from kernel.errors import Invalid
from kernel.units import UNASSIGNED, check_code
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.rules import S, day, effective_day, in_order, required


def check(sanction: pb.Sanction, case: Case) -> None:
    """Hold a sanction to its contract. Raises Invalid: of nobody, or of two."""
    sanction.title = sanction.title.strip()
    required(sanction.title, "title")
    sanction.lead_department = sanction.lead_department or case.caller.department
    if sanction.state in (S.STATE_IMPOSED, S.STATE_LIFTED):
        _show(sanction, case)
    day(sanction.from_date, "from_date")
    in_order(sanction.from_date, sanction.to_date, "to_date")
    person = bool(case.subject(sanction.person))
    if person == bool(sanction.unit.code):
        raise Invalid(
            "name either a unit by its credit code or a person by the identity number",
            "请填写受处罚的单位（统一社会信用代码）或个人（身份证件号码），二者择一",
            field="unit.code",
            reason="ONE_PARTY",
        )
    if person:
        required(sanction.person.identity_number, "person.identity_number")
    else:
        check_code(sanction.unit.code, "unit.code")


def impose(sanction: pb.Sanction, command: pb.ImposeSanctionRequest, case: Case) -> None:
    """Put it in force; every department sees it from then on."""
    _show(sanction, case)
    sanction.imposed_by = case.caller.actor
    sanction.impose_date.CopyFrom(effective_day(case))


def _show(sanction: pb.Sanction, case: Case) -> None:
    departments = {department.id for department in case.pack.departments} - {UNASSIGNED}
    sanction.concerned_departments[:] = sorted(departments)


def lift(sanction: pb.Sanction, command: pb.LiftSanctionRequest, case: Case) -> None:
    """End it early. Raises Invalid for a last day that is to come, or later than its own."""
    last = to_date(command.last_date, "last_date") or case.today - ONE_DAY
    own = to_date(sanction.to_date)
    latest = min(case.today, own) if own else case.today
    if last > latest:
        raise Invalid(
            f"{last} is no day on which it ends early; the latest is {latest}",
            f"{last}不是提前解除的日期；最晚为{latest}",
            field="last_date",
            reason="DATE_TOO_LATE",
        )
    sanction.to_date.CopyFrom(from_date(last))
    sanction.lift_document_number, sanction.lift_reason = command.document_number, command.reason
    sanction.lifted_by = case.caller.actor

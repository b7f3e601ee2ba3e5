"""What may change while a contract runs: person, unit, end, budget; each by a document."""

from typing import Protocol

from kernel.case import Case
from kernel.dates import iso
from kernel.errors import Invalid
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding import eligibility
from services.funding.application import check_budget, check_consortium
from services.funding.checks import Stage
from services.funding.joint_review import put_to_departments
from services.funding.rules import day, effective_day, room, yuan

MOST_CHANGES = 20
MOST_TEXT = 500  # characters: an event has to stay under 60 KiB


class Documented(Protocol):
    """A command that says why and by which document."""

    document_number: str
    reason: str


def change_person(
    application: pb.Application, command: pb.ChangePersonApplicationRequest, case: Case
) -> None:
    """Change the principal investigator; who it was stands by pseudonym."""
    before = application.principal_investigator.subject
    _record(application, pb.CHANGE_KIND_PERSON, before, "", command, case)
    application.principal_investigator.CopyFrom(command.principal_investigator)
    eligibility.demand(application, Stage.CHANGE, case)


def change_unit(
    application: pb.Application, command: pb.ChangeUnitApplicationRequest, case: Case
) -> None:
    """Let a unit join, leave or be replaced. Raises Invalid, Refused against the call's size."""
    new = command.unit if command.HasField("unit") else None
    before = command.leaving_code
    after = f"{new.code} {new.name}" if new else ""
    _replace(application, before, new)
    check_consortium(application)
    eligibility.demand(application, Stage.CHANGE, case)
    _record(application, pb.CHANGE_KIND_UNIT, before, after, command, case)


def proposed(
    application: pb.Application, asked: pb.RequestOverrideApplicationRequest
) -> pb.Application:
    """Return the application as it would be after the change that an override is asked for."""
    after = pb.Application()
    after.CopyFrom(application)
    if asked.HasField("principal_investigator"):
        after.principal_investigator.CopyFrom(asked.principal_investigator)
    if asked.leaving_code or asked.HasField("unit"):
        _replace(after, asked.leaving_code, asked.unit if asked.HasField("unit") else None)
    return after


def _replace(application: pb.Application, leaving: str, new: pb.Unit | None) -> None:
    if leaving and leaving == application.applicant_unit.code:
        _replace_leader(application, new)
    else:
        _replace_member(application, leaving, new)


def _replace_leader(application: pb.Application, new: pb.Unit | None) -> None:
    """The unit that leads owns the record: the new one's accounts go on with it."""
    if new is None:
        raise Invalid(
            "the leading unit cannot leave without another in its place; give unit",
            "牵头单位退出须有单位接替；请填写接替单位",
            field="unit",
            reason="REQUIRED",
        )
    # The member that takes the lead is no longer a member besides.
    _remove(application, new.code)
    application.applicant_unit.CopyFrom(new)
    application.owner_unit = new.code


def _replace_member(application: pb.Application, leaving: str, new: pb.Unit | None) -> None:
    found = bool(leaving) and _remove(application, leaving)
    if not found and (leaving or new is None):
        raise Invalid(
            f"{leaving or 'nobody'} takes no part in the work; name a unit that leaves or joins",
            f"{leaving or '空值'}未参加该项目；请填写退出或加入的单位",
            field="leaving_code",
            reason="UNIT_UNKNOWN",
        )
    if new is not None:
        application.consortium.add().CopyFrom(new)


def _remove(application: pb.Application, code: str) -> bool:
    """Take a member out. Return whether there was one."""
    stay = [unit for unit in application.consortium if unit.code != code]
    left = len(stay) < len(application.consortium)
    if left:
        del application.consortium[:]
        application.consortium.extend(stay)
    return left


def change_end_date(
    application: pb.Application, command: pb.ChangeEndDateApplicationRequest, case: Case
) -> None:
    """Move the end of the work. Raises Invalid unless it is later, or takes back what was not agreed to."""
    before, after = iso(application.end_date), day(command.end_date, "end_date").isoformat()
    if after <= before and after not in _taken_back(application):
        raise Invalid(
            f"{after} is not after the present end, {before}; give a later day",
            f"{after}不晚于现定结束日期{before}；请填写更晚的日期",
            field="end_date",
            reason="DATE_TOO_EARLY",
        )
    _record(application, pb.CHANGE_KIND_DELAY, before, after, command, case)
    application.end_date.CopyFrom(command.end_date)


def _taken_back(application: pb.Application) -> set[str]:
    """Return the ends that the work had before the delays that the departments have not agreed to."""
    ends = set[str]()
    if not application.joint_review.asked_revision:
        return ends
    for change in reversed(application.changes):
        if change.joint_review_outcome == pb.JOINT_REVIEW_OUTCOME_AGREED:
            break
        if change.kind == pb.CHANGE_KIND_DELAY:
            ends.add(change.before)
    return ends


def change_budget(
    application: pb.Application, command: pb.ChangeBudgetApplicationRequest, case: Case
) -> None:
    """Change the lines. Raises Invalid where they do not sum to the award."""
    before = _lines(application)
    application.ClearField("budget")
    application.budget.extend(command.budget)
    check_budget(application, application.approved_fen)
    _record(application, pb.CHANGE_KIND_BUDGET, before, _lines(application), command, case)


def _lines(application: pb.Application) -> str:
    return "; ".join(f"{line.category} {yuan(line.amount_fen)}" for line in application.budget)


def _record(
    application: pb.Application,
    kind: pb.ChangeKind.ValueType,
    before: str,
    after: str,
    command: Documented,
    case: Case,
) -> None:
    room(application.changes, MOST_CHANGES, "changes", "变更")
    application.changes.add(
        kind=kind,
        before=before[:MOST_TEXT],
        after=after[:MOST_TEXT],
        reason=command.reason,
        document_number=command.document_number,
        date=effective_day(case),
    )
    put_to_departments(application)

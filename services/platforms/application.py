"""From the draft to the formal check: applicant, recommending unit and case officer."""

from kernel.case import Case
from kernel.dates import from_date, to_date
from kernel.errors import Invalid, Refused
from kernel.pack import Kind, Requirement
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.rules import (
    S,
    day_after,
    demand_steps,
    kind_of,
    set_end,
    skips,
    today,
)


def submit(platform: pb.Platform, command: pb.SubmitPlatformRequest, case: Case) -> None:
    """Hand the application in, where it says all that its kind asks for. Raises Invalid."""
    kind = kind_of(platform, case)
    _demand_filled(platform, kind, case)
    for requirement in kind.requirements:
        _demand_met(platform, requirement)
    asked = [] if skips(kind, "recommendation", case) else [platform.recommending_unit]
    platform.concerned_departments[:] = asked


def _demand_filled(platform: pb.Platform, kind: Kind, case: Case) -> None:
    needed = {
        "division": "行政区划",
        "direction": "产业方向",
        "abstract": "简介",
        "supporting_unit_name": "依托单位名称",
    }
    if not skips(kind, "recommendation", case):
        needed["recommending_unit"] = "推荐单位"
    for field, zh in needed.items():
        if not getattr(platform, field).strip():
            raise Invalid(
                f"{field} is empty; fill it in before submitting",
                f"{zh}为空；请先填写再申报",
                field=field,
                reason="REQUIRED",
            )


def _demand_met(platform: pb.Platform, requirement: Requirement) -> None:
    """A threshold's id is the field that it is about."""
    value = getattr(platform, requirement.id)
    holds = {
        ">": value > requirement.value,
        ">=": value >= requirement.value,
        "<=": value <= requirement.value,
        "<": value < requirement.value,
    }
    if not holds.get(requirement.operator, True):
        limit = f"{requirement.operator} {requirement.value} {requirement.unit}"
        raise Invalid(
            f"{requirement.en} is {value}; the kind asks for {limit}",
            f"{requirement.zh}为{value}；该类平台要求 {limit}",
            field=requirement.id,
            reason="REQUIREMENT_NOT_MET",
        )


def withdraw(platform: pb.Platform, command: pb.WithdrawPlatformRequest, case: Case) -> None:
    """Take the application back."""
    set_end(platform, case, command.reason)


def recommend(platform: pb.Platform, command: pb.RecommendPlatformRequest, case: Case) -> None:
    """Recommend the application. Raises Refused where the kind needs no recommendation."""
    kind = kind_of(platform, case)
    if skips(kind, "recommendation", case):
        raise Refused(
            f"{kind.en} needs no recommendation; allowed: accept, refuse, request_completion",
            f"{kind.zh}无需推荐；可执行：accept、refuse、request_completion",
            reason="STEP_SKIPPED",
        )
    platform.recommendation = command.opinion


def return_to_applicant(
    platform: pb.Platform, command: pb.ReturnToApplicantPlatformRequest, case: Case
) -> None:
    """Hand the application back to be improved; why stands in the journal."""


def accept(platform: pb.Platform, command: pb.AcceptPlatformRequest, case: Case) -> None:
    """Accept the application. Raises Refused before a recommendation that the kind demands."""
    demand_steps(platform, "accept", ("recommendation",), case)


def refuse(platform: pb.Platform, command: pb.RefusePlatformRequest, case: Case) -> None:
    """End an application that is not accepted."""
    demand_steps(platform, "refuse", ("recommendation",), case)
    set_end(platform, case, command.reason)


def request_completion(
    platform: pb.Platform, command: pb.RequestCompletionPlatformRequest, case: Case
) -> None:
    """Ask for what is missing, until a day. Raises Invalid, Refused."""
    demand_steps(platform, "request_completion", ("recommendation",), case)
    due = day_after(command.due_date, case.effective, "due_date")
    platform.completion_requests.add(
        missing=command.missing, request_date=today(case), due_date=from_date(due)
    )


def complete(platform: pb.Platform, command: pb.CompletePlatformRequest, case: Case) -> int:
    """Hand the completed application in again; the due day itself is in time. Raises Refused."""
    kind, asked = kind_of(platform, case), platform.completion_requests[-1]
    due = to_date(asked.due_date)
    if due and case.today > due:
        raise Refused(
            f"cannot complete: the time ended with {due}; the case officer may refuse or ask again",
            f"不能补正：期限已于{due}届满；经办人可不予受理或重新要求补正",
            reason="DUE_DATE_PASSED",
        )
    submit(platform, pb.SubmitPlatformRequest(), case)
    asked.explanation = command.explanation
    asked.completion_date.CopyFrom(today(case))
    return S.STATE_SUBMITTED if skips(kind, "recommendation", case) else S.STATE_RECOMMENDED


def pass_formal_check(
    platform: pb.Platform, command: pb.PassFormalCheckPlatformRequest, case: Case
) -> None:
    """Say that the form is in order."""


def fail_formal_check(
    platform: pb.Platform, command: pb.FailFormalCheckPlatformRequest, case: Case
) -> None:
    """End an application whose form is not in order."""
    set_end(platform, case, command.reason)

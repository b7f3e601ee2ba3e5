"""From the draft to the formal check: applicant, recommending unit and case officer."""

from kernel.case import Case
from kernel.dates import from_date, to_date
from kernel.errors import Problem, Refused
from kernel.pack import Kind, Requirement
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.rules import (
    S,
    all_at_once,
    day_after,
    demand_steps,
    kind_of,
    set_end,
    skips,
    today,
)
from services.platforms.subfield import demand_free


def submit(platform: pb.Platform, command: pb.SubmitPlatformRequest, case: Case) -> None:
    """Hand the application in, where it says all that its kind asks for.

    Raises Invalid, Violated: all that is missing at once.
    """
    kind = kind_of(platform, case)
    unmet = [r for r in kind.requirements if not _met(platform, r)]
    all_at_once([*_missing(platform, kind, case), *(_too_little(platform, each) for each in unmet)])
    demand_free(platform, kind, case)
    asked = [] if skips(kind, "recommendation", case) else [platform.recommending_unit]
    platform.concerned_departments[:] = asked


def _missing(platform: pb.Platform, kind: Kind, case: Case) -> list[Problem]:
    needed = {
        "division": "行政区划",
        "direction": "产业方向",
        "abstract": "简介",
        "supporting_unit_name": "依托单位名称",
    }
    if kind.one_per_subfield:
        needed["sub_field"] = "细分领域"
    if not skips(kind, "recommendation", case):
        needed["recommending_unit"] = "推荐单位"
    return [
        Problem(
            field,
            "REQUIRED",
            f"{field} is empty; fill it in before submitting",
            f"{zh}为空；请先填写再申报",
        )
        for field, zh in needed.items()
        if not getattr(platform, field).strip()
    ]


def _met(platform: pb.Platform, requirement: Requirement) -> bool:
    """A threshold's id is the field that it is about."""
    value = getattr(platform, requirement.id)
    holds = {
        ">": value > requirement.value,
        ">=": value >= requirement.value,
        "<=": value <= requirement.value,
        "<": value < requirement.value,
    }
    return bool(holds.get(requirement.operator, True))


def _too_little(platform: pb.Platform, requirement: Requirement) -> Problem:
    value = getattr(platform, requirement.id)
    limit = f"{requirement.operator} {requirement.value} {requirement.unit}"
    return Problem(
        requirement.id,
        "REQUIREMENT_NOT_MET",
        f"{requirement.en} is {value}; the kind asks for {limit}",
        f"{requirement.zh}为{value}；该类平台要求 {limit}",
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
    kind, asked = kind_of(platform, case), _asked_last(platform)
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


def _asked_last(platform: pb.Platform) -> pb.CompletionRequest:
    """Return the request that is answered; of an imported platform nobody may know what was asked."""
    requests = platform.completion_requests
    return requests[-1] if requests else requests.add()


def pass_formal_check(
    platform: pb.Platform, command: pb.PassFormalCheckPlatformRequest, case: Case
) -> None:
    """Say that the form is in order."""


def fail_formal_check(
    platform: pb.Platform, command: pb.FailFormalCheckPlatformRequest, case: Case
) -> None:
    """End an application whose form is not in order."""
    set_end(platform, case, command.reason)

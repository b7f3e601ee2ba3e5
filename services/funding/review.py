"""The judgement of an application: checks, experts, the public."""

import datetime
import re

from kernel.case import Case
from kernel.dates import from_date, to_date
from kernel.errors import Invalid, NotFound, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.hold import holds_on
from services.funding.joint_review import departments_to_ask
from services.funding.rules import (
    A,
    H,
    check_score,
    day,
    effective_day,
    end,
    programme_of,
    required,
    room,
)

MOST_OBJECTIONS = 20


def check_form(
    application: pb.Application, command: pb.CheckFormApplicationRequest, case: Case
) -> int:
    """Record the formal check; failed ends it. Raises Invalid for a failure without findings."""
    check = application.formal_check
    check.result, check.findings = command.result, command.findings
    check.checked_by = case.caller.actor
    check.date.CopyFrom(effective_day(case))
    if command.result == pb.CHECK_RESULT_PASSED:
        return A.STATE_FORMALLY_CHECKED
    required(command.findings, "findings")
    end(application, command.findings, "", case)
    return A.STATE_REJECTED


def check_duplicates(
    application: pb.Application, command: pb.CheckDuplicatesApplicationRequest, case: Case
) -> int:
    """Record the duplicate check; a duplicate ends it. Raises Refused."""
    if command.result == pb.DUPLICATE_RESULT_CONTINUATION and not application.predecessor:
        raise Refused(
            "it declares no predecessor, so it continues nothing; request_completion first",
            "该申报未填写在先项目，不能认定为延续；请先退回补正",
            field="result",
            reason="CONTINUATION_UNDECLARED",
        )
    if command.result != pb.DUPLICATE_RESULT_DUPLICATE:
        _demand_named(application, command.findings, case)
    check = application.duplicate_check
    check.result, check.findings = command.result, command.findings
    check.checked_by = case.caller.actor
    check.date.CopyFrom(effective_day(case))
    check.basis_revision = application.revision + 1
    if command.result != pb.DUPLICATE_RESULT_DUPLICATE:
        return A.STATE_DUPLICATES_CHECKED
    end(application, command.findings, "", case)
    return A.STATE_REJECTED


def _demand_named(application: pb.Application, findings: str, case: Case) -> None:
    """Raises Refused where the system's own finding is passed over in silence: who thinks otherwise names it and says why."""
    unsettled = sorted(
        hold.finding
        for hold in holds_on(application, case)
        if hold.state in (H.STATE_OPEN, H.STATE_STANDING)
    )
    named = set(re.findall(r"findings/[a-z0-9-]+", findings))
    unnamed = [name for name in unsettled if name not in named]
    if unnamed:
        raise Refused(
            f"it is held as a possible duplicate: {', '.join(unnamed)}; look at it with `luoshu duplicates show`, then "
            "dispose of it, or name it in findings and say why this is none",
            f"系统查重结果尚未解除：{'、'.join(unnamed)}；请先用 luoshu duplicates show 查看，"
            "再作认定，或在 findings 中写明该编号并说明不属重复的理由",
            field="findings",
            reason="FINDING_PASSED_OVER",
        )


def follow_comparison(
    application: pb.Application, command: pb.FollowComparisonApplicationRequest, case: Case
) -> None:
    """Take over that coordination has compared it, its findings told. Raises Refused: of an earlier submission."""
    check = application.duplicate_check
    if command.compared_revision < check.basis_revision:
        raise Refused(
            f"revision {command.compared_revision} is of an earlier submission; {check.basis_revision} was checked",
            f"第{command.compared_revision}版属于此前的申报；现查重的是第{check.basis_revision}版",
            field="compared_revision",
            reason="COMPARISON_OUTDATED",
        )
    check.compared_revision = command.compared_revision


def record_expert_review(
    application: pb.Application, command: pb.RecordExpertReviewApplicationRequest, case: Case
) -> int:
    """Record the experts' result; without their recommendation it ends. Raises Invalid."""
    check_score(command.score_hundredths, "score_hundredths")
    review = application.expert_review
    review.score_hundredths, review.opinion = command.score_hundredths, command.opinion
    review.recommended, review.experts = command.recommended, command.experts
    review.recorded_by = case.caller.actor
    review.date.CopyFrom(effective_day(case))
    if command.recommended:
        return A.STATE_EXPERT_REVIEWED
    end(application, command.opinion, "", case)
    return A.STATE_REJECTED


def publish_notice(
    application: pb.Application, command: pb.PublishNoticeApplicationRequest, case: Case
) -> None:
    """Open the proposed award to objections. Raises Invalid, Refused before a joint review."""
    asked = departments_to_ask(application, case)
    if asked and application.state != A.STATE_JOINTLY_REVIEWED:
        raise Refused(
            f"{', '.join(asked)} must agree first; allowed: open_joint_review",
            f"须先经{'、'.join(asked)}会签；可执行：open_joint_review",
            reason="JOINT_REVIEW_MISSING",
        )
    start = to_date(command.start_date, "start_date") or case.today
    if start < case.today:
        raise Invalid(
            f"{start} is over; nobody could have objected: give {case.today} or later",
            f"{start}已过；公示须自{case.today}或以后开始",
            field="start_date",
            reason="DATE_TOO_EARLY",
        )
    days, kind = _length(application, command, start, case)
    last = case.pack.last_day(start, days, working=kind == pb.DAY_KIND_WORKING)
    notice = pb.PublicNotice(days=days, day_kind=kind, provisional=last.provisional)
    notice.start_date.CopyFrom(from_date(start))
    notice.end_date.CopyFrom(from_date(last.date))
    application.public_notice.CopyFrom(notice)


def _length(
    application: pb.Application,
    command: pb.PublishNoticeApplicationRequest,
    start: datetime.date,
    case: Case,
) -> tuple[int, pb.DayKind.ValueType]:
    """Return the length that was said, else that of the pack's notice for the programme."""
    if command.days:
        required(command.day_kind, "day_kind")
        return command.days, command.day_kind
    policy = programme_of(application, case).policy
    required(policy, "days")
    key = case.pack.programmes.get(policy, start).notice
    notice = case.pack.notices.get(key, start)
    working = notice.unit == "working_days"
    return notice.days, pb.DAY_KIND_WORKING if working else pb.DAY_KIND_CALENDAR


def record_objection(
    application: pb.Application, command: pb.RecordObjectionApplicationRequest, case: Case
) -> None:
    """Record an objection. Raises Invalid outside the notice, Refused when there are too many."""
    notice, objections = application.public_notice, application.public_notice.objections
    first, last = day(notice.start_date, "start_date"), day(notice.end_date, "end_date")
    if not first <= case.effective <= last:
        raise Invalid(
            f"{case.effective} lies outside the notice; objections count from {first} to {last}",
            f"{case.effective}不在公示期内；异议须在{first}至{last}提出",
            field="effective_date",
            reason="OUTSIDE_NOTICE",
        )
    room(objections, MOST_OBJECTIONS, "objections", "异议")
    objections.add(number=len(objections) + 1, text=command.text, date=effective_day(case))


def resolve_objection(
    application: pb.Application, command: pb.ResolveObjectionApplicationRequest, case: Case
) -> None:
    """Record how an objection was resolved. Raises NotFound, Refused when it already is."""
    for objection in application.public_notice.objections:
        if objection.number == command.number:
            _resolve(objection, command, case)
            return
    count = len(application.public_notice.objections)
    raise NotFound(
        f"there is no objection {command.number}; this notice has {count}",
        f"没有第{command.number}号异议；本次公示共{count}项",
        field="number",
    )


def _resolve(
    objection: pb.Objection, command: pb.ResolveObjectionApplicationRequest, case: Case
) -> None:
    if objection.HasField("resolve_date"):
        raise Refused(
            f"objection {objection.number} is resolved already; record a new one",
            f"第{objection.number}号异议已处理；请另行登记",
            field="number",
            reason="OBJECTION_RESOLVED",
        )
    objection.upheld, objection.resolution = command.upheld, command.resolution
    objection.resolve_date.CopyFrom(effective_day(case))


def reject(application: pb.Application, command: pb.RejectApplicationRequest, case: Case) -> None:
    """End it without an award (不予立项)."""
    end(application, command.reason, "", case)

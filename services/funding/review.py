"""The judgement of an application: checks, experts, the other departments, the public."""

import datetime
from collections.abc import Iterable

from kernel.case import Case
from kernel.dates import from_date, to_date
from kernel.errors import Invalid, NotFound, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.rules import (
    A,
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
    check = application.duplicate_check
    check.result, check.findings = command.result, command.findings
    check.checked_by = case.caller.actor
    check.date.CopyFrom(effective_day(case))
    if command.result != pb.DUPLICATE_RESULT_DUPLICATE:
        return A.STATE_DUPLICATES_CHECKED
    end(application, command.findings, "", case)
    return A.STATE_REJECTED


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


def departments_to_ask(application: pb.Application, case: Case) -> list[str]:
    """Return whom a joint review asks: the programme's list, else the pack's by programme and topic; not the lead."""
    programme = programme_of(application, case)
    if programme.joint_review_waived:
        return []
    asked = list(programme.joint_review_departments)
    if not asked and programme.policy:
        pack, topic = case.pack, application.topic
        asked = list(pack.joint_review(programme.policy, case.effective, topic))
    return [department for department in asked if department != application.lead_department]


def open_joint_review(
    application: pb.Application, command: pb.OpenJointReviewApplicationRequest, case: Case
) -> None:
    """Ask the departments. Raises Refused where the rule names none."""
    asked = departments_to_ask(application, case)
    if not asked:
        raise Refused(
            "the programme asks no other department; allowed: publish_notice",
            "该专项无需会签；可执行：publish_notice",
            reason="NO_JOINT_REVIEW",
        )
    policy = programme_of(application, case).policy
    rule = case.pack.review_rule(policy, case.effective, application.topic).id if policy else ""
    review = pb.JointReview(departments=asked, round=application.joint_review.round + 1, rule=rule)
    review.open_date.CopyFrom(effective_day(case))
    application.joint_review.CopyFrom(review)
    application.concerned_departments[:] = [application.recommending_unit, *asked]


def conclude_joint_review(
    application: pb.Application, command: pb.ConcludeJointReviewApplicationRequest, case: Case
) -> int:
    """Take over the outcome; unless all agreed it stands where it stood before the review.

    After the award the outcome is of the changes that were put to the departments: they are marked with it.
    """
    review = application.joint_review
    awarded = application.state != A.STATE_IN_JOINT_REVIEW
    review.review, review.outcome = command.review, command.outcome
    review.conditions = command.conditions
    _owe(review, command.owed_conditions)
    review.conclude_date.CopyFrom(effective_day(case))
    for change in application.changes:
        change.joint_review_outcome = change.joint_review_outcome or command.outcome
    if awarded:
        return application.state
    if command.outcome == pb.JOINT_REVIEW_OUTCOME_AGREED:
        return A.STATE_JOINTLY_REVIEWED
    return A.STATE_EXPERT_REVIEWED


def follow_conditions(
    application: pb.Application, command: pb.FollowConditionsApplicationRequest, case: Case
) -> None:
    """Take over which conditions are met. Raises Refused: they are of another review."""
    review = application.joint_review
    if command.review != review.review:
        raise Refused(
            f"{command.review} is not its last joint review, {review.review or 'which has not ended'}",
            f"{command.review} 不是其最近一次办结的会签（{review.review or '尚未办结'}）",
            field="review",
            reason="ANOTHER_REVIEW",
        )
    _owe(review, command.owed_conditions)


def _owe(review: pb.JointReview, conditions: Iterable[pb.ReviewCondition]) -> None:
    review.ClearField("owed_conditions")
    review.owed_conditions.extend(conditions)


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

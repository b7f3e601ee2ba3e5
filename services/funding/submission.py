"""From the draft until an application is taken or refused."""

import datetime

from kernel.case import Case
from kernel.dates import from_date, to_date
from kernel.errors import DomainError, Invalid, NotFound, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding import eligibility
from services.funding.application import (
    check_budget,
    check_complete,
    check_references,
)
from services.funding.call import demand_open
from services.funding.checks import Stage, completes
from services.funding.joint_review import put_to_departments
from services.funding.programme import demand_active
from services.funding.rules import AWARDED, A, call_of, effective_day, end, programme_of, yuan

COMPLETION_DAYS = "completion-working-days"
"""Id of the pack's rule."""
JUDGED = (
    "recommendation",
    "completion",
    "formal_check",
    "duplicate_check",
    "expert_review",
    "public_notice",
)
"""What was found of an earlier submission; a resubmission is judged anew."""


def submit(application: pb.Application, command: pb.SubmitApplicationRequest, case: Case) -> None:
    """Submit, or resubmit. Raises Invalid for what is missing, Refused against the call."""
    call = call_of(application, case)
    eligibility.demand(application, Stage.SUBMISSION, case)
    demand_active(programme_of(application, case), "submit")
    check_complete(application)
    _check_amounts(application, call)
    _check_topic(application, call)
    check_references(application, case)
    _check_predecessor(application, case)
    for field in JUDGED:
        application.ClearField(field)  # type: ignore[arg-type]
    application.joint_review.CopyFrom(pb.JointReview(round=application.joint_review.round))
    application.concerned_departments[:] = [application.recommending_unit]
    application.submit_date.CopyFrom(from_date(case.today))


def resubmit(
    application: pb.Application, command: pb.ResubmitApplicationRequest, case: Case
) -> None:
    """Hand a completed application back to the joint review: it is as whole as a submission. What was judged before stands."""
    call = call_of(application, case)
    check_complete(application)
    eligibility.demand(application, Stage.CHANGE, case)
    _check_amounts(application, call)
    _check_topic(application, call)
    check_references(application, case)
    _check_predecessor(application, case)
    put_to_departments(application)


def _check_amounts(application: pb.Application, call: pb.Call) -> None:
    check_budget(application, application.requested_fen)
    most = yuan(call.max_award_fen)
    if call.max_award_fen and application.requested_fen > call.max_award_fen:
        raise Refused(
            f"{yuan(application.requested_fen)} CNY is over the call's most, {most} CNY",
            f"申请{yuan(application.requested_fen)}元超出指南上限{most}元",
            field="requested_fen",
            reason="OVER_THE_MOST",
        )


def _check_topic(application: pb.Application, call: pb.Call) -> None:
    if application.topic and call.topics and application.topic not in call.topics:
        raise Invalid(
            f"{application.topic} is no topic of the call; there are: {', '.join(call.topics)}",
            f"{application.topic}不是该指南的方向；可选：{'、'.join(call.topics)}",
            field="topic",
            reason="TOPIC_UNKNOWN",
        )


def _check_predecessor(application: pb.Application, case: Case) -> None:
    """A continuation names an earlier award, not itself."""
    if not application.predecessor:
        return
    try:
        earlier = case.get(application.predecessor)
    except NotFound as missing:
        raise missing.within("predecessor") from None
    if application.predecessor == application.name or earlier.state not in AWARDED:
        raise Refused(
            f"{application.predecessor} is no earlier award; name one, or leave predecessor empty",
            f"{application.predecessor} 不是已立项的在先项目；请更正或留空",
            field="predecessor",
            reason="PREDECESSOR_NOT_AWARDED",
        )


def withdraw(
    application: pb.Application, command: pb.WithdrawApplicationRequest, case: Case
) -> None:
    """Take the application back."""
    end(application, command.reason, "", case)


def recommend(
    application: pb.Application, command: pb.RecommendApplicationRequest, case: Case
) -> None:
    """Recommend it."""
    application.recommendation.unit = application.recommending_unit
    application.recommendation.opinion = command.opinion
    application.recommendation.date.CopyFrom(effective_day(case))


def request_completion(
    application: pb.Application, command: pb.RequestCompletionApplicationRequest, case: Case
) -> None:
    """Send it back to be completed and resubmitted. Raises Invalid for a day that is over."""
    last = to_date(command.complete_by, "complete_by") or _last_day(case)
    if last < case.today:
        raise Invalid(
            f"{last} is over; give {case.today} or later",
            f"{last}已过；请填写{case.today}或以后的日期",
            field="complete_by",
            reason="DATE_TOO_EARLY",
        )
    asked = pb.Completion(reason=command.reason, requested_by=case.caller.actor)
    asked.date.CopyFrom(effective_day(case))
    asked.complete_by.CopyFrom(from_date(last))
    application.completion.CopyFrom(asked)


def _last_day(case: Case) -> datetime.date:
    """Return until when to complete it, by the pack's rule; today where the pack has none."""
    if COMPLETION_DAYS not in case.pack.rules:
        return case.today
    days = case.pack.rules.get(COMPLETION_DAYS, case.effective).value
    return case.pack.add_working_days(case.today, days).date


def accept(application: pb.Application, command: pb.AcceptApplicationRequest, case: Case) -> None:
    """Take it into the procedure (受理)."""


def refuse(application: pb.Application, command: pb.RefuseApplicationRequest, case: Case) -> None:
    """Refuse to take it (不予受理). Raises Refused while it can still be completed."""
    if application.state == A.STATE_RETURNED and _may_resubmit(application, case):
        raise Refused(
            "it was sent back and can still be resubmitted; refuse it when its days are over",
            "该申报已退回补正且仍在期限内；期满后方可不予受理",
            reason="COMPLETION_RUNNING",
        )
    end(application, command.reason, "", case)


def _may_resubmit(application: pb.Application, case: Case) -> bool:
    if completes(application, case.today):
        return True
    try:
        demand_open(call_of(application, case), case)
    except DomainError:
        return False
    return True

"""What other departments say of an application: before the award of all of it, after the award of every change.

The departments answer about a revision. Until their answer is about the newest one that was put to them, nothing goes on.
"""

from collections.abc import Iterable

from kernel.case import Case
from kernel.errors import Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.rules import A, effective_day, programme_of


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
    review.asked_revision = _next(application)
    application.joint_review.CopyFrom(review)
    application.concerned_departments[:] = [application.recommending_unit, *asked]


def put_to_departments(application: pb.Application) -> None:
    """Ask about the application as this change leaves it, where departments were asked before."""
    review = application.joint_review
    if review.asked_revision or review.review:  # of a review that ended before revisions were kept
        review.asked_revision = _next(application)


def _next(application: pb.Application) -> int:
    return application.revision + 1


def waits(application: pb.Application) -> bool:
    """Tell whether the departments have not yet answered about the newest revision that was put to them."""
    review = application.joint_review
    return review.judged_revision < review.asked_revision


def ask_again(
    application: pb.Application, command: pb.AskAgainApplicationRequest, case: Case
) -> None:
    """Put a change again to those who objected or did not answer. Raises Refused: they agreed, or are still asked."""
    agreed = application.joint_review.outcome in (
        pb.JOINT_REVIEW_OUTCOME_UNSPECIFIED,
        pb.JOINT_REVIEW_OUTCOME_AGREED,
    )
    if agreed or waits(application):
        raise Refused(
            "no department objects or was silent: there is nothing to ask again",
            "没有部门不同意或逾期未答复，无须再次征求意见",
            reason="NOTHING_TO_ASK",
        )
    put_to_departments(application)


def conclude_joint_review(
    application: pb.Application, command: pb.ConcludeJointReviewApplicationRequest, case: Case
) -> int:
    """Take over the outcome; unless all agreed it stands where it stood before the review.

    After the award the outcome is of the changes that were put to the departments: they are marked with it.
    Raises Refused: the application was put to the departments once more since.
    """
    _demand_newest(application, command)
    review, awarded = application.joint_review, application.state != A.STATE_IN_JOINT_REVIEW
    review.review, review.outcome = command.review, command.outcome
    review.asked_revision = review.judged_revision = command.basis_revision
    review.conditions = command.conditions
    _owe(review, command.owed_conditions)
    review.conclude_date.CopyFrom(effective_day(case))
    _mark(application)
    if awarded:
        return application.state
    if command.outcome == pb.JOINT_REVIEW_OUTCOME_AGREED:
        return A.STATE_JOINTLY_REVIEWED
    return A.STATE_EXPERT_REVIEWED


def _demand_newest(
    application: pb.Application, command: pb.ConcludeJointReviewApplicationRequest
) -> None:
    asked = application.joint_review.asked_revision
    if command.basis_revision < asked:
        raise Refused(
            f"{command.review} is about revision {command.basis_revision}; the departments are asked about {asked}",
            f"{command.review} 针对第{command.basis_revision}版；现正就第{asked}版征求意见",
            field="basis_revision",
            reason="REVIEW_OUTDATED",
        )


def _mark(application: pb.Application) -> None:
    """An answer is about the newest change of each kind, and about every unit; what was replaced keeps what was said of it."""
    newest = {change.kind: number for number, change in enumerate(application.changes)}
    for number, change in enumerate(application.changes):
        stands = number == newest[change.kind] or change.kind == pb.CHANGE_KIND_UNIT
        if stands and change.joint_review_outcome != pb.JOINT_REVIEW_OUTCOME_AGREED:
            change.joint_review_outcome = application.joint_review.outcome


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

"""What other services' events mean to funding: records to refer to, joint reviews that ended, duplicate findings."""

from collections.abc import Iterator

from kernel.consumer import Reaction, leads_to, remembered
from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.coordination.v1 import findings_pb2 as findings
from luoshu.funding.v1 import funding_pb2 as pb
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry
from luoshu.platforms.v1 import platforms_pb2 as platforms
from luoshu.technologies.v1 import technologies_pb2 as technologies
from services.funding.hold import LAPSED

NAME = "funding"
JOINT = coordination.Review.KIND_JOINT_REVIEW
CONCLUDED = "STATE_CONCLUDED"
FOLLOWED = ("revise", "resume")
"""What tells a review that the application has changed."""
MOST_WORDS = 200  # characters of a condition
OUTCOMES = {
    coordination.OUTCOME_AGREED: pb.JOINT_REVIEW_OUTCOME_AGREED,
    coordination.OUTCOME_OBJECTED: pb.JOINT_REVIEW_OUTCOME_OBJECTED,
    coordination.OUTCOME_UNANSWERED: pb.JOINT_REVIEW_OUTCOME_WITHDRAWN,
}


def on_platforms(entry: JournalEntry) -> Reaction:
    """Remember the platform."""
    event = platforms.PlatformsEvent.FromString(entry.event)
    if not event.HasField("platform"):
        return Reaction()
    return remembered(entry, event.change, event.platform)


def on_technologies(entry: JournalEntry) -> Reaction:
    """Remember the breakthrough."""
    event = technologies.TechnologiesEvent.FromString(entry.event)
    if not event.HasField("breakthrough"):
        return Reaction()
    return remembered(entry, event.change, event.breakthrough)


def on_coordination(entry: JournalEntry) -> Reaction:
    """Move an application on when its joint review has ended; follow its conditions, and what findings mean for awards."""
    event = coordination.CoordinationEvent.FromString(entry.event)
    if event.WhichOneof("record") == "finding":
        return _finding(entry, event)
    if event.WhichOneof("record") == "agenda":
        return _compared(entry, event.agenda)
    review, change = event.review, event.change
    if review.kind != JOINT or not review.application:
        return Reaction()
    if _ends(change, review):
        return leads_to(
            NAME, entry, "conclude_joint_review", review.application, _concluded(review)
        )
    fell_away = any(c.lapse_date == review.effective_date for c in review.conditions)
    if change.action == "confirm_condition" or (change.action in FOLLOWED and fell_away):
        request = pb.FollowConditionsApplicationRequest(
            review=review.name, owed_conditions=_owed(review)
        )
        return leads_to(NAME, entry, "follow_conditions", review.application, request)
    return Reaction()


def _compared(entry: JournalEntry, agenda: coordination.Agenda) -> Reaction:
    """Coordination seeks duplicates of an event before it says what is owed of it: its findings have come before."""
    if not agenda.compared_revision:
        return Reaction()
    request = pb.FollowComparisonApplicationRequest(compared_revision=agenda.compared_revision)
    return leads_to(NAME, entry, "follow_comparison", agenda.subject, request)


def _ends(change: Change, review: coordination.Review) -> bool:
    """Tell whether a review has ended, or has ended already and its outcome is of what was put to it now."""
    ended, again = change.to_state == CONCLUDED, change.action in FOLLOWED
    asked_now = again and review.asked_revision == review.basis_revision
    return ended and (change.from_state != CONCLUDED or asked_now)


def _concluded(review: coordination.Review) -> pb.ConcludeJointReviewApplicationRequest:
    return pb.ConcludeJointReviewApplicationRequest(
        review=review.name,
        outcome=OUTCOMES[review.outcome],
        conditions=_conditions(review),
        owed_conditions=_owed(review),
        basis_revision=review.asked_revision,
    )


def _owed(review: coordination.Review) -> Iterator[pb.ReviewCondition]:
    """Yield the conditions; what fell away with an opinion is owed until its department has answered anew."""
    asked = {o.department for o in review.opinions if not (o.verdict or o.silent)}
    for condition in review.conditions:
        owed = pb.ReviewCondition(
            number=condition.number,
            department=condition.department,
            text=condition.text[:MOST_WORDS],
            due_date=condition.due_date if condition.HasField("due_date") else None,
        )
        if condition.HasField("confirm_date"):
            owed.done_date.CopyFrom(condition.confirm_date)
        elif condition.HasField("lapse_date") and condition.department not in asked:
            owed.done_date.CopyFrom(condition.lapse_date)
        yield owed


def _finding(entry: JournalEntry, event: coordination.CoordinationEvent) -> Reaction:
    """A hold is made with its finding and follows it from then on; it has the finding's own id."""
    finding = event.finding
    name = f"holds/{finding.name.partition('/')[2]}"
    hold = pb.Hold(
        title=finding.title,
        application=finding.application,
        other=finding.other,
        finding=finding.name,
        round=finding.round,
        disposition=_disposition(finding),
        deciding_department=finding.deciding_department,
        lead_department=finding.lead_department,
        concerned_departments=finding.concerned_departments,
    )
    if finding.HasField("decide_date"):
        hold.decide_date.CopyFrom(finding.decide_date)
    if event.change.action == "create":
        return leads_to(NAME, entry, "create", name, None, hold)
    return leads_to(NAME, entry, "follow", name, pb.FollowHoldRequest(hold=hold))


def _disposition(finding: findings.Finding) -> str:
    if finding.state == findings.Finding.STATE_LAPSED:
        return LAPSED
    said = finding.disposition
    return findings.Disposition.Name(said) if said else ""


def _conditions(review: coordination.Review) -> str:
    lines = [
        f"{opinion.department}: {text}"
        for opinion in review.opinions
        for text in (*opinion.conditions, opinion.text)
        if text
    ]
    return "\n".join(lines)[:2000]

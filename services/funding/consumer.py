"""What other services' events mean to funding: records that may be referred to, and joint reviews that have ended."""

from kernel.consumer import Reaction, command_of, remembered
from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.funding.v1 import funding_pb2 as pb
from luoshu.journal.v1.journal_pb2 import JournalEntry
from luoshu.platforms.v1 import platforms_pb2 as platforms
from luoshu.technologies.v1 import technologies_pb2 as technologies

JOINT = coordination.Review.KIND_JOINT_REVIEW
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
    """Move an application on when its joint review has ended."""
    event = coordination.CoordinationEvent.FromString(entry.event)
    review = event.review
    joint = review.kind == JOINT and review.application
    was, now = event.change.from_state, event.change.to_state
    if not joint or was == now or now != "STATE_CONCLUDED":
        return Reaction()
    request = pb.ConcludeJointReviewApplicationRequest(
        review=review.name, outcome=OUTCOMES[review.outcome], conditions=_conditions(review)
    )
    return Reaction(
        (command_of("funding", entry, "conclude_joint_review", review.application, request),)
    )


def _conditions(review: coordination.Review) -> str:
    lines = [
        f"{opinion.department}: {text}"
        for opinion in review.opinions
        for text in (*opinion.conditions, opinion.text)
        if text
    ]
    return "\n".join(lines)[:2000]

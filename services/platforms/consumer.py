"""What other services' events mean to platforms: joint reviews that have ended."""

from kernel.consumer import Reaction, leads_to
from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.journal.v1.journal_pb2 import JournalEntry
from luoshu.platforms.v1 import platforms_pb2 as pb

Opinion = pb.DepartmentOpinion
JOINT = coordination.Review.KIND_JOINT_REVIEW
VERDICTS = {
    coordination.VERDICT_AGREE: Opinion.VERDICT_AGREES,
    coordination.VERDICT_AGREE_WITH_CONDITIONS: Opinion.VERDICT_AGREES,
    coordination.VERDICT_OBJECT: Opinion.VERDICT_DISAGREES,
    coordination.VERDICT_RECUSE: Opinion.VERDICT_RECUSED,
    coordination.VERDICT_UNSPECIFIED: Opinion.VERDICT_SILENT,
}
MOST_TEXT = 1000


def on_coordination(entry: JournalEntry) -> Reaction:
    """Move a platform on when its joint review has ended."""
    event = coordination.CoordinationEvent.FromString(entry.event)
    review, change = event.review, event.change
    own = review.kind == JOINT and review.subject.startswith("platforms/")
    if not (own and change.from_state != change.to_state == "STATE_CONCLUDED"):
        return Reaction()
    request = pb.ConcludeJointReviewPlatformRequest(
        joint_review=review.name, opinions=[_opinion(opinion) for opinion in review.opinions]
    )
    return leads_to("platforms", entry, "conclude_joint_review", review.subject, request)


def _opinion(opinion: coordination.Opinion) -> pb.DepartmentOpinion:
    said = "；".join(filter(None, (opinion.text, *opinion.conditions)))[:MOST_TEXT]
    verdict = VERDICTS[opinion.verdict]
    if opinion.deemed:
        verdict = Opinion.VERDICT_DEEMED
    return Opinion(department=opinion.department, verdict=verdict, opinion=said)

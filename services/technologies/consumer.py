"""What other services' events mean to technologies: platforms that may be linked, and what departments say of a publication."""

from kernel.consumer import Reaction, leads_to, remembered
from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.journal.v1.journal_pb2 import JournalEntry
from luoshu.platforms.v1 import platforms_pb2 as platforms
from luoshu.technologies.v1 import technologies_pb2 as pb

Outcome = pb.Publication.Outcome
OUTCOMES = {
    coordination.OUTCOME_AGREED: Outcome.OUTCOME_AGREED,
    coordination.OUTCOME_OBJECTED: Outcome.OUTCOME_OBJECTED,
    coordination.OUTCOME_UNANSWERED: Outcome.OUTCOME_UNANSWERED,
}
MOST_TEXT = 2000


def on_platforms(entry: JournalEntry) -> Reaction:
    """Remember the platform."""
    event = platforms.PlatformsEvent.FromString(entry.event)
    if not event.HasField("platform"):
        return Reaction()
    return remembered(entry, event.change, event.platform)


def on_coordination(entry: JournalEntry) -> Reaction:
    """Take over what came of the departments' review of a joint publication."""
    event = coordination.CoordinationEvent.FromString(entry.event)
    review, change = event.review, event.change
    ended = change.from_state != change.to_state == "STATE_CONCLUDED"
    if review.kind != coordination.Review.KIND_PUBLICATION or not ended:
        return Reaction()
    lines = [
        f"{opinion.department}: {text}"
        for opinion in review.opinions
        for text in (*opinion.conditions, opinion.text)
        if text
    ]
    outcome = OUTCOMES[review.outcome]
    recused = any(opinion.verdict == coordination.VERDICT_RECUSE for opinion in review.opinions)
    if recused and outcome == Outcome.OUTCOME_AGREED:
        # In a review a recusal counts for nothing; it is no consent to publish.
        outcome = Outcome.OUTCOME_UNANSWERED
    request = pb.ConcludeCirculationBreakthroughRequest(
        review=review.name, outcome=outcome, opinions="\n".join(lines)[:MOST_TEXT]
    )
    return leads_to("technologies", entry, "conclude_circulation", review.subject, request)

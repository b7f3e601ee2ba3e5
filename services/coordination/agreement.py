"""What the departments last agreed to: where a change of it is taken back, it stands again, and nobody is asked."""

from collections.abc import Collection, Iterable

from luoshu.coordination.v1 import coordination_pb2 as pb
from services.coordination.marking import digests

KEPT = (pb.VERDICT_AGREE, pb.VERDICT_AGREE_WITH_CONDITIONS)
MOST_TEXT = 200
"""Characters kept of an opinion that lapsed; the whole is in the revision that gave it."""


def keep(review: pb.Review) -> None:
    """Keep what was agreed to before a change touches it; what is not agreed to replaces nothing."""
    if review.outcome != pb.OUTCOME_AGREED:
        return
    agreement = pb.Agreement(basis=review.basis, opinions=review.opinions)
    for opinion in agreement.opinions:
        shorten(opinion)
    agreement.conditions.extend(c.number for c in review.conditions if not c.HasField("lapse_date"))
    review.agreement.CopyFrom(agreement)


def shorten(opinion: pb.Opinion) -> None:
    """Leave of an opinion what a list of them has room for."""
    opinion.text = opinion.text[:MOST_TEXT]
    for field in ("conditions", "reminders"):
        opinion.ClearField(field)


def restore(review: pb.Review, opinion: pb.Opinion) -> bool:
    """Let a department's part of the agreement stand again, its conditions too, where all that it is about is as it was.

    Return whether it does.
    """
    agreed = next(
        (o for o in review.agreement.opinions if o.department == opinion.department), None
    )
    if agreed is None or not _as_it_was(review, {*agreed.concerns, *opinion.concerns}):
        return False
    asked = opinion.ask
    opinion.CopyFrom(agreed)
    opinion.ask = asked
    opinion.conditions.extend(_revived(review, opinion.department, review.agreement.conditions))
    return True


def _revived(review: pb.Review, department: str, numbers: Collection[int]) -> list[str]:
    """Let conditions of a department stand again; return their texts."""
    again = [c for c in review.conditions if c.department == department and c.number in numbers]
    for condition in again:
        condition.ClearField("lapse_date")
    return [condition.text for condition in again]


def _as_it_was(review: pb.Review, fields: Iterable[str]) -> bool:
    then, now = digests(review.agreement.basis), digests(review.basis)
    return all(then.get(field) == now.get(field) for field in fields)


def open_(condition: pb.Condition) -> bool:
    """Tell whether a condition is neither met nor gone."""
    return not (condition.HasField("confirm_date") or condition.HasField("lapse_date"))


def stand_again(review: pb.Review, opinion: pb.Opinion) -> None:
    """Let silence be the consent that it was, with what it hung on: conditions that fell away with a department's last one."""
    given = [
        gone
        for gone in review.lapses
        if gone.opinion.department == opinion.department and gone.opinion.verdict in KEPT
    ]
    if texts := _revived(review, opinion.department, given[-1].conditions if given else ()):
        opinion.conditions.extend(texts)
        opinion.verdict = pb.VERDICT_AGREE_WITH_CONDITIONS

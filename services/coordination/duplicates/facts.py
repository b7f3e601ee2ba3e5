"""What two applications have in common besides their texts, each part by itself."""

from collections.abc import Collection, Iterator

from luoshu.coordination.v1 import findings_pb2 as pb
from services.coordination.duplicates.document import Document

K = pb.Part.Kind
PERMILLE = 1000


def parts(left: Document, right: Document) -> Iterator[pb.Part]:
    """Yield the parts that both applications say something about."""
    yield from _common(K.KIND_UNITS, left.units, right.units)
    if left.investigator and right.investigator:
        same = PERMILLE * (left.investigator == right.investigator)
        yield pb.Part(kind=K.KIND_INVESTIGATOR, score=same)
    if left.period and right.period:
        yield pb.Part(kind=K.KIND_PERIOD, score=overlap(left, right), shared=_days(left, right))
    yield from _budget(left, right)
    a, b = left.application, right.application
    yield from _common(K.KIND_BREAKTHROUGHS, a.breakthroughs, b.breakthroughs)
    yield from _common(K.KIND_PLATFORMS, a.platforms, b.platforms)


def same_people(left: Document, right: Document) -> bool:
    """Tell whether a unit or the investigator takes part in both."""
    if left.units & right.units:
        return True
    return bool(left.investigator) and left.investigator == right.investigator


def same_work(left: Document, right: Document) -> bool:
    """Tell whether the facts alone point to one piece of work: the same people, at the same time, on the same thing."""
    a, b = left.application, right.application
    on_one = bool(set(a.breakthroughs) & set(b.breakthroughs))
    paid_alike = bool(left.budget and left.budget == right.budget)
    on_platform = bool(set(a.platforms) & set(b.platforms)) and paid_alike
    return same_people(left, right) and overlap(left, right) > 0 and (on_one or on_platform)


def overlap(left: Document, right: Document) -> int:
    """Return how much of the shorter period lies in the other, permille; 0 where a period is not said."""
    days = overlap_days(left, right)
    if not (left.period and right.period and days):
        return 0
    shorter = min((last - first).days + 1 for first, last in (left.period, right.period))
    return days * PERMILLE // shorter


def overlap_days(left: Document, right: Document) -> int:
    """Return on how many days both are under way."""
    if not (left.period and right.period):
        return 0
    first = max(left.period[0], right.period[0])
    last = min(left.period[1], right.period[1])
    return max(0, (last - first).days + 1)


def _days(left: Document, right: Document) -> list[str]:
    if not (left.period and right.period and overlap_days(left, right)):
        return []
    return [f"{max(left.period[0], right.period[0])}/{min(left.period[1], right.period[1])}"]


def _budget(left: Document, right: Document) -> Iterator[pb.Part]:
    if left.budget and right.budget:
        shared = left.budget & right.budget
        whole = min(sum(fen for _, fen in lines) for lines in (left.budget, right.budget))
        part = sum(fen for _, fen in shared)
        named = [f"{kind} {fen}" for kind, fen in sorted(shared)]
        yield pb.Part(
            kind=K.KIND_BUDGET, score=part * PERMILLE // whole if whole else 0, shared=named
        )


def _common(
    kind: "pb.Part.Kind.ValueType", left: Collection[str], right: Collection[str]
) -> Iterator[pb.Part]:
    if left and right:
        shared = sorted(set(left) & set(right))
        score = len(shared) * PERMILLE // min(len(set(left)), len(set(right)))
        yield pb.Part(kind=kind, score=score, shared=shared)

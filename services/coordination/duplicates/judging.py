"""From two documents to a candidate with everything that speaks for it. It says what is alike; a person decides what it is."""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kernel.pack import Pack
from luoshu.coordination.v1 import findings_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from services.coordination.duplicates import facts
from services.coordination.duplicates.comparing import Comparison, Match, Weighed, compare
from services.coordination.duplicates.continuation import Earlier, checked
from services.coordination.duplicates.document import BETWEEN, Document
from services.coordination.duplicates.weighing import Weights

K = pb.Part.Kind
CONTINUES = "continuation-is-no-duplicate"
"""Id of the pack's rule."""
LEAST = 1500
"""Weight, 1/16 bit, that a text needs: a title and three words are alike by chance."""
MOST_QUOTES = 8
LONGEST_QUOTE = 400  # characters; a longer sentence is quoted by its beginning


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on a pair is raised, permille; how many days phases may overlap, and whether they excuse a pair at all."""

    other: int
    own: int
    facts: int
    meaning: int
    overlap_days: int
    continuations: bool


def thresholds(pack: Pack, day: datetime.date) -> Thresholds:
    """Return the pack's, as they are on the day."""

    def value(rule: str) -> int:
        return pack.rules.get(f"duplicate-{rule}", day).value

    return Thresholds(
        value("text-other-unit"),
        value("text-own-unit"),
        value("text-same-facts"),
        value("meaning"),
        value("phase-overlap-days"),
        CONTINUES not in pack.rules or bool(pack.rule(CONTINUES, day)),
    )


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges pairs against the corpus and the policy of one moment."""

    weights: Weights
    limits: Thresholds
    earlier: Earlier

    def candidates(
        self, document: Document, others: Iterable[Document], meaning: Mapping[int, int]
    ) -> list[pb.Candidate]:
        """Return the others as candidates. `meaning`: number → permille, for those of another language."""
        own = self._weighed(document)
        return [self._candidate(document, own, o, meaning.get(o.number)) for o in others]

    def _candidate(
        self, left: Document, own: Weighed, right: Document, meaning: int | None
    ) -> pb.Candidate:
        found = compare(own, self._weighed(right), self.weights)
        said = pb.Candidate(
            application=right.name,
            title=right.application.title,
            department=right.department,
            state=funding.Application.State.Name(right.application.state),
            parts=[*_text_parts(found, meaning), *facts.parts(left, right)],
            matching_sentences=len(found.matches),
            funding_position=right.position,
        )
        said.evidence.extend(self._evidence(left, right, found))
        said.basis, said.score, said.threshold = self._measure(left, right, found, meaning)
        limits = self.limits
        declared = limits.continuations and checked(left, right, self.earlier, limits.overlap_days)
        if declared:
            said.continuation.CopyFrom(declared)
        said.raised = said.score >= said.threshold and not said.continuation.holds
        return said

    def _weighed(self, document: Document) -> Weighed:
        return Weighed.of(document.text, self.weights, document.application.title)

    def _measure(
        self, left: Document, right: Document, found: Comparison, meaning: int | None
    ) -> "tuple[pb.Basis.ValueType, int, int]":
        """Return by what the pair is judged, its score and the threshold."""
        if meaning is not None and meaning >= self.limits.meaning:
            return pb.BASIS_MEANING, meaning, self.limits.meaning
        score = found.score if self._says_enough(left, right) else 0
        own = facts.same_people(left, right)
        limit = self.limits.own if own else self.limits.other
        if score < limit and facts.same_work(left, right):
            return pb.BASIS_FACTS, found.score, self.limits.facts
        return pb.BASIS_TEXT, score, limit

    def _says_enough(self, left: Document, right: Document) -> bool:
        return all(self.weights.total(d.text.terms) >= LEAST for d in (left, right))

    def _evidence(
        self, left: Document, right: Document, found: Comparison
    ) -> Iterator[pb.Evidence]:
        def heavy(match: Match) -> tuple[int, int, int]:
            shared = set(left.text.sentences[match.left].terms)
            shared &= set(right.text.sentences[match.right].terms)
            return -self.weights.total(shared), match.left, match.right

        for match in sorted(found.matches, key=heavy)[:MOST_QUOTES]:
            field, offset, quote = _quoted(left, match.left)
            other_field, other_offset, other_quote = _quoted(right, match.right)
            yield pb.Evidence(
                field=field,
                quote=quote,
                offset=offset,
                other_field=other_field,
                other_quote=other_quote,
                other_offset=other_offset,
                share=match.share,
                copied=match.copied,
            )


def _text_parts(found: Comparison, meaning: int | None) -> Iterator[pb.Part]:
    yield pb.Part(kind=K.KIND_WORDS, score=found.contained)
    yield pb.Part(kind=K.KIND_SENTENCES, score=found.aligned)
    yield pb.Part(kind=K.KIND_COPIED, score=found.copied)
    if meaning is not None:
        yield pb.Part(kind=K.KIND_MEANING, score=meaning)


def _quoted(document: Document, index: int) -> tuple[str, int, str]:
    """Return the field, where in it the sentence begins, and the sentence."""
    start = document.text.sentences[index].start
    quote = document.text.quote(index)[:LONGEST_QUOTE]
    before = len(document.application.title) + len(BETWEEN)
    return ("title", start, quote) if start < before else ("abstract", start - before, quote)

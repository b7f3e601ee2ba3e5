"""Two texts side by side: which sentences say the same, what was copied word for word, and how much of it all."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from services.coordination.duplicates.text import Text
from services.coordination.duplicates.weighing import Weights

PERMILLE = 1000
LIKE = 550
"""Permille of two sentences' weight that they must share to say the same."""
LIKE_COPIED = 400
"""The same, where they share a fingerprint too."""
SUBSTANCE = 320
"""Weight, 1/16 bit, that a sentence's shared terms must have: two short phrases are no evidence."""
GRAM, WINDOW = 5, 4
"""Winnowing (Schleimer, Wilkerson, Aiken 2003): whatever is copied over GRAM + WINDOW - 1 terms shares a fingerprint."""


@dataclass(frozen=True, slots=True)
class Match:
    """A sentence of the left text and the one of the right that says the same. `share`: of their weight, permille."""

    left: int
    right: int
    share: int
    copied: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two texts share, permille.

    `contained`: of the weight of the shorter one's terms. `aligned`: of the shorter one's sentences, a like title counting
    for nothing. `copied`: of its fingerprints.
    """

    contained: int
    aligned: int
    copied: int
    matches: tuple[Match, ...]

    @property
    def score(self) -> int:
        return (self.contained + self.aligned) // 2


@dataclass(frozen=True, slots=True)
class Weighed:
    """A text as the corpus weighs it, made once for all that it is compared with.

    `sentences`: their terms; `heavy`: their weights; `prints`: fingerprint → the sentences that it lies in; `titles`: how
    many sentences the title has. A title names the work and says nothing of what is done; a call's name is many a title.
    """

    text: Text
    total: int
    sentences: tuple[frozenset[int], ...]
    heavy: tuple[int, ...]
    prints: dict[int, set[int]]
    titles: int = 0

    @classmethod
    def of(cls, text: Text, weights: Weights, title: str = "") -> "Weighed":
        """`title`: what the text begins with."""
        sentences = tuple(frozenset(sentence.terms) for sentence in text.sentences)
        heavy = tuple(map(weights.total, sentences))
        titles = sum(sentence.start < len(title) for sentence in text.sentences)
        return cls(text, weights.total(text.terms), sentences, heavy, _fingerprints(text), titles)


def compare(left: Weighed, right: Weighed, weights: Weights) -> Comparison:
    """Return what two texts share; the same, mirrored, with the sides exchanged."""
    shared = left.text.terms & right.text.terms
    matches = tuple(_aligned(left, right, _shares(left, right, shared, weights)))
    return Comparison(
        _share(weights.total(shared), min(left.total, right.total)),
        _share_aligned(left, right, matches),
        _share(len(left.prints.keys() & right.prints), min(len(left.prints), len(right.prints))),
        matches,
    )


def _share(part: int, whole: int) -> int:
    return part * PERMILLE // whole if whole else 0


def _share_aligned(left: Weighed, right: Weighed, matches: tuple[Match, ...]) -> int:
    """Return how much of the shorter text's sentences has a match, by weight; one with a title counts for nothing."""
    of_left = left.total <= right.total
    shorter = left if of_left else right
    bodies = (m for m in matches if m.left >= left.titles and m.right >= right.titles)
    found = {m.left if of_left else m.right for m in bodies}
    return _share(sum(shorter.heavy[at] for at in found), sum(shorter.heavy))


def _aligned(left: Weighed, right: Weighed, shares: dict[tuple[int, int], int]) -> Iterator[Match]:
    """Yield for each sentence of either text its best match in the other, each pair once."""
    copied = _copied(left.prints, right.prints)
    pairs = {*_best(shares, 0).items(), *((i, j) for j, i in _best(shares, 1).items())}
    for pair in sorted(pairs):
        if shares[pair] >= (LIKE_COPIED if pair in copied else LIKE):
            yield Match(*pair, shares[pair], pair in copied)


def _shares(
    left: Weighed, right: Weighed, common: frozenset[int], weights: Weights
) -> dict[tuple[int, int], int]:
    """Return (left, right) → what two sentences share of their weight (Dice), permille, where it is of substance."""
    where = defaultdict[int, list[int]](list)
    for j, terms in enumerate(right.sentences):
        for term in terms & common:
            where[term].append(j)
    shared = defaultdict[tuple[int, int], int](int)
    for i, terms in enumerate(left.sentences):
        for term in terms & common:
            weight = weights.of(term)
            for j in where[term]:
                shared[i, j] += weight
    return {
        (i, j): _share(2 * both, left.heavy[i] + right.heavy[j])
        for (i, j), both in shared.items()
        if both >= SUBSTANCE
    }


def _best(shares: dict[tuple[int, int], int], side: int) -> dict[int, int]:
    """Return sentence of one side → the other side's that is most like it; of equals the first."""
    best = dict[int, tuple[int, int]]()
    for pair, share in shares.items():
        rank = (-share, pair[1 - side])
        if pair[side] not in best or rank < best[pair[side]]:
            best[pair[side]] = rank
    return {index: other for index, (_, other) in best.items()}


def _copied(ours: dict[int, set[int]], theirs: dict[int, set[int]]) -> set[tuple[int, int]]:
    """Return the pairs of sentences that share a fingerprint."""
    return {
        (i, j) for mark in ours.keys() & theirs.keys() for i in ours[mark] for j in theirs[mark]
    }


def _fingerprints(text: Text) -> dict[int, set[int]]:
    """Return fingerprint → the sentences that it lies in: of every WINDOW neighbouring grams the least."""
    found = defaultdict[int, set[int]](set)
    for index, sentence in enumerate(text.sentences):
        grams = _grams(sentence.terms)
        for at in range(max(1, len(grams) - WINDOW + 1) if grams else 0):
            found[min(grams[at : at + WINDOW])].add(index)
    return found


def _grams(terms: tuple[int, ...]) -> list[int]:
    """Return a number for every GRAM neighbouring terms; these are hashes already, so that a sum mixes enough."""
    runs = zip(*(terms[at:] for at in range(GRAM)), strict=False)
    return [a + 3 * b + 5 * c + 7 * d + 11 * e for a, b, c, d, e in runs]

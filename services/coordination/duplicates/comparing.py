"""Two texts side by side: which sentences say the same, what was copied word for word, and how much of it all."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

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

    `contained`: of the weight of the shorter one's terms. `aligned`: of the shorter one's sentences. `copied`: of its
    fingerprints.
    """

    contained: int
    aligned: int
    copied: int
    matches: tuple[Match, ...]

    @property
    def score(self) -> int:
        return (self.contained + self.aligned) // 2


def compare(left: Text, right: Text, weights: Weights) -> Comparison:
    """Return what two texts share; the same, mirrored, with the sides exchanged."""
    own, other = weights.total(left.terms), weights.total(right.terms)
    shared = weights.total(left.terms & right.terms)
    prints = _fingerprints(left), _fingerprints(right)
    matches = tuple(_aligned(left, right, weights, _copied(*prints)))
    return Comparison(
        _share(shared, min(own, other)),
        _share_aligned(left, right, matches, weights, own <= other),
        _share(len(prints[0].keys() & prints[1].keys()), min(map(len, prints))),
        matches,
    )


def _share(part: int, whole: int) -> int:
    return part * PERMILLE // whole if whole else 0


def _share_aligned(
    left: Text, right: Text, matches: tuple[Match, ...], weights: Weights, of_left: bool
) -> int:
    """Return how much of the shorter text's sentences has a match, by weight."""
    text = left if of_left else right
    found = {m.left if of_left else m.right for m in matches}
    heavy = [weights.total(set(sentence.terms)) for sentence in text.sentences]
    return _share(sum(heavy[index] for index in found), sum(heavy))


def _aligned(
    left: Text, right: Text, weights: Weights, copied: set[tuple[int, int]]
) -> Iterator[Match]:
    """Yield for each sentence of either text its best match in the other, each pair once. `copied`: share a fingerprint."""
    rights = [frozenset(s.terms) for s in right.sentences]
    lefts = [frozenset(s.terms) for s in left.sentences]
    heavy = [weights.total(terms) for terms in lefts], [weights.total(terms) for terms in rights]
    shares = _shares(lefts, rights, heavy, weights)
    best_left = _best(shares, 0)
    best_right = _best(shares, 1)
    for i, j in sorted(set(best_left.items()) | {(i, j) for j, i in best_right.items()}):
        share = shares[i, j]
        if share >= (LIKE_COPIED if (i, j) in copied else LIKE):
            yield Match(i, j, share, (i, j) in copied)


def _shares(
    lefts: list[frozenset[int]],
    rights: list[frozenset[int]],
    heavy: tuple[list[int], list[int]],
    weights: Weights,
) -> dict[tuple[int, int], int]:
    """Return (left, right) → what two sentences share of their weight (Dice), permille, where it is of substance."""
    where = defaultdict[int, list[int]](list)
    for j, terms in enumerate(rights):
        for term in terms:
            where[term].append(j)
    shared = defaultdict[tuple[int, int], int](int)
    for i, terms in enumerate(lefts):
        for term in terms:
            for j in where.get(term, ()):
                shared[i, j] += weights.of(term)
    return {
        (i, j): _share(2 * both, heavy[0][i] + heavy[1][j])
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
        terms = sentence.terms
        grams = [_gram(terms[at : at + GRAM]) for at in range(len(terms) - GRAM + 1)]
        for at in range(max(1, len(grams) - WINDOW + 1)):
            if grams:
                found[min(grams[at : at + WINDOW])].add(index)
    return found


def _gram(terms: tuple[int, ...]) -> int:
    joined = b"".join(term.to_bytes(8) for term in terms)
    return int.from_bytes(blake2b(joined, digest_size=8).digest()) >> 1

"""How much a term says: the rarer in the corpus, the more. Whole numbers only, so that no order of arrival changes a score."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

SCALE = 16
"""Parts of one bit."""
PRIOR = 64
"""Documents that are assumed beside those there are: without them a corpus of two knows no rare words."""


@dataclass(frozen=True, slots=True)
class Weights:
    """`documents`: how many the corpus has. `frequencies`: term → how many of them it is in; absent: none."""

    documents: int
    frequencies: Mapping[int, int]

    def of(self, term: int) -> int:
        return weight(self.documents, self.frequencies.get(term, 0))

    def total(self, terms: Iterable[int]) -> int:
        return sum(map(self.of, terms))


@lru_cache(maxsize=1 << 16)
def weight(documents: int, frequency: int) -> int:
    """Return the weight of a term that `frequency` of so many documents have, in 1/16 bit; at least 1."""
    return max(1, _log(documents + PRIOR) - _log(frequency + 1))


@lru_cache(maxsize=1 << 16)
def _log(number: int) -> int:
    """Return floor(16 · log2(number)), exactly and alike on every machine."""
    return int(number**SCALE).bit_length() - 1

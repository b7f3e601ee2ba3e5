"""How much a term says: the rarer in the corpus, the more. Whole numbers only, so that no order of arrival changes a score."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
    _known: "_Known" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_known", _Known(self.documents, self.frequencies))

    def of(self, term: int) -> int:
        return self._known[term]

    def total(self, terms: Iterable[int]) -> int:
        return sum(map(self._known.__getitem__, terms))


class _Known(dict[int, int]):
    """Term → its weight, worked out when it is first asked for: a check asks thousands of times for a few hundred."""

    def __init__(self, documents: int, frequencies: Mapping[int, int]) -> None:
        self.documents, self.frequencies = documents, frequencies

    def __missing__(self, term: int) -> int:
        return self.setdefault(term, weight(self.documents, self.frequencies.get(term, 0)))


@lru_cache(maxsize=1 << 16)
def weight(documents: int, frequency: int) -> int:
    """Return the weight of a term that `frequency` of so many documents have, in 1/16 bit; at least 1."""
    return max(1, _log(documents + PRIOR) - _log(frequency + 1))


@lru_cache(maxsize=1 << 16)
def _log(number: int) -> int:
    """Return floor(16 · log2(number)), exactly and alike on every machine."""
    return int(number**SCALE).bit_length() - 1

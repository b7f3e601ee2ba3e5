"""Across languages: translations made by hand against all the English works, by the vectors and the limit that serve."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy

from bench.duplicates.corpus import Work
from bench.duplicates.measuring import DAY, PACK, application
from services.coordination.duplicates.document import Document
from services.coordination.duplicates.judging import thresholds
from services.coordination.duplicates.meaning import NEAR, PERMILLE, Meanings


@dataclass(frozen=True)
class Languages:
    """`found`: translations that raise their original. `false`: translations that raise another applicant's work.

    `honest_false`: English works that raise a Chinese text which is no translation of a work of their applicant.
    """

    translated: int
    found: int
    false: int
    honest: int
    honest_false: int
    missed: tuple[tuple[str, int], ...]
    wrong: tuple[tuple[str, str, int], ...]


def across(english: Sequence[Work], chinese: Sequence[Work]) -> Languages | None:
    """Return the figures; None where the extra is not installed."""
    meanings = Meanings.installed()
    if meanings is None:
        return None
    limit = thresholds(PACK, DAY).meaning
    ours, theirs = _vectors(meanings, chinese), _vectors(meanings, english)
    likeness = numpy.floor(ours @ theirs.T * PERMILLE).astype(int)
    missed, wrong, found = list[tuple[str, int]](), list[tuple[str, str, int]](), 0
    for row, work in zip(likeness, chinese, strict=True):
        near = [int(j) for j in numpy.argsort(-row, kind="stable")[:NEAR] if row[j] >= limit]
        original = next(j for j, w in enumerate(english) if f"{w.id}-zh" == work.id)
        found += original in near
        if original not in near:
            missed.append((f"{work.id} {english[original].title}", int(row[original])))
        wrong += [
            (f"{work.id} {english[original].title}", english[j].title, int(row[j]))
            for j in near
            if english[j].applicant != work.applicant
        ]
    honest_false = sum(
        any(
            row[i] >= limit and chinese[i].applicant != work.applicant
            for i in numpy.argsort(-row, kind="stable")[:NEAR]
        )
        for row, work in zip(likeness.T, english, strict=True)
    )
    false = len({name for name, _, _ in wrong})
    return Languages(
        len(chinese), found, false, len(english), honest_false, tuple(missed), tuple(wrong)
    )


def _vectors(meanings: Meanings, works: Sequence[Work]) -> "numpy.ndarray":
    encoded = [
        meanings.vector(Document(application(work, f"a{work.id}", work.applicant)))
        for work in works
    ]
    return numpy.stack([meanings.unit(vector) for vector in encoded])

"""The page of results: each figure beside its goal, one column a part; then the confusion and the worst mistakes."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.duplicates.corpus import Work

if TYPE_CHECKING:
    from bench.duplicates.languages import Languages

MOST = 12
"""Mistakes that are listed, of each kind and part."""


@dataclass(frozen=True)
class Mistake:
    """One check that went wrong. `other`: what was alarmed at; None where something was missed. `score`: permille."""

    kind: str
    work: Work
    other: Work | None
    score: int


@dataclass
class Figures:
    """What one part gave. `english`, `chinese`: works."""

    name: str
    english: int
    chinese: int
    honest: int = 0
    has_own: int = 0
    alarmed_other: int = 0
    alarmed_own: int = 0
    false_alarms: int = 0
    evidence: int = 0
    evidence_true: int = 0
    disguised: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    mistakes: list[Mistake] = field(default_factory=list)

    @property
    def f1(self) -> float:
        true, false = self.found.total(), self.false_alarms
        missed = self.disguised.total() - true
        return 2 * true / (2 * true + false + missed)


Found = tuple[str, bool]
"""A figure as it is said, and whether it is good."""


def page(parts: Sequence[Figures], languages: "Languages | None") -> str:
    return "\n".join(_lines(parts, languages)) + "\n"


def _lines(parts: Sequence[Figures], languages: "Languages | None") -> Iterator[str]:
    yield "# Duplicates: how well they are found\n"
    for part in parts:
        yield f"- {part.name}: {part.english} English works, {part.chinese} Chinese ones (translations by hand)"
    yield "\nNo applicant is in two parts, and no threshold was set on these. Own *other* work: another contract, another title."
    yield "How the parts were made, and what of them had been seen: [README.md](README.md). Speed: [speed.md](speed.md).\n"
    yield f"| figure | goal | {' | '.join(part.name for part in parts)} |\n|---|---|{'---|' * len(parts)}"
    yield from _goals(parts)
    yield from _across(languages)
    for part in parts:
        yield from _confusion(part)
    for part in parts:
        yield from _mistakes(part)
    yield from _missed(languages)


def _goals(parts: Sequence[Figures]) -> Iterator[str]:
    def row(what: str, goal: str, of: Callable[[Figures], Found]) -> str:
        return f"| {what} | {goal} | {' | '.join(_cell(*of(part)) for part in parts)} |"

    yield row("F1 over all checks", "≥ 0.95", lambda f: (f"{f.f1:.3f}", f.f1 >= 0.95))
    yield row(
        "alarms on another applicant's honest work",
        "≤ 1%",
        lambda f: _share(f.alarmed_other, f.honest, 0.01),
    )
    yield row(
        "alarms on own other work, of all works",
        "≤ 6%",
        lambda f: _share(f.alarmed_own, f.honest, 0.06),
    )
    yield row(
        "the same, of the works whose applicant has others",
        "≤ 6%",
        lambda f: _share(f.alarmed_own, f.has_own, 0.06),
    )
    yield row("evidence precision, of the quoted pairs", "≥ 0.98", _precision)


def _precision(f: Figures) -> Found:
    precision = f.evidence_true / max(1, f.evidence)
    return f"{precision:.3f} ({f.evidence_true} of {f.evidence})", precision >= 0.98


def _confusion(f: Figures) -> Iterator[str]:
    true, all_ = f.found.total(), f.disguised.total()
    yield f"\n## Confusion: {f.name}\n\n| | alarm | no alarm |\n|---|---|---|"
    yield f"| disguised ({all_}) | {true} | {all_ - true} |"
    yield f"| honest ({f.honest}) | {f.false_alarms} | {f.honest - f.false_alarms} |"
    yield "\n| disguise | checked | found |\n|---|---|---|"
    for kind, count in f.disguised.items():
        yield f"| {kind} | {count} | {f.found[kind]} |"


def _mistakes(f: Figures) -> Iterator[str]:
    yield f"\n## Worst mistakes: {f.name}\n\n| kind | checked | alarmed at | score ‰ |\n|---|---|---|---|"
    listed = Counter[str]()
    for m in sorted(f.mistakes, key=_badness):
        kind = m.kind.partition(":")[0]
        listed[kind] += 1
        if listed[kind] <= MOST:
            other = f"{m.other.id} {_short(m.other.title)}" if m.other else ""
            yield f"| {m.kind} | {m.work.id} {_short(m.work.title)} | {other} | {m.score} |"


def _badness(mistake: Mistake) -> tuple[bool, bool, int]:
    """Alarms at another applicant's work, then at own, both by their score; then what was missed by the least."""
    missed = mistake.other is None
    own = mistake.kind.startswith("own")
    return missed, own, mistake.score if missed else -mistake.score


def _across(found: "Languages | None") -> Iterator[str]:
    yield "\n## Across languages\n\n| figure | goal | found |\n|---|---|---|"
    if found is None:
        yield "| across languages | | not measured: the extra is not installed |"
        return
    recall = found.found / found.translated
    said = f"{recall:.3f} ({found.found} of {found.translated})"
    yield f"| recall | ≥ 0.80 | {_cell(said, recall >= 0.80)} |"
    yield f"| translations that raise another's work | ≤ 1% | {_cell(*_share(found.false, found.translated, 0.01))} |"
    yield f"| honest works that raise another's | ≤ 1% | {_cell(*_share(found.honest_false, found.honest, 0.01))} |"


def _missed(found: "Languages | None") -> Iterator[str]:
    if found:
        yield "\n## Across languages: missed and wrong\n\n| translation | raised | likeness ‰ |\n|---|---|---|"
        for name, score in found.missed:
            yield f"| {_short(name)} | missed | {score} |"
        for name, other, score in found.wrong:
            yield f"| {_short(name)} | {_short(other)} | {score} |"


def _share(part: int, whole: int, most: float) -> Found:
    share = part / max(1, whole)
    return f"{share:.2%} ({part} of {whole})", share <= most


def _cell(said: str, good: bool) -> str:
    return said if good else f"{said} **falls short**"


def _short(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")[:70]

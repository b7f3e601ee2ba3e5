"""The page of results."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.duplicates.corpus import Work

if TYPE_CHECKING:
    from bench.duplicates.languages import Languages

MOST = 25


@dataclass(frozen=True)
class Mistake:
    """One check that went wrong. `other`: what was alarmed at; None where something was missed. `score`: permille."""

    kind: str
    work: Work
    other: Work | None
    score: int


@dataclass
class Figures:
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
    languages: "Languages | None" = None
    speed: str = ""

    @property
    def f1(self) -> float:
        true, false = self.found.total(), self.false_alarms
        missed = self.disguised.total() - true
        return 2 * true / (2 * true + false + missed)


def page(figures: Figures, part: str, english: int, chinese: int) -> str:
    return "\n".join(_lines(figures, part, english, chinese)) + "\n"


def _lines(f: Figures, part: str, english: int, chinese: int) -> Iterator[str]:
    true, all_ = f.found.total(), f.disguised.total()
    yield f"# Duplicates: {part}\n"
    yield f"{english} English works, {chinese} Chinese ones (translations by hand), split by applicant; seeds are fixed."
    yield "Thresholds were set on the tuning part; nothing here has set one. Own *other* work: another contract, another title.\n"
    yield "| figure | goal | found | |\n|---|---|---|---|"
    yield _row("F1 over all checks", "≥ 0.95", f"{f.f1:.3f}", f.f1 >= 0.95)
    yield _share("alarms on another applicant's honest work", 0.01, f.alarmed_other, f.honest)
    yield _share("alarms on own other work, of all works", 0.06, f.alarmed_own, f.honest)
    yield _share(
        "the same, of the works whose applicant has others", 0.06, f.alarmed_own, f.has_own
    )
    precision = f.evidence_true / max(1, f.evidence)
    said = f"{precision:.3f} ({f.evidence_true} of {f.evidence} quoted pairs)"
    yield _row("evidence precision", "≥ 0.98", said, precision >= 0.98)
    yield from _languages(f)
    yield f.speed
    yield "\n## Confusion\n\n| | alarm | no alarm |\n|---|---|---|"
    yield f"| disguised ({all_}) | {true} | {all_ - true} |"
    yield f"| honest ({f.honest}) | {f.false_alarms} | {f.honest - f.false_alarms} |"
    yield "\n| disguise | checked | found |\n|---|---|---|"
    for kind, count in f.disguised.items():
        yield f"| {kind} | {count} | {f.found[kind]} |"
    yield "\n## Worst mistakes\n\n| kind | checked | alarmed at | score ‰ |\n|---|---|---|---|"
    for m in sorted(f.mistakes, key=_badness)[:MOST]:
        other = f"{m.other.id} {_short(m.other.title)}" if m.other else ""
        yield f"| {m.kind} | {m.work.id} {_short(m.work.title)} | {other} | {m.score} |"
    if f.languages:
        yield "\n## Across languages: missed and wrong\n\n| translation | raised | likeness ‰ |\n|---|---|---|"
        for name, score in f.languages.missed:
            yield f"| {_short(name)} | missed | {score} |"
        for name, other, score in f.languages.wrong:
            yield f"| {_short(name)} | {_short(other)} | {score} |"


def _languages(f: Figures) -> Iterator[str]:
    found = f.languages
    if found is None:
        yield "| across languages | | not measured: the extra is not installed | |"
        return
    recall = found.found / found.translated
    said = f"{recall:.3f} ({found.found} of {found.translated})"
    yield _row("across languages: recall", "≥ 0.80", said, recall >= 0.80)
    yield _share(
        "across languages: translations that raise another's work",
        0.01,
        found.false,
        found.translated,
    )
    yield _share(
        "across languages: honest works that raise another's",
        0.01,
        found.honest_false,
        found.honest,
    )


def _badness(mistake: Mistake) -> tuple[bool, int]:
    """False alarms by their score, then what was missed by the least."""
    return mistake.other is None, mistake.score if mistake.other is None else -mistake.score


def _share(what: str, most: float, part: int, whole: int) -> str:
    share = part / max(1, whole)
    return _row(what, f"≤ {most:.0%}", f"{share:.2%} ({part} of {whole})", share <= most)


def _row(what: str, goal: str, found: str, good: bool) -> str:
    return f"| {what} | {goal} | {found} | {'met' if good else '**falls short**'} |"


def _short(text: str) -> str:
    return text.replace("|", "/")[:70]

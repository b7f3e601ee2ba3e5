"""`python -m bench.duplicates [tuning]`: measure on both hold-outs (or look at the tuning part), and write results.md."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.duplicates import corpus
from bench.duplicates.measuring import (
    Check,
    disguised,
    honest,
    id_of,
    indexed,
    is_same_work,
    is_true,
    searching,
)
from bench.duplicates.results import Figures, Mistake, page

if TYPE_CHECKING:
    from bench.duplicates.languages import Languages

PAGE = Path(__file__).with_name("results.md")
SEED, SAMPLE = "2026-11", 150


def main() -> None:
    if "tuning" in sys.argv[1:]:
        print(page([measured("tuning", corpus.tuning())], None))
        return
    parts = [measured("of the file", corpus.hold_out()), measured("fresh", corpus.fresh())]
    text = page(parts, _languages(corpus.earlier_hold_out()))
    print(text)
    PAGE.write_text(text, encoding="utf-8")


def measured(name: str, works: Sequence[corpus.Work]) -> Figures:
    """Return the figures of one part: its English works, and by themselves those of them that are translated."""
    chinese = list(corpus.translations(works).values())
    search, checks = searching(), list[Check]()
    for part in (works, chinese) if chinese else (works,):
        with indexed(part, search) as tx:
            checks += honest(tx, search, part)
            checks += disguised(tx, search, part, SEED, SAMPLE)
    figures = Figures(name, len(works), len(chinese))
    _judge(checks, {work.id: work for work in (*works, *chinese)}, figures)
    return figures


def _languages(works: list[corpus.Work]) -> "Languages | None":
    try:
        from bench.duplicates.languages import across
    except ImportError:
        return None
    return across(works, list(corpus.translations(works).values()))


def _judge(checks: list[Check], works: dict[str, corpus.Work], figures: Figures) -> None:
    for check in checks:
        if check.rewrite is None:
            _judge_honest(check, works, figures)
        else:
            _judge_disguised(check, figures)


def _judge_honest(check: Check, works: dict[str, corpus.Work], figures: Figures) -> None:
    others = {i for i in check.raised if works[i].applicant != check.work.applicant}
    own = {i for i in check.raised - others if not is_same_work(works[i], check.work)}
    figures.honest += 1
    figures.alarmed_other += bool(others)
    figures.alarmed_own += bool(own)
    figures.has_own += any(
        w.applicant == check.work.applicant
        and w.id != check.work.id
        and not is_same_work(w, check.work)
        for w in works.values()
    )
    figures.false_alarms += bool(others or own)
    for candidate in check.candidates:
        if id_of(candidate) in others | own:
            kind = "another applicant" if id_of(candidate) in others else "own other work"
            figures.mistakes.append(
                Mistake(kind, check.work, works[id_of(candidate)], candidate.score)
            )


def _judge_disguised(check: Check, figures: Figures) -> None:
    rewrite = check.rewrite
    assert rewrite is not None
    figures.disguised[check.kind] += 1
    hit = bool(check.raised & set(rewrite.sources))
    figures.found[check.kind] += hit
    scores = Counter({id_of(c): c.score for c in check.candidates})
    if not hit:
        best = scores[rewrite.sources[0]]
        figures.mistakes.append(Mistake(f"missed: {check.kind}", check.work, None, best))
    for candidate in check.candidates:
        if candidate.raised and id_of(candidate) == rewrite.sources[0]:
            true = sum(is_true(e, rewrite) for e in candidate.evidence)
            figures.evidence += len(candidate.evidence)
            figures.evidence_true += true


if __name__ == "__main__":
    main()

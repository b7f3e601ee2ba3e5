"""The awards that the method is measured on, split by applicant: what thresholds may see, and two parts that none has seen."""

import csv
import hashlib
import html
import json
import lzma
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
AWARDS = ROOT / "examples/data/sbir_awards.csv"
FRESH = Path(__file__).with_name("fresh_awards.jsonl.xz")
TRANSLATIONS = Path(__file__).with_name("translations.jsonl")
EARLIER, NOW = "luoshu-duplicates-1:", "luoshu-duplicates-2:"
"""Salts of the earlier split, whose hold-out has been looked at, and of this one."""
THIRD, HALF = 85, 128  # of 256
SHORTEST = 200  # characters of an abstract
FORM = re.compile(
    r"\b(incorporated|inc|llc|l l c|corp|corporation|company|co|ltd|limited|lp|the)\b"
)
BETWEEN = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Work:
    """One applied-for piece of work, real or rewritten. `marks`: numbers by which one contract is listed twice."""

    id: str
    applicant: str
    title: str
    abstract: str
    marks: frozenset[str] = frozenset()

    @property
    def said(self) -> str:
        return f"{self.title}\n\n{self.abstract}"


def tuning() -> list[Work]:
    """All that thresholds may see."""
    return [work for work in _awards() if work.applicant in _tuned()] + [
        work for work in _fresh() if _share(NOW, work.applicant) < THIRD
    ]


def hold_out() -> list[Work]:
    """Of examples/data/sbir_awards.csv: half of the earlier hold-out, of which figures and a list of titles were seen."""
    return [work for work in _awards() if work.applicant not in _tuned()]


def fresh() -> list[Work]:
    """Awards of other applicants, which nothing has been measured on before."""
    return [work for work in _fresh() if _share(NOW, work.applicant) >= THIRD]


def earlier_hold_out() -> list[Work]:
    """What was held out before: across languages nothing has been changed or chosen since."""
    return [work for work in _awards() if work.applicant not in _tuned_before()]


def translations(works: Iterable[Work]) -> dict[str, Work]:
    """Return id → the Chinese of those works that are translated, by hand."""
    known = {work.id: work for work in works}
    found = dict[str, Work]()
    for line in TRANSLATIONS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["id"] in known:
            work = known[row["id"]]
            found[work.id] = Work(f"{work.id}-zh", work.applicant, row["title"], row["abstract"])
    return found


def applicant_of(company: str) -> str:
    """Return a company's name without its legal form, so that two spellings are one applicant."""
    return " ".join(FORM.sub(" ", BETWEEN.sub(" ", html.unescape(company).lower())).split())


def _share(salt: str, applicant: str) -> int:
    return hashlib.sha256((salt + applicant).encode()).digest()[0]


@cache
def _tuned_before() -> frozenset[str]:
    """Applicants of the earlier tuning part, under any of their spellings."""
    names = {" ".join(row["Company"].lower().split()) for row in _rows()}
    return frozenset(applicant_of(name) for name in names if _share(EARLIER, name) < THIRD)


@cache
def _tuned() -> frozenset[str]:
    others = {work.applicant for work in _awards()} - _tuned_before()
    return _tuned_before() | {name for name in others if _share(NOW, name) < HALF}


@cache
def _rows() -> tuple[dict[str, str], ...]:
    with AWARDS.open(encoding="utf-8") as file:
        return tuple(csv.DictReader(file))


@cache
def _awards() -> tuple[Work, ...]:
    """Return the awards of the file that have an abstract, identical rows once."""
    works = (
        Work(
            row["ID"],
            applicant_of(row["Company"]),
            html.unescape(row["Award Title"]).strip(),
            html.unescape(row["Abstract"]).strip(),
            frozenset({row["Contract"], row["Agency Tracking Number"]} - {"", "N/A"}),
        )
        for row in _rows()
    )
    return _once(work for work in works if len(work.abstract) >= SHORTEST)


@cache
def _fresh() -> tuple[Work, ...]:
    with lzma.open(FRESH, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return _once(
        Work(r["id"], applicant_of(r["company"]), r["title"], r["abstract"], frozenset(r["marks"]))
        for r in rows
    )


def _once(works: Iterable[Work]) -> tuple[Work, ...]:
    seen = dict[str, Work]()
    for work in works:
        seen.setdefault(f"{work.applicant}|{work.title}|{work.abstract}", work)
    return tuple(seen.values())

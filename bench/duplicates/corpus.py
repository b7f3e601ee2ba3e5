"""The awards that the method is measured on, split by applicant: one part to tune on, one that no threshold has seen."""

import csv
import hashlib
import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
AWARDS = ROOT / "examples/data/sbir_awards.csv"
TRANSLATIONS = Path(__file__).with_name("translations.jsonl")
SALT = "luoshu-duplicates-1:"
TUNING_SHARE = 85  # of 256
SHORTEST = 200  # characters of an abstract


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
    return [work for work in _awards() if _is_tuning(work.applicant)]


def hold_out() -> list[Work]:
    return [work for work in _awards() if not _is_tuning(work.applicant)]


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


def _is_tuning(applicant: str) -> bool:
    return hashlib.sha256((SALT + applicant).encode()).digest()[0] < TUNING_SHARE


def _awards() -> list[Work]:
    """Return the awards that have an abstract, identical rows once."""
    seen = dict[str, Work]()
    with AWARDS.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            abstract = html.unescape(row["Abstract"]).strip()
            if len(abstract) >= SHORTEST:
                work = Work(
                    row["ID"],
                    " ".join(row["Company"].lower().split()),
                    html.unescape(row["Award Title"]).strip(),
                    abstract,
                    frozenset({row["Contract"], row["Agency Tracking Number"]} - {"", "N/A"}),
                )
                seen.setdefault(f"{work.applicant}|{work.title}|{work.abstract}", work)
    return list(seen.values())

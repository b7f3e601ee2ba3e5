"""An application as duplicates are looked for in it: its text, and the facts that say whose work it is, when, and on what."""

import datetime
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from kernel.dates import to_date
from kernel.errors import Invalid
from luoshu.funding.v1 import funding_pb2 as funding
from services.coordination.duplicates.text import Text, is_chinese, key_of, take_apart

A = funding.Application.State
OUT = frozenset(
    {A.STATE_UNSPECIFIED, A.STATE_DRAFT, A.STATE_REFUSED, A.STATE_REJECTED, A.STATE_WITHDRAWN}
)
"""Not submitted yet, or no longer asking for money that it never got: nothing is compared with these."""
AWARDED = frozenset(
    {
        A.STATE_APPROVED,
        A.STATE_CONTRACTED,
        A.STATE_IN_PROGRESS,
        A.STATE_IN_ACCEPTANCE,
        A.STATE_COMPLETED,
        A.STATE_EVALUATED,
        A.STATE_CLOSED,
    }
)
"""What can be continued: awarded, and neither failed nor ended early."""
BETWEEN = "\n\n"
"""Between title and abstract, so that no sentence runs over both."""
Period = tuple[datetime.date, datetime.date]


@dataclass(frozen=True)
class Document:
    """An application at one event. `position`: of that event in funding's journal."""

    application: funding.Application
    position: int = 0

    @property
    def name(self) -> str:
        return self.application.name

    @cached_property
    def number(self) -> int:
        """What the index knows it by."""
        return key_of(self.name)

    @property
    def department(self) -> str:
        return self.application.lead_department

    @property
    def is_in(self) -> bool:
        """It is compared with others."""
        return self.application.state not in OUT

    @property
    def is_award(self) -> bool:
        """It can be continued."""
        return self.application.state in AWARDED

    @cached_property
    def said(self) -> str:
        return f"{self.application.title}{BETWEEN}{self.application.abstract}"

    @cached_property
    def text(self) -> Text:
        return take_apart(self.said)

    @cached_property
    def is_chinese(self) -> bool:
        return is_chinese(self.said)

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.said.encode()).hexdigest()[:32]

    @cached_property
    def units(self) -> frozenset[str]:
        """Credit codes of all units; where a source has none, its own identifier."""
        units = (self.application.applicant_unit, *self.application.consortium)
        return frozenset(unit.code or unit.foreign_id for unit in units) - {""}

    @property
    def investigator(self) -> str:
        """Pseudonym of the principal investigator: it says who is the same, and nobody's name."""
        return self.application.principal_investigator.subject

    @cached_property
    def period(self) -> Period | None:
        first, last = _day(self.application.start_date), _day(self.application.end_date)
        return (first, last) if first and last and first <= last else None

    @cached_property
    def budget(self) -> frozenset[tuple[str, int]]:
        return frozenset((line.category, line.amount_fen) for line in self.application.budget)

    @cached_property
    def keys(self) -> frozenset[int]:
        """What it is found by: its terms, and its facts as terms of their own that no word can be."""
        return self.text.terms | {key_of(fact) for fact in self._facts()}

    @cached_property
    def state_of_facts(self) -> bytes:
        """What a comparison depends on; while it stays the same, so do the findings."""
        a = self.application
        kept = funding.Application(
            title=a.title,
            abstract=a.abstract,
            applicant_unit=a.applicant_unit,
            consortium=a.consortium,
            start_date=a.start_date,
            end_date=a.end_date,
            budget=a.budget,
            platforms=a.platforms,
            breakthroughs=a.breakthroughs,
            predecessor=a.predecessor,
            lead_department=a.lead_department,
            keywords=[self.investigator, str(self.is_in), str(self.is_award)],
        )
        return kept.SerializeToString(deterministic=True)

    def _facts(self) -> Iterator[str]:
        for unit in self.units:
            yield f"unit:{unit}"
        if self.investigator:
            yield f"person:{self.investigator}"
        yield from self.application.breakthroughs
        yield from self.application.platforms


def _day(value: object) -> datetime.date | None:
    try:
        return to_date(value)  # type: ignore[arg-type]
    except Invalid:  # an imported row may hold anything
        return None


def pair_name(left: str, right: str) -> str:
    """Return the finding's name of a pair: the same whichever is named first."""
    said = " ".join(sorted((left, right)))
    return f"findings/f{hashlib.sha256(said.encode()).hexdigest()[:20]}"


def pair_digest(left: Document, right: Document) -> str:
    """Return what tells whether a text of the pair has changed."""
    said = " ".join(d.digest for d in sorted((left, right), key=lambda d: d.name))
    return hashlib.sha256(said.encode()).hexdigest()[:32]

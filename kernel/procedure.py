"""How a province proceeds: money, notices, reviews, rules, scales, working days.

Money is integer fen, a day is a day of Asia/Shanghai.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from kernel.dates import ONE_DAY, SATURDAY
from kernel.errors import Invalid
from kernel.policy import DepartmentId, Level, NoticeId
from kernel.register import DocumentId, Entry, Refers, Versioned


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingSource(Entry):
    """Where money comes from."""

    NOUN = ("funding source", "资金来源")
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that a programme may commit in a year, in fen; of its own source where none is named."""

    year: int
    fen: int
    funding_source: Annotated[str, Refers(("funding_sources",))] = ""

    def __post_init__(self) -> None:
        if self.fen < 0:
            raise ValueError(f"a ceiling of {self.fen} fen; give 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme(Entry):
    """A funding programme; `code`: letters of its official numbers."""

    NOUN = ("programme", "计划专项")
    code: str
    lead: DepartmentId
    joint: tuple[DepartmentId, ...] = ()
    funding_source: Annotated[str, Refers(("funding_sources",))]
    ceilings: tuple[Ceiling, ...] = ()
    notice: NoticeId

    def __post_init__(self) -> None:
        Versioned.__post_init__(self)
        found = {(c.year, c.funding_source or self.funding_source) for c in self.ceilings}
        if len(found) < len(self.ceilings):
            raise ValueError("two ceilings are of the same year and source; keep one")

    def ceiling(self, year: int, source: str = "") -> int | None:
        """Return the year's ceiling of a source in fen, None where none is set."""
        wanted = (year, source or self.funding_source)
        found = (
            c for c in self.ceilings if (c.year, c.funding_source or self.funding_source) == wanted
        )
        return next((ceiling.fen for ceiling in found), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Entry):
    """The length of a public notice."""

    NOUN = ("public notice", "公示期")
    days: int
    unit: Literal["working_days", "calendar_days"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRule(Entry):
    """Whom a joint review asks, and its clock in working days.

    It holds for its `subjects`, kinds and programmes, and for its `topics`; what is empty does not restrict, and of the rules
    that hold the one that says most is taken. `departments`: who is asked; none given: the subject's joint departments. `also`:
    who is asked besides. `remind_before`: working days before the due day. `escalation_working_days`: how long the silent
    department's deputy has. `deemed_consent`: silence past that is consent; if not, the review ends without an answer.
    `condition_working_days`: by when a condition is to be met, counted from the day on which it was set; 0: no last day.
    """

    NOUN = ("joint review rule", "会签规则")
    subjects: tuple[Annotated[str, Refers(("kinds", "programmes"))], ...] = ()
    topics: tuple[str, ...] = ()
    departments: tuple[DepartmentId, ...] = ()
    also: tuple[DepartmentId, ...] = ()
    due_working_days: int
    remind_before: tuple[int, ...] = ()
    escalation_working_days: int
    deemed_consent: bool
    condition_working_days: int = 0

    def weight(self, subject: str, topic: str) -> int:
        """Return how much it says of the subject and the topic; below 0: it does not hold for them."""
        if (self.subjects and subject not in self.subjects) or (
            self.topics and topic not in self.topics
        ):
            return -1
        return bool(self.subjects) * 2 + bool(self.topics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remit(Entry):
    """What of a record is a department's business: the fields, by their names in the contract."""

    NOUN = ("remit", "职责范围")
    department: DepartmentId
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deputy(Entry):
    """Who answers for a department that was silent: an account of that department's office, no person."""

    NOUN = ("deputy", "代行人")
    department: DepartmentId
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Entry):
    """A rule with one number (1 or 0: in force or not), and the departments that it names."""

    NOUN = ("rule", "规则")
    value: int
    unit: str
    departments: tuple[DepartmentId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityRule(Entry):
    """A rule that an application is held to.

    `check`: what is looked at, and `value` its number. `stages`: when it is asked. `parties`: whose facts count.
    `levels`: it asks only of money of these levels, of all where none is given. `overridable`: two persons may set it
    aside for one application.
    """

    NOUN = ("eligibility rule", "资格规则")
    check: Literal[
        "investigator_awards",
        "overdue",
        "recommending_units",
        "window",
        "consortium",
        "sanctions",
        "findings_decided",
        "no_duplicate",
        "conditions_met",
        "departments_agreed",
    ]
    stages: tuple[Literal["submission", "approval", "payment", "change"], ...]
    parties: tuple[Literal["investigator", "applicant", "members"], ...] = ()
    levels: tuple[Level, ...] = ()
    value: int = 0
    overridable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A level of a readiness scale."""

    level: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder(Entry):
    """A readiness scale, its levels from 1 up without gaps; `assessed_at`: the occasions."""

    NOUN = ("readiness scale", "就绪度量表")
    levels: tuple[Rung, ...]
    assessed_at: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Versioned.__post_init__(self)
        if [rung.level for rung in self.levels] != list(range(1, len(self.levels) + 1)):
            raise ValueError("levels have a gap; number them 1, 2, 3, … in order")

    def rung(self, level: int, field: str = "") -> Rung:
        """Return a level of this scale. Raises Invalid, telling the levels."""
        if 1 <= level <= len(self.levels):
            return self.levels[level - 1]
        raise Invalid(
            f"{self.en} has no level {level}; use 1 to {len(self.levels)}",
            f"{self.zh}没有第{level}级；请填写1至{len(self.levels)}级",
            field=field,
            reason="LEVEL_UNKNOWN",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysOff:
    """A holiday as announced, weekends in between included, from the first to the last day."""

    zh: str
    en: str
    first: datetime.date
    last: datetime.date

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"ends on {self.last} before it begins; set `last` after `first`")

    @property
    def days(self) -> Iterator[datetime.date]:
        return (self.first + ONE_DAY * n for n in range((self.last - self.first).days + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarYear(Versioned):
    """A year's days off and exchanged working days (调休); provisional until announced."""

    NOUN = ("calendar year", "年度工作日历")
    source: DocumentId
    provisional: bool = False
    days_off: tuple[DaysOff, ...] = ()
    exchanged: tuple[datetime.date, ...] = ()

    def __post_init__(self) -> None:
        Versioned.__post_init__(self)
        if not self.id.isdecimal():
            raise ValueError('is no year; write the id as "2026"')
        for day in self.exchanged:
            if day.weekday() < SATURDAY:
                raise ValueError(f"{day} is no weekend; `exchanged` has Saturdays and Sundays only")


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHoliday(Entry):
    """A holiday by law and its days, before any exchange."""

    NOUN = ("legal holiday", "法定节假日")
    days: int


NEVER_SHORTENED = ("journal", "access-journal", "audit-log")
"""Classes whose order and completeness are what is proven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention(Entry):
    """How long a class of data is kept: `months`, 0 for ever. `by`: who sees to it, the program or the operator.

    What the program sees to is known to it: journals and the log are never shortened, values are erased when their time is over.
    """

    NOUN = ("retention rule", "保存期限规则")
    months: int
    by: Literal["program", "operator"]

    def __post_init__(self) -> None:
        Versioned.__post_init__(self)
        if self.months < 0:
            raise ValueError(f"kept for {self.months} months; give 0 (for ever) or more")
        if self.by == "program" and self.id not in (*NEVER_SHORTENED, "personal-values"):
            raise ValueError("the program keeps no such class; write `by: operator`")
        if self.id in NEVER_SHORTENED and self.months:
            raise ValueError(f"kept for {self.months} months, but is never shortened; give 0")

"""Policy as data: a province's pack, read once at start, checked strictly, resolved by date.

A pack is a folder of YAML files. A file holds sections, a section holds records, and each section
is a field of `Pack`; which file a section lies in is free. Money is integer fen, a day is a day of
Asia/Shanghai.
"""

import csv
import dataclasses
import datetime
import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from kernel.dates import ONE_DAY, Due, Span, WorkingDays
from kernel.packfile import PackError, Reader, demand_distinct, read_sections
from kernel.policy import (
    Counting,
    Department,
    Direction,
    Division,
    Grade,
    Kind,
    Plan,
    ReportingUnit,
    Requirement,
    RoleEntry,
    SeiClass,
    SeiMapping,
    Step,
    Target,
)
from kernel.procedure import (
    CalendarYear,
    Ceiling,
    DaysOff,
    Deputy,
    EligibilityRule,
    FundingSource,
    Ladder,
    LegalHoliday,
    Notice,
    Programme,
    Remit,
    Retention,
    ReviewRule,
    Rule,
    Rung,
)
from kernel.register import Document, Entry, Named, Refers, Register, Versioned

__all__ = [
    "CalendarYear",
    "Ceiling",
    "Counting",
    "DaysOff",
    "Department",
    "Deputy",
    "Direction",
    "Division",
    "Document",
    "EligibilityRule",
    "Entry",
    "FundingSource",
    "Grade",
    "Kind",
    "Ladder",
    "LegalHoliday",
    "Named",
    "Notice",
    "Pack",
    "PackError",
    "Plan",
    "Programme",
    "Refers",
    "Register",
    "Remit",
    "ReportingUnit",
    "Requirement",
    "Retention",
    "ReviewRule",
    "RoleEntry",
    "Rule",
    "Rung",
    "SeiClass",
    "SeiMapping",
    "Step",
    "Target",
    "Versioned",
    "load",
]


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A province's policy. `version`: SHA-256 over names and bytes of its files, in hexadecimal."""

    id: str
    zh: str
    en: str
    division: str
    abbreviation: str
    version: str
    documents: Register[Document]
    departments: Register[Department]
    roles: Register[RoleEntry]
    reporting_units: Register[ReportingUnit]
    steps: Register[Step]
    kinds: Register[Kind]
    plans: Register[Plan]
    directions: Register[Direction]
    sei_classes: Register[SeiClass]
    sei_mappings: Register[SeiMapping]
    funding_sources: Register[FundingSource]
    programmes: Register[Programme]
    notices: Register[Notice]
    review_rules: Register[ReviewRule]
    remits: Register[Remit]
    deputies: Register[Deputy]
    rules: Register[Rule]
    retention: Register[Retention]
    eligibility: Register[EligibilityRule]
    ladders: Register[Ladder]
    calendar: Register[CalendarYear]
    legal_holidays: Register[LegalHoliday]
    divisions: Mapping[str, Division]

    def kind(self, key: str, on: datetime.date | None = None, field: str = "") -> Kind:
        """Return a kind as it is on the day, the newest without one. Raises Invalid."""
        return self.kinds.get(key, on, field)

    def department(self, key: str, on: datetime.date | None = None, field: str = "") -> Department:
        """Return a department. Raises Invalid, listing the departments."""
        return self.departments.get(key, on, field)

    def programme(self, key: str, on: datetime.date | None = None, field: str = "") -> Programme:
        """Return a programme. Raises Invalid, listing the programmes."""
        return self.programmes.get(key, on, field)

    def plan(self, key: str, on: datetime.date | None = None, field: str = "") -> Plan:
        """Return a plan. Raises Invalid, listing the plans."""
        return self.plans.get(key, on, field)

    def ladder(self, key: str, on: datetime.date | None = None, field: str = "") -> Ladder:
        """Return a readiness scale. Raises Invalid, listing the scales."""
        return self.ladders.get(key, on, field)

    def rule(self, key: str, on: datetime.date | None = None) -> int:
        """Return the number of a rule. Raises Invalid, listing the rules."""
        return self.rules.get(key, on).value

    def classes_of(self, direction: str, on: datetime.date | None = None) -> tuple[str, ...]:
        """Return a direction's national classes; none where the classification has none."""
        self.directions.get(direction, on)
        mappings = [m for m in self.sei_mappings.history(direction) if on is None or m.holds(on)]
        return mappings[-1].classes if mappings else ()

    def review_rule(
        self, subject: str, on: datetime.date | None = None, topic: str = ""
    ) -> ReviewRule:
        """Return the joint review rule of a kind or programme and a topic: the one that says most of them, else `default`."""
        self._subject(subject, on)
        rules = self.review_rules.on(on) if on else tuple(self.review_rules)
        own = [rule for rule in rules if rule.weight(subject, topic) > 0]
        best = max(own, key=lambda rule: rule.weight(subject, topic), default=None)
        return best or self.review_rules.get("default", on)

    def joint_review(
        self, subject: str, on: datetime.date | None = None, topic: str = ""
    ) -> tuple[str, ...]:
        """Return whom a joint review of a kind or programme asks; nobody: there is no review."""
        rule = self.review_rule(subject, on, topic)
        asked = rule.departments or self._subject(subject, on).joint
        return tuple(dict.fromkeys((*asked, *rule.also)))

    def remit(self, department: str, on: datetime.date | None = None) -> frozenset[str]:
        """Return the fields that are a department's business; none: all are."""
        entries = self.remits.on(on) if on else tuple(self.remits)
        return frozenset(f for e in entries if e.department == department for f in e.fields)

    def deputy(self, department: str, on: datetime.date | None = None) -> str:
        """Return the account that answers for a silent department; empty: it has named none."""
        entries = self.deputies.on(on) if on else tuple(self.deputies)
        return next((e.account for e in entries if e.department == department), "")

    def _subject(self, subject: str, on: datetime.date | None) -> Kind | Programme:
        if subject in self.programmes:
            return self.programme(subject, on)
        return self.kind(subject, on)

    @functools.cached_property
    def working_days(self) -> WorkingDays:
        """The years of `calendar` as one count of days."""
        years = tuple(self.calendar)
        return WorkingDays(
            off=frozenset(
                day for year in years for holiday in year.days_off for day in holiday.days
            ),
            extra=frozenset(day for year in years for day in year.exchanged),
            settled=frozenset(int(year.id) for year in years if not year.provisional),
        )

    def is_working_day(self, day: datetime.date) -> bool:
        """Tell whether the day is worked; in a year not announced, whether it is a weekday."""
        return self.working_days.is_working_day(day)

    def add_working_days(self, day: datetime.date, count: int, pauses: Sequence[Span] = ()) -> Due:
        """Return the count-th working day after the day, and whether it is provisional; no day of a pause counts."""
        return self.working_days.add(day, count, pauses)

    def last_day(self, start: datetime.date, days: int, *, working: bool) -> Due:
        """Return the last day of a term, such as a public notice, and whether it is provisional.

        The day on which a term starts does not count (Civil Code, article 201).
        """
        return self.add_working_days(start, days) if working else Due(start + ONE_DAY * days, False)

    def division_of(self, code: str, field: str = "") -> Division:
        """Return a division by its code. Raises Invalid, listing the reporting units."""
        division = self.divisions.get(code)
        if division is None:
            raise self.reporting_units.unknown(code, field)
        return division

    def counted_under(self, code: str, field: str = "") -> str:
        """Return the code under which statistics count a division, so that none counts twice."""
        division = self.division_of(code, field)
        unit = code if code in self.reporting_units else division.parent
        if unit not in self.reporting_units:
            return code
        return self.reporting_units.get(unit).counted_under or unit


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """The pack's own head."""

    id: str
    zh: str
    en: str
    division: str
    abbreviation: str


def load(folder: Path) -> Pack:
    """Read a pack. Raises PackError for the first thing that is wrong."""
    files = {path.name: path.read_bytes() for path in sorted(folder.glob("*.yaml"))}
    divisions = folder / "divisions.csv"
    if not divisions.is_file() or not files:
        raise PackError(f"{folder}: no pack; it needs *.yaml files and divisions.csv")
    reader = Reader()
    sections = read_sections(reader, files, _About, _registers())
    reader.check(sections)
    _demand_review_rules(sections["review_rules"])
    files[divisions.name] = divisions.read_bytes()
    about = sections.pop("pack")
    return Pack(
        **dataclasses.asdict(about),
        **sections,
        version=_digest(files),
        divisions=_divisions(about, sections["reporting_units"], files[divisions.name]),
    )


def _registers() -> dict[str, type[Any]]:
    """Return section → what it holds: the registers of `Pack`."""
    hints = get_type_hints(Pack)
    return {name: get_args(hint)[0] for name, hint in hints.items() if get_origin(hint) is Register}


def _demand_review_rules(rules: Iterable[ReviewRule]) -> None:
    """Raises PackError without the rules `default` and `duplicate`, or where two rules claim the same subject and topic."""
    rules = list(rules)
    claims = [
        f"{subject} {topic}".strip()
        for rule in rules
        if rule.subjects or rule.topics
        for subject in rule.subjects or ("",)
        for topic in rule.topics or ("",)
    ]
    demand_distinct(claims, "review_rules: subjects")
    if not any(rule.id == "default" for rule in rules):
        raise PackError("review_rules: 'default' is missing; add what holds where no rule does")
    if not any(rule.id == "duplicate" for rule in rules):
        raise PackError(
            "review_rules: 'duplicate' is missing; add how a finding is put to departments"
        )


COLUMNS = ["code", "name", "province", "city", "area"]


def _divisions(
    about: _About, units: Register[ReportingUnit], content: bytes
) -> dict[str, Division]:
    """Return the province, its reporting units, and the counties of the file beneath them."""
    rows = list(csv.reader(content.decode("utf-8-sig", "replace").splitlines()))
    if not rows or rows[0] != COLUMNS:
        raise PackError(f"divisions.csv: first line is not the columns; write {','.join(COLUMNS)}")
    divisions = {about.division: Division(about.division, about.zh, "")}
    for unit in units:
        divisions[unit.id] = Division(unit.id, unit.zh, about.division)
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(COLUMNS):
            raise PackError(
                f"divisions.csv: line {number} has {len(row)} columns; give {len(COLUMNS)}"
            )
        parent = f"{row[0][:4]}00"
        above = parent if parent in units else about.division
        divisions.setdefault(row[0], Division(row[0], row[1], above))
    return divisions


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()

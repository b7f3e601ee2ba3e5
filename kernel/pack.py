"""Policy as data: a province's pack, read once at start, checked strictly, resolved by date.

A pack is a folder of YAML files. A file holds sections, a section holds records, and each section
is a field of `Pack`; which file a section lies in is free. Money is integer fen, a day is a day of
Asia/Shanghai.
"""

import csv
import dataclasses
import datetime
import difflib
import functools
import hashlib
import itertools
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import yaml

from kernel.dates import ONE_DAY, SATURDAY, Due, WorkingDays
from kernel.errors import Invalid


class PackError(ValueError):
    """A pack that cannot be used: names the file, the entry, and what would work."""


# --- what a pack holds -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refers:
    """Marks a text that must be the id of a record in one of these sections."""

    sections: tuple[str, ...]


DocumentId = Annotated[str, Refers(("documents",))]
DepartmentId = Annotated[str, Refers(("departments",))]
DirectionId = Annotated[str, Refers(("directions",))]
NoticeId = Annotated[str, Refers(("notices",))]
UnitId = Annotated[str, Refers(("reporting_units",))]
Level = Literal["municipal", "provincial", "national", "unknown"]
Operator = Literal[">", ">=", "about", "<=", "<"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioned:
    """A record that holds from `valid_from` to `valid_to`, both included, open where unset.

    The same id may stand several times, for days that do not overlap. `uncertain`: no official
    original was at hand.
    """

    NOUN: ClassVar[tuple[str, str]]
    id: str
    uncertain: bool = False
    valid_from: datetime.date | None = None
    valid_to: datetime.date | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"ends on {self.last}, before it begins; correct `valid_to`")

    @property
    def first(self) -> datetime.date:
        return self.valid_from or datetime.date.min

    @property
    def last(self) -> datetime.date:
        return self.valid_to or datetime.date.max

    @property
    def label(self) -> tuple[str, str]:
        """How errors print it: English, Chinese."""
        return self.id, self.id

    def holds(self, day: datetime.date) -> bool:
        """Tell whether it is in force on the day."""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Versioned):
    """A versioned record with a name in both languages."""

    zh: str
    en: str

    @property
    def label(self) -> tuple[str, str]:
        return f"{self.id} ({self.en})", f"{self.id}（{self.zh}）"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document(Named):
    """What an entry is taken from: a notice, a standard, a law, or an assumption of the pack."""

    NOUN = ("document", "文件")
    issuer: str
    number: str = ""
    issued: datetime.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Named):
    """A named record with the document that it is taken from."""

    source: DocumentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Department(Entry):
    """A department of the province, by the code that tokens and events carry."""

    NOUN = ("department", "部门")
    short_zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleEntry(Entry):
    """A role and the roles that its holder must not hold too."""

    NOUN = ("role", "角色")
    excludes: tuple[Annotated[str, Refers(("roles",))], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportingUnit(Entry):
    """A local unit that reports; `counted_under`: the unit whose statistics include it."""

    NOUN = ("reporting unit", "填报单位")
    counted_under: UnitId = ""


@dataclass(frozen=True, slots=True)
class Division:
    """A division of GB/T 2260: code, name, code of the one above (none above the province)."""

    code: str
    zh: str
    parent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """A grade of a periodic evaluation and what follows from it."""

    id: str
    zh: str
    en: str
    effect: Literal["keep", "rectify", "revoke"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A threshold that an applicant must meet; `value` in fen, persons, …: see `unit`."""

    id: str
    zh: str
    en: str
    operator: Operator
    value: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Entry):
    """A step of a platform's life that a kind may skip."""

    NOUN = ("step", "步骤")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Entry):
    """A kind of platform: who leads it, how it is set up, how it is evaluated.

    `code`: letters of its official numbers. `ending`: the act that sets it up. `approver`: who
    decides, the lead where empty. `skips`: steps left out. `build_months`, `evaluation_years`: 0
    where no document says.
    """

    NOUN = ("platform kind", "平台类型")
    code: str
    level: Level
    lead: DepartmentId
    joint: tuple[DepartmentId, ...] = ()
    approver: DepartmentId = ""
    ending: Literal["recognize", "approve", "put_on_file"]
    grades: tuple[Grade, ...] = ()
    evaluation_years: int = 0
    build_months: int = 0
    nurtured: bool = False
    one_per_subfield: bool = False
    skips: tuple[Annotated[str, Refers(("steps",))], ...] = ()
    requirements: tuple[Requirement, ...] = ()
    notice: NoticeId

    def grade(self, key: str, field: str = "") -> Grade:
        """Return a grade of this kind. Raises Invalid, listing the grades."""
        for grade in self.grades:
            if grade.id == key:
                return grade
        en = ", ".join(grade.id for grade in self.grades) or "none"
        zh = "、".join(f"{grade.id}（{grade.zh}）" for grade in self.grades) or "无"
        raise Invalid(
            f"{self.en} has no grade '{key}'; known: {en}",
            f"{self.zh}没有等级“{key}”；可用：{zh}",
            field=field,
            reason="GRADE_UNKNOWN",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """How a target's value comes about; `zh` and `en` are the rule in words.

    `records` counts the records of `registry` (a collection of resource names) whose day of
    `date_field` is `since` or later, that stand in one of `states` and in none of `except_states`,
    whose kind has one of `levels`, and whose `field` has `value`; what is left empty does not
    restrict. `actions`: the acts that set that day. `merged_once`: predecessors of a merger count
    through their successor only. `statistic` is entered by hand; `no_registry`: nothing counts it
    yet, which is never shown as 0.
    """

    method: Literal["records", "statistic", "no_registry"]
    zh: str
    en: str
    registry: str = ""
    date_field: str = ""
    actions: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    except_states: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()
    field: str = ""
    value: str = ""
    since: datetime.date | None = None
    merged_once: bool = False
    uncertain: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target of a plan; "about" is not "at least". `yearly`: due each year up to `year`."""

    id: str
    zh: str
    en: str
    operator: Operator
    value: Decimal
    unit: str
    unit_zh: str
    year: int
    yearly: bool = False
    counting: Counting


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Entry):
    """A plan and its targets."""

    NOUN = ("plan", "行动计划")
    coordinators: tuple[DepartmentId, ...]
    targets: tuple[Target, ...]

    def target(self, key: str, field: str = "") -> Target:
        """Return a target of this plan. Raises Invalid, listing the targets."""
        for target in self.targets:
            if target.id == key:
                return target
        known = ", ".join(target.id for target in self.targets)
        raise Invalid(
            f"{self.en} has no target '{key}'; known: {known}",
            f"{self.zh}没有目标“{key}”；可用：{known}",
            field=field,
            reason="TARGET_UNKNOWN",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction(Entry):
    """A direction of a plan: a strategic emerging industry, a future industry, or a track."""

    NOUN = ("direction", "方向")
    group: Literal["sei", "future", "track"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeiClass(Entry):
    """A class of the national classification of strategic emerging industries, by its number."""

    NOUN = ("SEI class", "战略性新兴产业类别")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeiMapping(Versioned):
    """Which national classes a direction falls into, from when to when; `id` is the direction's."""

    NOUN = ("SEI mapping", "战略性新兴产业对照")
    id: DirectionId
    source: DocumentId
    classes: tuple[Annotated[str, Refers(("sei_classes",))], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingSource(Entry):
    """Where money comes from."""

    NOUN = ("funding source", "资金来源")
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that a programme may commit in a year, in fen."""

    year: int
    fen: int

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
        if len({ceiling.year for ceiling in self.ceilings}) < len(self.ceilings):
            raise ValueError("two ceilings are of the same year; keep one")

    def ceiling(self, year: int) -> int | None:
        """Return the year's ceiling in fen, None where none is set."""
        return next((ceiling.fen for ceiling in self.ceilings if ceiling.year == year), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Entry):
    """The length of a public notice."""

    NOUN = ("public notice", "公示期")
    days: int
    unit: Literal["working_days", "calendar_days"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRule(Entry):
    """Whom a joint review asks, and its clock in working days.

    `subjects`: kinds and programmes; none for the rule `default`. `departments`: who is asked; none
    given: the subject's joint departments. `remind_before`: working days before the due day.
    `deemed_consent`: silence past the due day is consent.
    """

    NOUN = ("joint review rule", "会签规则")
    subjects: tuple[Annotated[str, Refers(("kinds", "programmes"))], ...] = ()
    departments: tuple[DepartmentId, ...] = ()
    due_working_days: int
    remind_before: tuple[int, ...] = ()
    deemed_consent: bool
    escalate_to: DepartmentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Entry):
    """A rule with one number (1 or 0: in force or not), and the departments that it names."""

    NOUN = ("rule", "规则")
    value: int
    unit: str
    departments: tuple[DepartmentId, ...] = ()


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


# --- how records are found ---------------------------------------------------------------------

V = TypeVar("V", bound=Versioned)


class Register(Generic[V]):
    """The records of one section; iterating gives the newest version of each, in file order."""

    def __init__(self, noun: tuple[str, str], records: Iterable[V]) -> None:
        """Raises ValueError when two versions of an id overlap."""
        self._noun = noun
        self._versions: dict[str, list[V]] = {}
        for record in records:
            self._versions.setdefault(record.id, []).append(record)
        for versions in self._versions.values():
            versions.sort(key=lambda version: version.first)
            for earlier, later in itertools.pairwise(versions):
                if earlier.last >= later.first:
                    raise ValueError(_overlap(earlier, later))

    def __iter__(self) -> Iterator[V]:
        return (versions[-1] for versions in self._versions.values())

    def __len__(self) -> int:
        return len(self._versions)

    def __contains__(self, key: object) -> bool:
        return key in self._versions

    def on(self, day: datetime.date) -> tuple[V, ...]:
        """Return the records in force on the day, in the order of the file."""
        return tuple(v for versions in self._versions.values() for v in versions if v.holds(day))

    def history(self, key: str) -> tuple[V, ...]:
        """Return every version of a record, oldest first; none for an unknown one."""
        return tuple(self._versions.get(key, ()))

    def get(self, key: str, on: datetime.date | None = None, field: str = "") -> V:
        """Return the version in force on the day, the newest without one. Raises Invalid."""
        versions = self._versions.get(key)
        if versions is None:
            raise self.unknown(key, field)
        if on is None:
            return versions[-1]
        for version in versions:
            if version.holds(on):
                return version
        raise self._not_in_force(key, on, field)

    def unknown(self, key: str, field: str = "") -> Invalid:
        """Return the refusal of an id that is not there: it lists those that are."""
        noun_en, noun_zh = self._noun
        en = ", ".join(record.label[0] for record in self) or "none"
        zh = "、".join(record.label[1] for record in self) or "无"
        return Invalid(
            f"unknown {noun_en} '{key}'; known: {en}",
            f"未知的{noun_zh}“{key}”；可用：{zh}",
            field=field,
            reason="UNKNOWN_ENTRY",
        )

    def _not_in_force(self, key: str, on: datetime.date, field: str) -> Invalid:
        noun_en, noun_zh = self._noun
        spans = [(v.valid_from or "…", v.valid_to or "…") for v in self._versions[key]]
        en = ", ".join(f"{first} to {last}" for first, last in spans)
        zh = "、".join(f"{first}至{last}" for first, last in spans)
        return Invalid(
            f"{noun_en} '{key}' is not in force on {on}; in force: {en}",
            f"{noun_zh}“{key}”在{on}无效；有效期：{zh}",
            field=field,
            reason="ENTRY_NOT_IN_FORCE",
        )


def _overlap(earlier: Versioned, later: Versioned) -> str:
    if later.valid_from is None or later.first == earlier.first:
        return f"'{later.id}' is given twice from one day on; give one another id or `valid_from`"
    return (
        f"'{later.id}' holds twice on {later.first}; "
        f"end the earlier version with `valid_to: {later.first - ONE_DAY}`"
    )


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
    rules: Register[Rule]
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

    def review_rule(self, subject: str, on: datetime.date | None = None) -> ReviewRule:
        """Return the joint review rule of a kind or programme: its own, else `default`."""
        self._subject(subject, on)
        rules = self.review_rules.on(on) if on else tuple(self.review_rules)
        own = (rule for rule in rules if subject in rule.subjects)
        return next(own, None) or self.review_rules.get("default", on)

    def joint_review(self, subject: str, on: datetime.date | None = None) -> tuple[str, ...]:
        """Return whom a joint review of a kind or programme asks; nobody: there is no review."""
        return self.review_rule(subject, on).departments or self._subject(subject, on).joint

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

    def add_working_days(self, day: datetime.date, count: int) -> Due:
        """Return the count-th working day after the day, and whether it is provisional."""
        return self.working_days.add(day, count)

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


# --- how a pack is read ------------------------------------------------------------------------


class _Reference(NamedTuple):
    where: str
    sections: tuple[str, ...]
    value: str


class _Loader(yaml.CSafeLoader):
    """Plain YAML in which a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise PackError(f"line {line}: key '{key}' is given twice; keep one")
        return super().construct_mapping(node, deep)


class _Reader:
    """Turns what YAML gave into records, and remembers which ids they refer to."""

    def __init__(self) -> None:
        self.references: list[_Reference] = []

    def section(self, cls: type[V], raw: object, where: str) -> Register[V]:
        if not isinstance(raw, list):
            raise PackError(f"{where}: not a list; write entries that begin with `- id:`")
        records = [self.record(cls, item, _entry(where, item, n)) for n, item in enumerate(raw, 1)]
        try:
            return Register(cls.NOUN, records)
        except ValueError as error:
            raise PackError(f"{where}: {error}") from None

    def record(self, cls: Any, raw: object, where: str) -> Any:
        if not isinstance(raw, dict):
            raise PackError(f"{where}: not a mapping; write `key: value` lines")
        hints, required = _shape(cls)
        for key in raw:
            if key not in hints:
                raise PackError(f"{where}: unknown key '{key}'; {_instead(str(key), hints)}")
        for key in required:
            if key not in raw:
                raise PackError(f"{where}: '{key}' is missing; add it")
        values = {key: self.value(hints[key], raw[key], f"{where}: {key}") for key in raw}
        try:
            return cls(**values)
        except ValueError as error:
            raise PackError(f"{where}: {error}") from None

    def value(self, hint: Any, raw: object, where: str) -> Any:
        origin = get_origin(hint)
        if origin is Annotated:
            return self.reference(hint, raw, where)
        if origin is Literal:
            if raw not in get_args(hint):
                raise PackError(f"{where}: '{raw}'; {_instead(str(raw), get_args(hint))}")
            return raw
        if origin is tuple:
            if not isinstance(raw, list):
                raise PackError(f"{where}: not a list; write `[a, b]`")
            inner = get_args(hint)[0]
            items = [self.value(inner, item, f"{where}[{n}]") for n, item in enumerate(raw)]
            _demand_distinct(items, where)
            return tuple(items)
        if origin in (Union, types.UnionType):
            return self.value(get_args(hint)[0], raw, where)
        if dataclasses.is_dataclass(hint):
            return self.record(hint, raw, where)
        return _scalar(hint, raw, where)

    def reference(self, hint: Any, raw: object, where: str) -> str:
        text: str = _scalar(str, raw, where)
        if text:
            self.references.append(_Reference(where, get_args(hint)[1].sections, text))
        return text

    def check(self, sections: Mapping[str, Any]) -> None:
        """Raises PackError for the first id that no section has."""
        for where, names, value in self.references:
            if not any(value in sections[name] for name in names):
                known = [record.id for name in names for record in sections[name]]
                raise PackError(
                    f"{where}: no '{value}' in {' or '.join(names)}; {_instead(value, known)}"
                )


WRITE = {
    str: "text; put it in quotes",
    int: "a whole number, such as 5",
    bool: "true or false",
    datetime.date: "a day, such as 2025-08-12",
    Decimal: 'a number: whole, or in quotes such as "2.55"',
}


def _scalar(kind: Any, raw: object, where: str) -> Any:
    if type(raw) is kind:
        return raw
    if kind is Decimal and type(raw) in (int, str):
        try:
            return Decimal(str(raw))
        except InvalidOperation:
            pass
    raise PackError(f"{where}: '{raw}' does not fit; write {WRITE[kind]}")


@functools.cache
def _shape(cls: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the types of a record's fields, and the fields that it must have."""
    hints = get_type_hints(cls, include_extras=True)
    fields = dataclasses.fields(cls)
    required = tuple(field.name for field in fields if field.default is dataclasses.MISSING)
    return {field.name: hints[field.name] for field in fields}, required


def _demand_distinct(items: Iterable[Any], where: str) -> None:
    """Raises PackError where two items of a list are the same, or are records of the same id."""
    keys = [getattr(item, "id", item) for item in items]
    for key in keys:
        if keys.count(key) > 1:
            raise PackError(f"{where}: '{key}' stands there twice; keep one")


def _demand_review_rules(rules: Iterable[ReviewRule]) -> None:
    """Raises PackError without the rule `default`, or where two rules claim the same subject."""
    claims = [subject for rule in rules for subject in rule.subjects]
    _demand_distinct(claims, "review_rules: subjects")
    if not any(rule.id == "default" for rule in rules):
        raise PackError("review_rules: 'default' is missing; add what holds where no rule does")


def _entry(where: str, raw: object, number: int) -> str:
    key = raw.get("id") if isinstance(raw, dict) else None
    return f"{where} '{key}'" if isinstance(key, str) else f"{where} number {number}"


def _instead(wrong: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(wrong, known, 1)
    return (f"did you mean '{near[0]}'? " if near else "") + f"known: {', '.join(known) or 'none'}"


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
    reader = _Reader()
    sections = _read(reader, files)
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


def _read(reader: _Reader, files: Mapping[str, bytes]) -> dict[str, Any]:
    hints = get_type_hints(Pack)
    known = {
        name: get_args(hint)[0] for name, hint in hints.items() if get_origin(hint) is Register
    }
    sections: dict[str, Any] = {}
    for file, content in files.items():
        for name, raw in _parse(file, content).items():
            if name in sections:
                raise PackError(f"{file}: section '{name}' stands in another file too; keep one")
            if name == "pack":
                sections[name] = reader.record(_About, raw, f"{file}: pack")
            elif name in known:
                sections[name] = reader.section(known[name], raw, f"{file}: {name}")
            else:
                raise PackError(
                    f"{file}: unknown section '{name}'; {_instead(str(name), ['pack', *known])}"
                )
    missing = {"pack", *known} - sections.keys()
    if missing:
        raise PackError(
            f"section '{min(missing)}' is in no file; add it, as an empty list if need be"
        )
    return sections


def _parse(file: str, content: bytes) -> dict[Any, Any]:
    try:
        raw = yaml.load(content, _Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError) as error:
        raise PackError(f"{file}: {error}") from None
    if not isinstance(raw, dict):
        raise PackError(f"{file}: no sections; write `kinds:` or another section's name first")
    return raw


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

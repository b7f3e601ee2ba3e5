"""What a province's policy is about: departments, kinds of platforms, plans, directions.

Money is integer fen, a day is a day of Asia/Shanghai.
"""

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from kernel.errors import Invalid
from kernel.register import DocumentId, Entry, Refers, Versioned

DepartmentId = Annotated[str, Refers(("departments",))]
DirectionId = Annotated[str, Refers(("directions",))]
NoticeId = Annotated[str, Refers(("notices",))]
UnitId = Annotated[str, Refers(("reporting_units",))]
Level = Literal["municipal", "provincial", "national", "unknown"]
Operator = Literal[">", ">=", "about", "<=", "<"]


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

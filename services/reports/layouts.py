"""The tables of a report: one line a table, one line a column."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from luoshu.reports.v1.reports_pb2 import Unit
from services.reports.facts import HOME
from services.reports.views import Line


class Words(NamedTuple):
    """A label in both languages."""

    en: str
    zh: str


Measure = Callable[[Line], int]


@dataclass(frozen=True)
class Figure:
    """One column: what a line adds, and from which of three views it is read.

    `last`: factor of what was true on the month's last day; `before`: on the last day of the month
    before; `moved`: of the month's events.
    """

    key: str
    title: Words
    measure: Measure
    unit: Unit.ValueType = Unit.UNIT_COUNT
    last: int = 1
    before: int = 0
    moved: int = 0


@dataclass(frozen=True)
class Layout:
    """One table: whose lines, by what, which columns.

    `only`: lines that it is about. `summed`: its columns have totals.
    """

    id: str
    collection: str
    title: Words
    dimension: str
    columns: tuple[Figure, ...]
    only: Callable[[Line], bool] = lambda _: True
    summed: bool = True


COLLECTIONS: Mapping[str, Words] = {
    "platforms": Words("Platforms", "创新平台"),
    "breakthroughs": Words("Breakthroughs", "技术攻关"),
    "applications": Words("Applications", "资金申请"),
    "programmes": Words("Programmes", "计划专项"),
    "calls": Words("Calls", "申报指南"),
    "reviews": Words("Joint reviews", "会签"),
    "sanctions": Words("Sanctions", "处罚"),
    "agendas": Words("Agendas", "待办"),
    "holds": Words("Holds", "查重挂起"),
}

DIMENSIONS: Mapping[str, Words] = {
    "state": Words("State", "状态"),
    "action": Words("Action", "办理事项"),
    "kind": Words("Kind", "类型"),
    "department": Words("Lead department", "主管部门"),
    "division": Words("Division", "地区"),
    "direction": Words("Direction", "方向"),
    "programme": Words("Programme", "计划专项"),
    "currency": Words("Currency", "币种"),
    "reached": Words("Assessment", "评定结果"),
}
"""Headings of rows."""

ESTABLISHED = frozenset(
    {
        "STATE_RECOGNIZED",
        "STATE_APPROVED",
        "STATE_PUT_ON_FILE",
        "STATE_UNDER_CONSTRUCTION",
        "STATE_OPERATING",
        "STATE_IN_RECTIFICATION",
    }
)
"""States of a platform that is set up and has not ended."""

NOT_REQUESTED = frozenset({"STATE_DRAFT", "STATE_WITHDRAWN"})
"""States in which an application asks for no money: not handed in yet, or taken back."""

REACHED = "TARGET_REACHED"


def one(line: Line) -> int:
    """Every record, or every event."""
    return line.number


def established(line: Line) -> int:
    return line.number * (line.state in ESTABLISHED)


def recognized(line: Line) -> int:
    return line.number * line.recognized_in


def completed(line: Line) -> int:
    return line.number * line.completed


def assessed(line: Line) -> int:
    return line.number * line.assessed_in


def reached(line: Line) -> int:
    return line.number * (line.reached == REACHED)


def reached_now(line: Line) -> int:
    return reached(line) * line.reached_in


def requested(line: Line) -> int:
    return 0 if line.state in NOT_REQUESTED else line.requested


def approved(line: Line) -> int:
    return line.approved


def paid(line: Line) -> int:
    return line.paid


def recovered(line: Line) -> int:
    return line.recovered


def in_yuan(line: Line) -> bool:
    return line.currency == HOME


def in_foreign_currency(line: Line) -> bool:
    return line.currency != HOME


STANDING = Figure("standing", Words("Registered at month's end", "月末登记数"), one)
CHANGE = Figure("change", Words("Change in the month", "本月增减"), one, before=-1)
EVENTS = Figure("events", Words("Times in the month", "本月办理次数"), one, last=0, moved=1)
SET_UP = Figure("established", Words("Set up, not ended", "月末在册"), established)
RECOGNIZED = Figure("recognized", Words("New in the month", "本月新认定"), recognized)
COMPLETED = Figure("completed", Words("Completed", "已完成"), completed)
MET = Figure("reached", Words("Target reached", "达到目标"), reached)
ASSESSED_NOW = Figure("assessed_in", Words("Assessed in the month", "本月评定"), assessed)
MET_NOW = Figure("reached_in", Words("Target reached in the month", "本月达到目标"), reached_now)

MONEY: tuple[tuple[str, Words, Measure], ...] = (
    ("requested", Words("Requested", "申请"), requested),
    ("approved", Words("Approved", "批准"), approved),
    ("paid", Words("Paid", "拨付"), paid),
    ("recovered", Words("Recovered", "追回"), recovered),
)


def _in_month(unit: Unit.ValueType) -> tuple[Figure, ...]:
    """What the month added: what stood at its end less what stood at its beginning."""
    return tuple(
        Figure(f"{key}_in", Words(f"{word.en}, month", f"本月{word.zh}"), measure, unit, before=-1)
        for key, word, measure in MONEY
    )


def _in_all(unit: Unit.ValueType) -> tuple[Figure, ...]:
    return tuple(
        Figure(key, Words(f"{word.en}, in all", f"累计{word.zh}"), measure, unit)
        for key, word, measure in MONEY
    )


def _by(collection: str, dimension: str, *columns: Figure) -> Layout:
    whose, by = COLLECTIONS[collection], DIMENSIONS[dimension]
    title = Words(f"{whose.en} by {by.en.lower()}", f"{whose.zh}：按{by.zh}")
    return Layout(f"{collection}.{dimension}", collection, title, dimension, columns)


def _money(name: str, title: Words, unit: Unit.ValueType, only: Callable[[Line], bool]) -> Layout:
    columns = (*_in_month(unit), *_in_all(unit))
    summed = unit == Unit.UNIT_FEN
    return Layout(f"money.{name}", "applications", title, name, columns, only, summed)


BY_PROGRAMME = Words("Money by programme (CNY)", "资金：按计划专项（人民币）")
BY_DEPARTMENT = Words("Money by lead department (CNY)", "资金：按主管部门（人民币）")
FOREIGN = Words("Foreign currencies, each by itself", "外币（分币种列示，不汇总）")

LAYOUTS: tuple[Layout, ...] = (
    _by("platforms", "state", STANDING, CHANGE),
    _by("platforms", "kind", STANDING, SET_UP, RECOGNIZED),
    _by("platforms", "department", STANDING, SET_UP, RECOGNIZED),
    _by("platforms", "division", STANDING, SET_UP, RECOGNIZED),
    _by("platforms", "action", EVENTS),
    _by("breakthroughs", "state", STANDING, CHANGE),
    _by("breakthroughs", "reached", STANDING, COMPLETED, ASSESSED_NOW, MET_NOW),
    _by("breakthroughs", "direction", STANDING, COMPLETED, MET, ASSESSED_NOW, MET_NOW),
    _by("breakthroughs", "department", STANDING, COMPLETED, MET, ASSESSED_NOW, MET_NOW),
    _by("breakthroughs", "action", EVENTS),
    _by("applications", "state", STANDING, CHANGE),
    _by("applications", "department", STANDING, CHANGE),
    _by("applications", "action", EVENTS),
    _money("programme", BY_PROGRAMME, Unit.UNIT_FEN, in_yuan),
    _money("department", BY_DEPARTMENT, Unit.UNIT_FEN, in_yuan),
    _money("currency", FOREIGN, Unit.UNIT_MINOR, in_foreign_currency),
    _by("programmes", "state", STANDING, CHANGE),
    _by("calls", "state", STANDING, CHANGE),
    _by("reviews", "state", STANDING, CHANGE),
    _by("reviews", "department", STANDING, CHANGE),
)

BY_ID = {layout.id: layout for layout in LAYOUTS}

"""A continuation phase is no duplicate, where its predecessor is declared and the declaration is true."""

from collections.abc import Callable
from dataclasses import dataclass

from luoshu.coordination.v1 import findings_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from services.coordination.duplicates.document import Document
from services.coordination.duplicates.facts import overlap_days

A = funding.Application.State
PHASES = 6
"""Phases that a chain of predecessors may have: a longer one is a circle, or as good as one."""
Earlier = Callable[[str], Document | None]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a declaration does not excuse a pair."""

    en: str
    zh: str


def checked(left: Document, right: Document, earlier: Earlier, most: int) -> pb.Continuation | None:
    """Return the declaration between the two, as checked; None: neither declares the other.

    `earlier`: finds a predecessor by name. `most`: days that a phase and its predecessor may both be under way.
    """
    for later, sooner in ((left, right), (right, left)):
        if _declares(later, sooner, earlier):
            doubt = _doubt(later, sooner, most)
            said = pb.Continuation(predecessor=sooner.name, holds=doubt is None)
            if doubt:
                said.text_en, said.text_zh = doubt.en, doubt.zh
            return said
    return None


def _declares(later: Document, sooner: Document, earlier: Earlier) -> bool:
    """Tell whether `sooner` is the declared predecessor, or that of the predecessor."""
    at: Document | None = later
    for _ in range(PHASES):
        name = at.application.predecessor if at else ""
        if not name:
            return False
        if name == sooner.name:
            return True
        at = earlier(name)
    return False


def _doubt(later: Document, sooner: Document, most: int) -> Doubt | None:
    if not sooner.is_award:
        state = A.Name(sooner.application.state)
        return Doubt(
            f"the predecessor is {state}, no award", f"在先项目当前为 {state}，不是有效立项"
        )
    if not later.units & sooner.units:
        return Doubt("no unit of the predecessor takes part", "在先项目的单位均未参与")
    if not (later.period and sooner.period):
        return Doubt("a period of work is not said", "未填写实施期限")
    if later.period[0] <= sooner.period[0] or later.period[1] <= sooner.period[1]:
        return Doubt("it does not come after the predecessor", "实施期限不晚于在先项目")
    days = overlap_days(later, sooner)
    if days > most:
        return Doubt(
            f"both are under way on {days} days; at most {most} will do",
            f"与在先项目重叠{days}天，最多允许{most}天",
        )
    return None

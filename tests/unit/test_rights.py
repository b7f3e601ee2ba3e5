"""Who may do what: the printed page against the code, at every cell, and at random.

The second model reads docs/lifecycles.md, as a person would: it knows the page's words and nothing of the kernel's tables.
"""

import itertools
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.catalogue import REGISTRIES
from kernel.case import Caller, Role
from kernel.lifecycle import Lifecycle
from kernel.rights import Standing, allowed, may_see

PAGE = (Path(__file__).parents[2] / "docs" / "lifecycles.md").read_text("utf-8")
CALLERS = int(os.environ.get("LUOSHU_CALLERS", "5000"))  # at random
DEPARTMENTS = ("OWNER", "LEAD", "CONCERNED", "ELSEWHERE", "")
CODE = re.compile(r"`(\w+)`")
LOOKERS = {"auditor", "operator", "importer", "system"}
"""Whoever sees every record, as docs/architecture.md and the roles of the contract say."""


@dataclass(frozen=True)
class Line:
    """One line of a table, as it is printed."""

    states: tuple[str, ...]
    action: str
    who: tuple[tuple[str, str], ...]
    four_eyes: bool

    def lets(self, caller: Caller, standing: Standing) -> bool:
        if self.four_eyes and caller.actor == standing.author:
            return False
        return any(
            role in caller.roles and _near(relation, caller.department, standing)
            for role, relation in self.who
        )


def _near(relation: str, department: str, standing: Standing) -> bool:
    if relation == "any":
        return True
    if not department:
        return False
    if relation == "owner":
        return department == standing.owner
    return department == standing.lead or (
        relation == "concerned" and department in standing.concerned
    )


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def section(title: str) -> list[list[str]]:
    """Return the table rows below a heading."""
    text = PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return [cells(row) for row in text.splitlines() if row.startswith("| `")]


def who(cell: str) -> Iterator[tuple[str, str]]:
    """Yield (role, relation) of a cell such as "`a`, `b` (lead); `c` (owner)"."""
    for group in cell.split("; "):
        roles, relation = group.rstrip(")").split(" (")
        yield from ((role, relation) for role in CODE.findall(roles))


def lines(title: str) -> list[Line]:
    return [
        Line(
            tuple(CODE.findall(row[0])),
            row[1].strip("`"),
            tuple(who(row[3])),
            row[4] == "yes",
        )
        for row in section(title)
        if len(row) == 6
    ]


def public(title: str) -> set[str]:
    return {row[0].strip("`") for row in section(title) if len(row) == 3 and row[2] == "yes"}


RESOURCES = {resource.noun: resource for service in REGISTRIES for resource in service.resources}


def standing(life: Lifecycle, state: int, concerned: tuple[str, ...] = ("CONCERNED",)) -> Standing:
    return Standing(state, "OWNER", "LEAD", concerned, "author", state in life.public)


def short(life: Lifecycle, state: int) -> str:
    return life.state_name(state).removeprefix("STATE_")


def differences(title: str, caller: Caller, at: Standing) -> list[str]:
    """Return the actions of which page and code think differently, and `see` for the record itself."""
    life = RESOURCES[title].lifecycle
    state = short(life, at.state)
    printed = {p.action for p in lines_of[title] if state in p.states and p.lets(caller, at)}
    wrong = printed.symmetric_difference(allowed(caller, life, at))
    sees = state in public_of[title] or bool(LOOKERS & caller.roles) or (
        caller.department != "" and caller.department in (at.owner, at.lead, *at.concerned)
    )  # fmt: skip
    return sorted(wrong) + ["see"] * (sees != may_see(caller, at.readers, at.public))


lines_of = {title: lines(title) for title in RESOURCES}
public_of = {title: public(title) for title in RESOURCES}


@pytest.mark.parametrize("title", RESOURCES)
def test_every_role_from_every_department_may_in_every_state_what_the_page_says(title: str) -> None:
    life, seen = RESOURCES[title].lifecycle, 0
    for state, role, department, actor in itertools.product(
        life.states.values(), Role, DEPARTMENTS, ("author", "another")
    ):
        caller = Caller(actor, department, frozenset({role}))
        assert differences(title, caller, standing(life, state)) == [], (state, caller)
        seen += 1
    assert seen == len(life.states.values()) * len(Role) * len(DEPARTMENTS) * 2
    assert {move.name for move in life.moves} == {line.action for line in lines_of[title]}


def test_callers_with_several_roles_and_departments_that_are_several_things_agree_too() -> None:
    draw = random.Random(7)
    for _ in range(CALLERS):
        title = draw.choice(list(RESOURCES))
        life = RESOURCES[title].lifecycle
        roles = frozenset(draw.sample(list(Role), draw.randint(0, 4)))
        caller = Caller(draw.choice(("author", "another")), draw.choice(DEPARTMENTS), roles)
        owner, lead, concerned, author = (draw.choice(DEPARTMENTS) for _ in range(4))
        state = draw.choice(life.states.values())
        at = Standing(
            state, owner, lead, (concerned, draw.choice(DEPARTMENTS)),
            draw.choice(("author", author)), state in life.public,
        )  # fmt: skip
        assert differences(title, caller, at) == [], (title, at, caller)

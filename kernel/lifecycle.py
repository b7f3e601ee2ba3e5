"""A lifecycle is a table: from, action, to, who may. Nothing else moves a record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from kernel.case import Case, Role
from kernel.deadline import Deadline
from kernel.errors import Refused
from kernel.pack import Pack

Rule = Callable[[Any, Any, Case], int | None]
"""(copy of the record, the action's own request, case) -> the target state when the table leaves several open, else None."""
Check = Callable[[Any, Case], None]
Deadlines = Callable[[Any], Sequence[Deadline]]
Outdated = Callable[[Any, Pack], bool]
Offers = tuple[tuple[str, tuple[str, ...]], ...]
"""An action, and the departments that it waits for now."""


class Of(StrEnum):
    """How the caller's department must stand to the record."""

    OWNER = "owner"
    LEAD = "lead"
    CONCERNED = "concerned"
    ANY = "any"


OF_ROLE = {
    Role.APPLICANT: Of.OWNER,
    Role.RECOMMENDER: Of.CONCERNED,
    Role.SYSTEM: Of.ANY,
    Role.IMPORTER: Of.ANY,
}
"""How a role's holder must stand to the record where a move does not say; every other role: the lead department."""


Aside = Callable[[Any, Any], Mapping[str, str]]
"""(changed record, request) → what was set aside, in texts without personal data."""


@dataclass(frozen=True, slots=True)
class Move:
    """One line of the table.

    `source`: one state or several. `target`: one state, or several of which the rule returns one. `by`: the roles that may.
    `of`: how the caller's department stands to the record (by role where empty). `four_eyes`: not by the record's author.
    `within`: working days that the step may take, for the printed table; 0 where nothing is set. `overrides`: tells what rule or
    earlier decision the request set aside, so that an auditor finds it as such; nothing where it set none aside.
    """

    source: int | tuple[int, ...]
    action: Rule
    target: int | tuple[int, ...]
    by: tuple[Role, ...]
    of: Of | None = None
    four_eyes: bool = False
    within: int = 0
    overrides: Aside | None = None

    @property
    def name(self) -> str:
        return self.action.__name__

    @property
    def sources(self) -> tuple[int, ...]:
        return self.source if isinstance(self.source, tuple) else (self.source,)

    @property
    def targets(self) -> tuple[int, ...]:
        return self.target if isinstance(self.target, tuple) else (self.target,)

    def relation(self, role: Role) -> Of:
        return self.of or OF_ROLE.get(role, Of.LEAD)


def update(record: Any, command: Any, case: Case) -> None:
    """Stand in a table where a record may be edited; `kernel.edit` applies the mask and the domain's check follows."""


@dataclass(frozen=True, eq=False)  # there is one of each: a hash over the whole table costs
class Lifecycle:
    """A record's whole life.

    `check` runs on a new, an edited and an imported record: it raises Invalid, and fills what follows from the pack (such as
    `lead_department`). `states`: the record's State enum. `public`: states in which everybody may see the record.
    `deadlines`: what is due of a record. `outdated`: whether the pack's calendar now counts its days otherwise than the record
    says; the action `reschedule` then counts them anew. `over`: states in which the case is over, though it may still be undone.
    `offered`: of actions that wait for some of the departments that may take them at all: for which; nobody else is offered them.
    """

    states: Any
    initial: int
    check: Check
    create_by: tuple[Role, ...]
    public: frozenset[int]
    moves: tuple[Move, ...]
    deadlines: Deadlines | None = None
    outdated: Outdated | None = None
    over: frozenset[int] = frozenset()
    offered: Callable[[Any], Offers] | None = None

    @cached_property
    def actions(self) -> dict[str, Rule]:
        return {move.name: move.action for move in self.moves}

    @cached_property
    def _lines(self) -> dict[tuple[int, str], Move]:
        lines: dict[tuple[int, str], Move] = {}
        for move in self.moves:
            for source in move.sources:
                if (source, move.name) in lines:
                    raise TypeError(f"two lines for {move.name} from {self.state_name(source)}")
                lines[source, move.name] = move
        return lines

    def state_name(self, state: int) -> str:
        return str(self.states.Name(state))

    @cached_property
    def _by_state(self) -> dict[int, tuple[Move, ...]]:
        states = {source for source, _ in self._lines}
        lines = self._lines.items()
        return {state: tuple(m for (s, _), m in lines if s == state) for state in states}

    @cached_property
    def ended(self) -> frozenset[int]:
        """The states in which nothing is left to be done: what no line leads out of, and what is said to be over."""
        states = set(self.states.values())
        ends = (s for s in states if all(m.targets == (s,) for m in self.of_state(s)))
        return self.over.union(ends)

    def of_state(self, state: int) -> Sequence[Move]:
        return self._by_state.get(state, ())

    def line(
        self, state: int, action: str, theirs: Callable[[], Sequence[str]] | None = None
    ) -> Move:
        """Return the table's line. Raises Refused, naming what the state allows, or of that what is the caller's to take."""
        move = self._lines.get((state, action))
        if move is None:
            raise self._forbidden(state, action, theirs)
        return move

    def _forbidden(
        self, state: int, action: str, theirs: Callable[[], Sequence[str]] | None
    ) -> Refused:
        moves, said = self.of_state(state), self.state_name(state)
        names = ", ".join([m.name for m in moves] if theirs is None else theirs())
        others = ", ".join(m.name for m in moves if m.by != (Role.SYSTEM,))
        if names:
            en = zh = names
        elif others:
            en, zh = f"nothing to you; to others: {others}", f"无；其他人可执行：{others}"
        else:
            en, zh = "nothing", "无"
        return Refused(
            f"cannot {action} while {said}; allowed: {en}",
            f"当前状态 {said} 不能执行 {action}；可执行：{zh}",
        )

    def target(self, move: Move, chosen: int | None) -> int:
        """Return the state that a move leads to. Raises TypeError where rule and table disagree."""
        if chosen is None and len(move.targets) == 1:
            return move.targets[0]
        if chosen not in move.targets:
            raise TypeError(f"{move.name} chose {chosen}; the table has {move.targets}")
        return chosen

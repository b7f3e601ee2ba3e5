"""The circumstances of one decision, given as values: what the kernel's `Case` is to a domain."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, cast

from kernel.case import Caller, Reference, Role
from kernel.errors import Invalid, NotFound
from kernel.lifecycle import Lifecycle
from kernel.pack import Pack

TODAY = datetime.date(2026, 3, 16)  # a Monday
OFFICER = Caller("accounts/officer", "DST", frozenset({Role.CASE_OFFICER}))
NO_PACK = cast(Pack, None)


@dataclass
class FakeCase:
    """Records and references by name, last numbers by series; `changed`: what `change` gave out."""

    records: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    references: Mapping[str, Reference] = field(default_factory=dict)
    today: datetime.date = TODAY
    given_day: datetime.date | None = None
    pack: Pack = NO_PACK
    importing: bool = False
    caller: Caller = OFFICER
    changed: dict[str, Any] = field(default_factory=dict)
    deciding: str = ""

    @property
    def effective(self) -> datetime.date:
        return self.given_day or self.today

    def get(self, name: str) -> Any:
        if name not in self.records:
            raise NotFound(f"{name} is not registered", f"{name} 未登记")
        return self.records[name]

    def known(self, name: str) -> Any | None:
        return self.records.get(name)

    def change(self, name: str) -> Any:
        if name == self.deciding:
            raise Invalid(f"{name} cannot be tied to itself", f"{name} 不能与自身关联")
        if name not in self.changed:
            self.changed[name] = copied(self.get(name))
        return self.changed[name]

    def find(self, collection: str, where: Mapping[str, str | int]) -> list[Any]:
        kept = {**self.records, **self.changed}
        return [
            record
            for name, record in sorted(kept.items())
            if name.startswith(f"{collection}/") and name != self.deciding
            if all(attrgetter(path)(record) == value for path, value in where.items())
        ]

    def subject(self, person: Any) -> str:
        return str(person.subject or person.identity_number or person.name)

    def number(self, series: str) -> int:
        self.numbers[series] = self.numbers.get(series, 0) + 1
        return self.numbers[series]

    def reference(self, name: str) -> Reference:
        if name not in self.references:
            raise NotFound(f"{name} is not registered", f"{name} 未登记")
        return self.references[name]


def copied(message: Any) -> Any:
    """Return a copy of a message, for what must not change is not handed out."""
    new = type(message)()
    new.CopyFrom(message)
    return new


def checked(lifecycle: Lifecycle, record: Any, case: FakeCase) -> Any:
    """Return a record as the kernel enters it: imported in its state, else in the initial one."""
    new = copied(record)
    if not case.importing:
        new.state = lifecycle.initial
    case.deciding = new.name
    lifecycle.check(new, case)
    return new


def acted(lifecycle: Lifecycle, record: Any, action: str, command: Any, case: FakeCase) -> Any:
    """Return a record as the kernel leaves it after an action; the given one stays as it is."""
    move = lifecycle.line(record.state, action)
    new = copied(record)
    case.deciding = new.name
    new.state = lifecycle.target(move, move.action(new, command, case))
    return new


def states(lifecycle: Lifecycle) -> Iterable[int]:
    """Return every state but the unspecified one."""
    return [state for state in lifecycle.states.values() if state]

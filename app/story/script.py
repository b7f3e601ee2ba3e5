"""A story's script: who does what on which day, and what has to be refused. Read from YAML, checked strictly."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

OF = {"review of ": "reviews", "finding of ": "findings"}
"""How a script names what an application brought about: by the application."""


class ScriptError(ValueError):
    """A script that cannot be played: which step, and what would work."""


@dataclass(frozen=True, slots=True)
class Person:
    """An account that acts. `shown`: how the diagram calls its department or unit; empty: by the department's id."""

    department: str
    account: str
    roles: list[str]
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One line. Exactly one of `at`, `note`, `create`, `update`, `do` is there."""

    at: datetime.date | None = None
    note: Mapping[str, str] = field(default_factory=dict)
    by: str = ""
    create: str = ""
    update: str = ""
    do: str = ""
    to: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""

    @property
    def record(self) -> str:
        return self.create or self.update or self.to


@dataclass(frozen=True, slots=True)
class Script:
    """`begins`: the first day."""

    title: Mapping[str, str]
    begins: datetime.date
    people: Mapping[str, Person]
    steps: tuple[Step, ...]


def read(path: Path) -> Script:
    """Raises ScriptError."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    people = {name: Person(**said) for name, said in raw["people"].items()}
    steps = tuple(_steps(raw["steps"], people))
    return Script(raw["title"], raw["begins"], people, steps)


def _steps(raw: list[dict[str, Any]], people: Mapping[str, Person]) -> Iterator[Step]:
    for number, said in enumerate(raw, 1):
        try:
            step = Step(**said)
        except TypeError as error:
            raise ScriptError(f"step {number}: {error}") from None
        kinds = [
            bool(step.at),
            bool(step.note),
            bool(step.create),
            bool(step.update),
            bool(step.do),
        ]
        if sum(kinds) != 1:
            raise ScriptError(f"step {number}: give one of at, note, create, update, do")
        if step.record and step.by not in people:
            raise ScriptError(f"step {number}: '{step.by}' is nobody; known: {', '.join(people)}")
        yield step

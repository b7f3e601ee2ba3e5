"""What an application's event leads to: a declared continuation is looked at again when its predecessor's fate changes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kernel.dates import from_date
from kernel.outcome import Command, Held
from luoshu.coordination.v1 import findings_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry
from services.coordination.duplicates.document import pair_name
from services.coordination.duplicates.following import Duplicates
from tests.unit.duplicates_world import BATTERY, DAY, SEARCH, A, application, indexed, lasting

F = pb.Finding.State
FIRST, SECOND = "applications/first", "applications/second"
PAIR = pair_name(FIRST, SECOND)


@dataclass
class Findings:
    """The findings that there are."""

    known: dict[str, pb.Finding] = field(default_factory=dict)

    def held(self, tx: sa.Connection, names: Iterable[str]) -> dict[str, Held | None]:
        def one(name: str) -> Held | None:
            return Held(self.known[name], 1, 1, "create") if name in self.known else None

        return {name: one(name) for name in names}


def first(state: "funding.Application.State.ValueType") -> funding.Application:
    given = application("first", "固态电池一期", BATTERY, state=state)
    return lasting(given, "2022-01-01", "2023-12-31")


def second() -> funding.Application:
    given = application("second", "固态电池二期", BATTERY, predecessor=FIRST, department="DIIT")
    return lasting(given, "2024-01-01", "2025-12-31")


def seen(tx: sa.Connection, given: funding.Application, store: Findings) -> list[Command]:
    """Return what an event with this application leads to, after the index has taken it in."""
    change = Change(action="x", record=given.name, business_date=from_date(DAY))
    event = funding.FundingEvent(change=change, application=given)
    entry = JournalEntry(source="funding", position=9, event=event.SerializeToString())
    following: Any = Duplicates(SEARCH, store)  # type: ignore[arg-type]
    reaction = following.look(tx, entry)
    reaction.effects(tx)
    return list(reaction.commands)


def test_a_continuation_is_raised_when_its_predecessor_is_no_award_any_more(tmp_path: Path) -> None:
    with indexed(tmp_path, [first(A.STATE_IN_PROGRESS), second()]) as tx:
        assert seen(tx, first(A.STATE_IN_ACCEPTANCE), Findings()) == []
        commands = seen(tx, first(A.STATE_REVOKED), Findings())
    assert [(c.action, c.name.partition("/")[0]) for c in commands] == [
        ("create", "findings"),
        ("create", "reviews"),
    ]
    assert commands[0].name == PAIR
    assert not commands[0].given.candidate.continuation.holds


def test_an_open_finding_lapses_when_the_predecessor_is_awarded(tmp_path: Path) -> None:
    with indexed(tmp_path, [first(A.STATE_IN_JOINT_REVIEW), second()]) as tx:
        store = Findings({PAIR: pb.Finding(name=PAIR, state=F.STATE_OPEN, review="reviews/r")})
        commands = seen(tx, first(A.STATE_APPROVED), store)
    assert [(c.action, c.name) for c in commands] == [("lapse", PAIR), ("cancel", "reviews/r")]
    assert commands[0].request.reason == f"continuation: {FIRST}"


def test_a_decision_stands_when_the_predecessor_is_awarded(tmp_path: Path) -> None:
    with indexed(tmp_path, [first(A.STATE_IN_JOINT_REVIEW), second()]) as tx:
        store = Findings({PAIR: pb.Finding(name=PAIR, state=F.STATE_DISPOSED)})
        assert seen(tx, first(A.STATE_APPROVED), store) == []

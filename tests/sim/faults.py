"""Faults planted on purpose, each a small patch of the code under test, with what has to catch it.

`docs/simulation.md` has the same list. A fault that nothing catches means that the simulation looks away.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa

from kernel import consumer, rights
from kernel.consumer import Reaction, RoomSink
from kernel.database import send
from kernel.decide import Batch
from kernel.decision import Decision
from kernel.opening import Opening
from kernel.relay import RelaySink
from kernel.store import Store
from kernel.writer import Effects, Work, Writer
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit import consumer as audit
from services.audit.domain import columns
from services.funding import checks, money
from services.funding.checks import Verdict
from services.reports import consumer as reports
from tests.sim.campaign import Run, play, seeds, singles, twins
from tests.sim.disk import disk
from tests.sim.points import Crash

Plant = Callable[[], AbstractContextManager[Any]]
_opening = Writer._opening


@dataclass(frozen=True)
class Fault:
    """`plant`: puts the fault into the code. `runs`: those of which one has to fail. `says`: what its failure is about."""

    name: str
    plant: Plant
    runs: Callable[[], Iterator[Run]]
    says: str

    def caught(self) -> str:
        """Return the failure of the first run that finds the fault; empty: it is not found."""
        runs = list(self.runs())  # their points are counted on the code as it is
        with self.plant():
            for run in runs:
                try:
                    play(run)
                except AssertionError as failure:
                    return str(failure)
                except (
                    Crash
                ):  # of the planted reader, which nobody starts again: this run finds nothing
                    continue
        return ""


def _early(writer: Writer) -> sa.Engine:
    """An engine whose reads come before the head's lock."""
    return disk().engine(writer.store.service.name, "reading", "too early")


def _position_before_lock(self: Writer, tx: sa.Connection, works: Sequence[Work]) -> Opening:
    with _early(self).connect() as before:
        position, last = before.exec_driver_sql(self.store._lock.text).one()
    opening = _opening(self, tx, works)
    opening.opened = opening.opened._replace(position=position, commit_time=last)
    return opening


def _ceiling_before_lock(self: Writer, tx: sa.Connection, works: Sequence[Work]) -> Opening:
    if "programmes" not in self.store.service.by_collection:
        return _opening(self, tx, works)
    with _early(self).connect() as before:
        programmes = self.store.held(before, ["programmes/special"])
    opening = _opening(self, tx, works)
    opening.opened.held.update(programmes)
    return opening


class _NoEtag(Decision):
    def _to_move(self, action: str) -> Any:
        self._command = self._command._replace(etag="")
        return super()._to_move(action)


_REACT = RoomSink._react


def _cursor_first(self: RoomSink, reactions: Sequence[Reaction], effects: Effects) -> None:
    """The cursor in one transaction, its effects in the next."""
    self._write(Work(effects=effects))
    _REACT(self, reactions, lambda tx: None)


def _progress_first(self: RelaySink, source: str, entries: Sequence[JournalEntry]) -> None:
    self._move(source, entries[-1].position)
    self._publisher.publish(source, entries)


def _dual_write(
    self: Store, tx: sa.Connection, batch: Batch, *, last: bool = False, **_: Any
) -> None:
    """The records in one transaction, their events in the next."""
    for collection, rows in batch.rows.items():
        self._put_changed[collection](tx, list(rows.values()))
    tx.commit()
    self._put_journal(tx, batch.journal)
    if batch.journal:
        send(tx, [self._head_at(batch)])
    if last:
        tx.commit()


def _everything(_source: str, _cursor: int, entries: Sequence[JournalEntry]) -> Any:
    return list(entries), None


def _unchecked() -> AbstractContextManager[Any]:
    """No consumer looks whether it has had an entry."""

    def fresh(_source: str, _cursor: int, entries: Sequence[JournalEntry]) -> Any:
        return list(entries)

    return _Together(
        patch.object(consumer, "following", _everything),
        patch.object(consumer, "fresh", fresh),
        patch.object(audit, "following", _everything),
        patch.object(reports, "fresh", fresh),
    )


class _Together:
    """Several patches at once."""

    def __init__(self, *patches: Any) -> None:
        self._patches = patches

    def __enter__(self) -> None:
        for one in self._patches:
            one.start()

    def __exit__(self, *_: object) -> None:
        for one in self._patches:
            one.stop()


def _float_commit(programme: Any, year: int, fen: int, source: str = "") -> None:
    entry = money.commitment(programme, year, source)
    if entry.committed_fen + fen > money.ceiling(programme, year, source):
        _commit(programme, year, fen, source)  # refuses
    entry.committed_fen = math.floor((entry.committed_fen / 100 + fen / 100) * 100)


_commit = money.commit
_may = rights.may


def _no_four_eyes(caller: Any, move: Any, standing: Any) -> bool:
    return _may(caller, replace(move, four_eyes=False), standing)


def _leaf_of_columns(source: str, shard: int, position: int, event: bytes) -> bytes:
    return f"{source}/{shard}/{position}\n{columns(event)}".encode()


def _of(scenario: str, **more: Any) -> Callable[[], Iterator[Run]]:
    return lambda: iter([Run(scenario, **more)])


def _agreed(_rule: Any, _matter: Any) -> Verdict:
    return Verdict(True, "agreed", "同意")


FAULTS: tuple[Fault, ...] = (
    Fault(
        "position drawn before the head's lock",
        lambda: patch.object(Writer, "_opening", _position_before_lock),
        lambda: twins(60, only="create"),
        "UNIQUE constraint failed: journal.position",
    ),
    Fault(
        "no request-id check",
        lambda: patch.object(Store, "_as_seen", lambda *_: {}),
        _of("repeat"),
        "ended in ALREADY_EXISTS",
    ),
    Fault(
        "no etag",
        lambda: patch("kernel.decide.Decision", _NoEtag),
        _of("action"),
        "['', '']",
    ),
    Fault(
        "cursor before the effect",
        lambda: patch.object(RoomSink, "_react", _cursor_first),
        lambda: singles("review"),
        "I4",
    ),
    Fault(
        "relay's progress before the acknowledgement",
        lambda: patch.object(RelaySink, "apply", _progress_first),
        lambda: singles("relay"),
        "I3",
    ),
    Fault(
        "dual write: the event outside of its record's transaction",
        lambda: patch.object(Store, "save", _dual_write),
        lambda: singles("create"),
        "ended in ALREADY_EXISTS",
    ),
    Fault(
        "consumer without the position check",
        _unchecked,
        lambda: seeds(60, only="audit"),
        "UNIQUE constraint failed: entry",
    ),
    Fault(
        "money as a float",
        lambda: patch.object(money, "commit", _float_commit),
        _of("ceiling"),
        "I7",
    ),
    Fault(
        "ceiling read before the head's lock",
        lambda: patch.object(Writer, "_opening", _ceiling_before_lock),
        lambda: twins(60, only="ceiling"),
        "Overdrawn(",
    ),
    Fault(
        "payments that wait for no department",
        lambda: patch.dict(checks.CHECKS, departments_agreed=_agreed),
        _of("change"),
        "try-early",
    ),
    Fault(
        "self-approval",
        lambda: patch.object(rights, "may", _no_four_eyes),
        _of("ceiling"),
        "self-1 ended in OK",
    ),
    Fault(
        "leaf made again from columns",
        lambda: patch.object(audit, "leaf", _leaf_of_columns),
        _of("audit"),
        "its stored hash is not that of its bytes",
    ),
)

"""Events that a consumer cannot apply: kept beside its cursor with what follows of the same record, so that the rest goes on."""

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import sqlalchemy as sa
from google.protobuf.message import DecodeError

from kernel.database import TEXT, WHOLE, Put, Statement, is_postgres, words
from luoshu.journal.v1.journal_pb2 import Change, EventHead, JournalEntry

WAITING = ""
"""The error of an event that nothing is wrong with: it waits behind one of its record."""


class Parked(NamedTuple):
    """One parked event, in the order of the table's columns. `error`: a class's name; `parked_time`: µs since 1970 UTC."""

    source: str
    shard: int
    position: int
    record: str
    event: bytes
    error: str
    tries: int
    parked_time: int

    @property
    def entry(self) -> JournalEntry:
        return JournalEntry(source=self.source, position=self.position, event=self.event)


@runtime_checkable
class Parks(Protocol):
    """A sink that can put an event aside. The audit and the relay cannot: they need every event, in order."""

    @property
    def name(self) -> str: ...

    def parked(self) -> list[Parked]:
        """Return all of them, in the order in which they came."""
        ...

    def park(self, source: str, entry: JournalEntry, error: str, tries: int) -> None:
        """Put an entry aside and move the cursor past it, in one transaction."""
        ...

    def redrive(self, parked: Parked) -> None:
        """Apply the first parked event of a record and take it out, in one transaction. Raises what it cannot be applied for."""
        ...

    def failed_again(self, parked: Parked, error: str) -> None:
        """Keep that it was tried once more."""
        ...


def parked_table(metadata: sa.MetaData) -> sa.Table:
    """Return the table of parked events; nothing is created."""
    return sa.Table(
        "parked_event",
        metadata,
        sa.Column("source", TEXT, primary_key=True),
        sa.Column("shard", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("position", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("record", TEXT, nullable=False),
        sa.Column("event", sa.LargeBinary, nullable=False),
        sa.Column("error", TEXT, nullable=False),
        sa.Column("tries", WHOLE, nullable=False),
        sa.Column("parked_time", WHOLE, nullable=False),
    )


class Parking:
    """The statements of one such table. Nothing here opens or ends a transaction."""

    def __init__(self, table: sa.Table, *, postgres: bool) -> None:
        self._table, self._put = table, Put(table, postgres=postgres)
        records = sa.select(table.c.record).where(table.c.source == sa.bindparam("of"))
        self._records = words(records, postgres=postgres)

    @classmethod
    def of(cls, table: sa.Table, engine: sa.Engine) -> "Parking":
        return cls(table, postgres=is_postgres(engine))

    def rows(self, tx: sa.Connection) -> list[Parked]:
        order = (self._table.c.parked_time, self._table.c.source, self._table.c.position)
        return [Parked(*row) for row in tx.execute(sa.select(self._table).order_by(*order))]

    def of_source(self, source: str) -> Statement:
        """Return what finds the records whose later events have to wait."""
        return self._records.of({"of": source})

    def put(
        self, tx: sa.Connection, entries: Iterable[JournalEntry], error: str, tries: int
    ) -> None:
        now = time.time_ns() // 1000
        self._put(
            tx,
            [
                Parked(e.source, 0, e.position, record_of(e), e.event, error, tries, now)
                for e in entries
            ],
        )

    def is_first(self, tx: sa.Connection, parked: Parked) -> bool:
        """Tell whether it is still there, and no earlier one of its record."""
        first = sa.select(sa.func.min(self._table.c.position)).where(
            self._table.c.source == parked.source, self._table.c.record == parked.record
        )
        return bool(tx.scalar(first) == parked.position)

    def take(self, tx: sa.Connection, parked: Parked) -> None:
        tx.execute(sa.delete(self._table).where(*self._key(parked)))

    def failed_again(self, tx: sa.Connection, parked: Parked, error: str) -> None:
        more = {"error": error, "tries": self._table.c.tries + 1}
        tx.execute(sa.update(self._table).where(*self._key(parked)).values(**more))

    def _key(self, parked: Parked) -> Sequence[sa.ColumnElement[bool]]:
        c = self._table.c
        return c.source == parked.source, c.shard == parked.shard, c.position == parked.position


def split(
    entries: Sequence[JournalEntry], blocked: frozenset[str]
) -> tuple[list[JournalEntry], list[JournalEntry]]:
    """Return the entries that may be applied, and those that wait behind a parked one of their record."""
    if not blocked:
        return list(entries), []
    waits = [record_of(entry) in blocked for entry in entries]
    return (
        [e for e, waiting in zip(entries, waits, strict=True) if not waiting],
        [e for e, waiting in zip(entries, waits, strict=True) if waiting],
    )


def change_of(entry: JournalEntry) -> Change:
    """Return the head of an event; an empty one where the bytes are no event."""
    try:
        return EventHead.FromString(entry.event).change
    except DecodeError:
        return Change()


def record_of(entry: JournalEntry) -> str:
    return change_of(entry).record


class Redriven(NamedTuple):
    """What became of a parked event. `error`: empty where it was applied."""

    parked: Parked
    error: str


def redrive(sink: Parks, source: str = "", record: str = "") -> list[Redriven]:
    """Try parked events again, in order; a record's later ones only when the earlier ones are applied.

    `source`, `record`: only those; empty: of all.
    """
    done, stuck = list[Redriven](), set[tuple[str, str]]()
    for parked in sink.parked():
        of = (parked.source, parked.record)
        if of in stuck or (source and source != of[0]) or (record and record != of[1]):
            continue
        error = _tried(sink, parked)
        done.append(Redriven(parked, error))
        if error:
            stuck.add(of)
    return done


def _tried(sink: Parks, parked: Parked) -> str:
    try:
        sink.redrive(parked)
    except Exception as error:  # noqa: BLE001 - whatever it is, the event stays parked
        sink.failed_again(parked, type(error).__name__)
        return type(error).__name__
    return ""

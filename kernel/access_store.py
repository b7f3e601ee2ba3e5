"""Where a service's access journal lives: its tables, its statements, and reading on at its end."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp

from kernel.access import MINUTE, Access, Book, Flood, Kind, access_source
from kernel.columns import microseconds
from kernel.database import TEXT, WHOLE, Put, Statement, many, one_of
from kernel.tide import Tide, lines_above
from luoshu.journal.v1.journal_pb2 import AccessEvent

TAIL = 500  # lines that are read at a time
SWEEP = 200  # accounts whose minutes are ended at a time


class AccessTables(NamedTuple):
    """The four tables that every service has."""

    journal: sa.Table
    head: sa.Table
    flood: sa.Table
    cursor: sa.Table


class Told(NamedTuple):
    """A line as a reader gets it."""

    position: int
    event: bytes


class Recorder(Protocol):
    """Whoever keeps access events."""

    async def record(self, *said: Access) -> None:
        """Return when they are durable. Raises Unsettled, Overloaded, Stopping."""
        ...

    def mark(self, raw: bytes) -> bytes:
        """Return the keyed hash that stands for a request's bytes."""
        ...


def access_tables(metadata: sa.MetaData) -> AccessTables:
    """Add the tables to a service's own. Times in µs since 1970 UTC."""

    def text(name: str, **more: Any) -> sa.Column[str]:
        return sa.Column(name, TEXT, nullable=False, **more)

    def whole(name: str, **more: Any) -> sa.Column[int]:
        return sa.Column(name, WHOLE, nullable=False, **more)

    key: dict[str, Any] = {"primary_key": True, "autoincrement": False}
    journal = sa.Table(
        "access_journal",
        metadata,
        whole("position", **key),
        text("action"),
        text("actor"),
        whole("commit_time"),
        sa.Column("event", sa.LargeBinary, nullable=False),
        sa.Index("access_journal_action", "action", "position"),
    )
    head = sa.Table(
        "access_head", metadata, whole("id", **key), whole("position"), whole("commit_time")
    )
    flood = sa.Table(
        "access_flood",
        metadata,
        text("actor", primary_key=True),
        whole("since"),
        whole("counted"),
        whole("first"),
        sa.Column("last", sa.LargeBinary, nullable=False),
    )
    cursor = sa.Table(
        "access_cursor",
        metadata,
        text("source", primary_key=True),
        whole("shard", **key),
        whole("position"),
    )
    sa.event.listen(
        head,
        "after_create",
        sa.DDL(  # type: ignore[no-untyped-call]
            "INSERT INTO access_head VALUES (1, 0, 0)"
        ),
    )
    return AccessTables(journal, head, flood, cursor)


class AccessStore:
    """The statements over one access journal. Nothing here opens or ends a transaction."""

    def __init__(self, tables: AccessTables, *, postgres: bool) -> None:
        self._tables, self._postgres = tables, postgres
        journal, head, flood, cursor = tables
        self._put_lines = Put(journal, postgres=postgres)
        self._put_floods = Put(flood, postgres=postgres, replace=True)
        self._put_cursor = Put(cursor, postgres=postgres, replace=True)
        self._lock = sa.select(head.c.position, head.c.commit_time).with_for_update()
        self._head = sa.select(head.c.position)
        self._move_head = sa.update(head).values(
            position=sa.bindparam("to"), commit_time=sa.bindparam("at")
        )
        self._floods_of = sa.select(flood).where(one_of(flood.c.actor, postgres=postgres))
        self._over = (
            sa.select(flood)
            .where(flood.c.since <= sa.bindparam("before"))
            .order_by(flood.c.since)
            .limit(SWEEP)
        )
        self._end = sa.delete(flood).where(one_of(flood.c.actor, postgres=postgres))
        self._tail = (
            sa.select(journal.c.position, journal.c.event)
            .where(journal.c.position > sa.bindparam("after"))
            .order_by(journal.c.position)
            .limit(TAIL)
        )
        self._of = (
            sa.select(journal.c.position, journal.c.event)
            .where(one_of(journal.c.action, postgres=postgres))
            .where(journal.c.commit_time >= sa.bindparam("since", type_=WHOLE))
            .order_by(journal.c.position.desc())
        )
        self._about = self._of.where(_holds(journal.c.event, postgres=postgres))
        self._last = (
            sa.select(journal.c.event)
            .where(journal.c.action == sa.bindparam("action"))
            .order_by(journal.c.position.desc())
            .limit(1)
        )

    def save(self, tx: sa.Connection, now: Timestamp, said: Sequence[Access]) -> int:
        """Append under the access head's lock; return the last position."""
        book = self._book(tx, now)
        actors = {access.caller.actor for access in said if access.kind is Kind.DENIED}
        if actors:
            found = tx.execute(self._floods_of, many(actors, postgres=self._postgres))
            book.floods = {row.actor: Flood(*row) for row in found}
        book.tell(said)
        return self._keep(tx, book)

    def sweep(self, tx: sa.Connection, now: Timestamp) -> int:
        """End the minutes that are over; return the last position."""
        book = self._book(tx, now)
        book.floods = {flood.actor: flood for flood in self.over(tx, microseconds(book.now))}
        book.sweep()
        return self._keep(tx, book)

    def over(self, tx: sa.Connection, now: int) -> list[Flood]:
        """Return floods whose minute is over."""
        return [Flood(*row) for row in tx.execute(self._over, {"before": now - MINUTE})]

    def _book(self, tx: sa.Connection, now: Timestamp) -> Book:
        position, last = tx.execute(self._lock).one()
        stamp = Timestamp()
        stamp.FromMicroseconds(max(microseconds(now), last))
        return Book(position, stamp, {})

    def _keep(self, tx: sa.Connection, book: Book) -> int:
        self._put_lines(tx, book.lines)
        self._put_floods(tx, [flood for flood in book.floods.values() if flood])
        ended = [actor for actor, flood in book.floods.items() if flood is None]
        if ended:
            tx.execute(self._end, many(ended, postgres=self._postgres))
        if book.lines:
            tx.execute(self._move_head, {"to": book.position, "at": microseconds(book.now)})
        return book.position

    def head(self, tx: sa.Connection) -> int:
        return int(tx.execute(self._head).scalar_one())

    def told(self, tx: sa.Connection, after: int) -> list[Told]:
        return [Told(*row) for row in tx.execute(self._tail, {"after": after})]

    def of(self, tx: sa.Connection, kinds: Iterable[Kind], since: int = 0) -> list[AccessEvent]:
        """Return all events of some kinds, the newest first: of kinds that are rare. `since`: µs since 1970 UTC."""
        wanted = many(map(str, kinds), postgres=self._postgres)
        rows = tx.execute(self._of, {**wanted, "since": since})
        return [AccessEvent.FromString(row.event) for row in rows]

    def newest(
        self, tx: sa.Connection, kinds: Iterable[Kind], record: str, since: int = 0
    ) -> AccessEvent | None:
        """Return the newest event of some kinds about a record."""
        wanted = many(map(str, kinds), postgres=self._postgres)
        rows = tx.execute(self._about, {**wanted, "since": since, "held": record.encode()})
        events = (AccessEvent.FromString(row.event) for row in rows)
        return next((event for event in events if event.change.record == record), None)

    def last(self, tx: sa.Connection, kind: Kind) -> bytes | None:
        """Return the newest event of a kind."""
        found: bytes | None = tx.execute(self._last, {"action": str(kind)}).scalar()
        return found

    def cursors(self, tx: sa.Connection) -> dict[tuple[str, int], int]:
        cursor = self._tables.cursor
        rows = tx.execute(sa.select(cursor.c.source, cursor.c.shard, cursor.c.position))
        return {(source, shard): position for source, shard, position in rows}

    def moved(self, source: str, shard: int, position: int) -> list[Statement]:
        """Return what moves a consumer's cursor."""
        return self._put_cursor.of([(source, shard, position)])


def _holds(event: sa.ColumnElement[bytes], *, postgres: bool) -> sa.ColumnElement[bool]:
    """Return whether these bytes stand in an event: only what may be meant is parsed."""
    find = sa.func.pg_catalog.position if postgres else sa.func.instr
    return find(event, sa.bindparam("held", type_=sa.LargeBinary)) > 0


Read = Callable[..., Awaitable[Any]]
"""`read(question, *args)` runs `question(connection, *args)` in a read transaction."""


class AccessJournal:
    """A service's access journal, for whoever reads on at its end. Belongs to one event loop."""

    def __init__(self, service: str, store: AccessStore, read: Read, tide: Tide) -> None:
        self.source, self.store = access_source(service), store
        self._read, self._tide, self._woken = read, tide, 0

    def tell(self, after: int, *, follow: bool) -> AsyncIterator[Sequence[Told]]:
        """Yield lines above a position, some at a time; with `follow` for as long as the service runs."""
        read = partial(self._read, self.store.told)
        return lines_above(after, read, self._tide, follow=follow)

    async def head(self) -> int:
        return int(await self._read(self.store.head))

    async def last(self, kind: Kind) -> bytes | None:
        """Return the newest event of a kind."""
        found: bytes | None = await self._read(self.store.last, kind)
        return found

    def rise(self, head: int) -> None:
        """Wake those who wait, once a position."""
        if head > self._woken:
            self._woken = head
            self._tide.rise()

    def end(self) -> None:
        self._tide.end()


def record_into(
    engine: sa.Engine, store: AccessStore, now: Timestamp, said: Iterable[Access]
) -> None:
    """Write access events from outside of the service's process, such as from a command beside it."""
    with engine.begin() as tx:
        store.save(tx, now, list(said))

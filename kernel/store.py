"""Where a service's records and its journal live: statements, no rules."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from kernel.access_store import AccessStore
from kernel.case import Reference
from kernel.columns import fields_of
from kernel.database import (
    Glances,
    Put,
    Rows,
    Statement,
    Words,
    fetch,
    finish,
    is_postgres,
    many,
    one_of,
    one_of_these,
    send,
    set_out,
    words,
)
from kernel.deadline import Due
from kernel.decide import Batch
from kernel.ledger import Ledger
from kernel.outcome import Held, Settled
from kernel.parking import Parking
from kernel.personal import Sealed
from kernel.registry import Service
from kernel.retention import Retention
from kernel.rights import standing_of
from kernel.tables import Tables, tables_of

STILL = """SELECT CAST(COALESCE((
    SELECT CASE WHEN position = :position AND commit_time = :commit_time THEN '1' END
    FROM (SELECT position, commit_time FROM journal_head FOR UPDATE) AS locked
), 'another process has written') AS integer)"""
"""Locks the head. Where that is elsewhere, or away, it fails, and all behind it: what is compared is the row that was locked."""

REVISIONS = 1  # the column of a record's row that says how many it has


class Found(NamedTuple):
    """A record as a read finds it."""

    record: bytes
    readers: str
    public: int


class Told(NamedTuple):
    """A line of the journal as a reader gets it."""

    position: int
    collection: str
    record: str
    readers: str
    public: int
    event: bytes


class Head(NamedTuple):
    """Where a journal ends. `commit_time`: of its last change, µs since 1970 UTC."""

    position: int
    commit_time: int


class Opened(NamedTuple):
    """What a batch begins with. `position`, `commit_time` (µs since 1970 UTC): of the last change; until the commit nobody else
    moves them. `held`: those that do not exist are there with None. `seen`: the first answers to request ids used before.
    """

    position: int
    commit_time: int
    held: dict[str, Held | None]
    seen: dict[str, Settled]


class Store:
    """The statements of one service, made once. Nothing here opens a transaction, and only `save` can end one.

    `sign`: of this process's notices, so that it passes its own by.
    """

    def __init__(self, service: Service, engine: sa.Engine) -> None:
        self.service, self.postgres, self.sign = service, is_postgres(engine), uuid.uuid4().hex
        self.tables: Tables = tables_of(service)
        tables, postgres = self.tables, self.postgres
        self.access = AccessStore(tables.access, postgres=postgres)
        self._put_journal = Put(tables.journal, postgres=postgres)
        self._put_new = {c: Put(t, postgres=postgres) for c, t in tables.records.items()}
        self._put_changed = {
            c: Put(t, postgres=postgres, replace=True) for c, t in tables.records.items()
        }
        self._put_number = Put(tables.number, postgres=postgres, replace=True)
        self._put_known = Put(tables.known, postgres=postgres, replace=True)
        self._put_cursor = Put(tables.cursor, postgres=postgres, replace=True)
        self._put_subject = Put(tables.subject, postgres=postgres)
        self._put_personal = Put(tables.personal, postgres=postgres, replace=True)
        self._put_mentions = Put(tables.mention, postgres=postgres, replace=True)
        self.retention = Retention(service, tables, postgres=postgres)
        self.parking = Parking(tables.parked, postgres=postgres)
        due = tables.deadline
        if due is not None:
            self._put_deadline = Put(due, postgres=postgres)
            self._forget = self._words(
                sa.delete(due).where(one_of(due.c.record, postgres=postgres))
            )
        self._ledger = self._ledger_of(service)
        head = tables.head
        # On SQLite FOR UPDATE is left out: there BEGIN IMMEDIATE is the lock.
        self._lock = self._words(sa.select(head.c.position, head.c.commit_time).with_for_update())
        self._still = self._words(sa.text(STILL))
        self._head = sa.select(head.c.position)
        cursor = tables.cursor
        self._cursors = sa.select(cursor.c.source, cursor.c.shard, cursor.c.position)
        of: sa.BindParameter[str] = sa.bindparam("of")
        self._cursor = self._words(
            sa.select(cursor.c.shard, cursor.c.position).where(cursor.c.source == of)
        )
        self._notice = {"channel": channel_of(service.name), "sign": self.sign}
        self._notify = sa.select(sa.func.pg_notify(*map(sa.bindparam, self._notice)))
        self._move_head = self._head_statement(head)
        self._held = {
            c: self._words(self._by_name(t, t.c.record, t.c.revisions, t.c.position, t.c.action))
            for c, t in tables.records.items()
        }
        self._found = {
            c: self._words(self._by_name(t, t.c.record, t.c.readers, t.c.public))
            for c, t in tables.records.items()
        }
        self._at_once = {c: self._one_by_name(t) for c, t in tables.records.items()}
        self._seen = self._seen_statement()
        self._tail = self._tail_statement()

    def _ledger_of(self, service: Service) -> Ledger | None:
        book, tables = service.book, self.tables.ledger
        return Ledger(book, tables, postgres=self.postgres) if book and tables else None

    def _words(self, statement: sa.ClauseElement) -> Words:
        return words(statement, postgres=self.postgres)

    def _by_name(self, table: sa.Table, *columns: sa.Column[Any]) -> sa.Select[Any]:
        return sa.select(table.c.name, *columns).where(one_of(table.c.name, postgres=self.postgres))

    def _one_by_name(self, table: sa.Table) -> str:
        columns = (table.c[field] for field in Found._fields)
        return words(
            sa.select(*columns).where(table.c.name == sa.bindparam("name")), postgres=False
        ).text

    def _head_statement(self, head: sa.Table) -> Words:
        """Return what moves the head; on PostgreSQL it tells other processes too, with the commit."""
        moved = sa.update(head).values(dict.fromkeys(("position", "commit_time"), 0))
        notice = sa.func.pg_notify(*map(sa.bindparam, self._notice))
        return self._words(moved.returning(notice) if self.postgres else moved)

    def _seen_statement(self) -> Words:
        journal = self.tables.journal
        columns = (journal.c.request_id, journal.c.collection, journal.c.fingerprint)
        used = one_of(journal.c.request_id, postgres=self.postgres)
        return self._words(sa.select(*columns, journal.c.event).where(used))

    def _tail_statement(self) -> sa.Select[Any]:
        journal = self.tables.journal
        return (
            sa.select(*(journal.c[field] for field in Told._fields))
            .where(journal.c.position > sa.bindparam("after"))
            .order_by(journal.c.position)
            .limit(sa.bindparam("count"))
        )

    # Writing, under the head's lock.

    def opened(self, tx: sa.Connection, names: Iterable[str], request_ids: Sequence[str]) -> Opened:
        """Lock the head, then read what a batch needs: statements of their own, for each sees what was there when it began."""
        groups = _by_collection(set(names))
        asked = [self._lock.of()]
        asked += [self._of(self._seen, request_ids)] if request_ids else []
        asked += [self._of(self._held[c], group) for c, group in groups.items()]
        ((position, commit_time),), *found = fetch(tx, asked)
        seen = self._as_seen(found.pop(0)) if request_ids else {}
        return Opened(position, commit_time, self._as_held(groups, found), seen)

    def held(self, tx: sa.Connection, names: Iterable[str]) -> dict[str, Held | None]:
        """Return what is known of the names; those that do not exist are there with None."""
        groups = _by_collection(set(names))
        return self._as_held(
            groups, fetch(tx, [self._of(self._held[c], g) for c, g in groups.items()])
        )

    def _of(self, said: Words, values: Iterable[str]) -> Statement:
        return one_of_these(said, values, postgres=self.postgres)

    def _as_held(
        self, groups: Mapping[str, Sequence[str]], found: Sequence[Sequence[Any]]
    ) -> dict[str, Held | None]:
        held: dict[str, Held | None] = {name: None for names in groups.values() for name in names}
        for collection, rows in zip(groups, found, strict=True):
            parse = self.service.by_collection[collection].record.FromString
            for name, body, revisions, position, action in rows:
                held[name] = Held(parse(body), revisions, position, action)
        return held

    def _as_seen(self, rows: Sequence[Any]) -> dict[str, Settled]:
        """Return the first answers to request ids that were used before."""
        known = self.service.by_collection
        return {row[0]: self._settled(*row[1:]) for row in rows if row[1] in known}

    def _settled(self, collection: str, fingerprint: bytes, event: bytes) -> Settled:
        resource = self.service.by_collection[collection]
        record = getattr(self.service.event.FromString(event), resource.singular)
        standing = standing_of(record, resource.lifecycle)
        body = record.SerializeToString()
        return Settled(record.name, body, record.revision, standing, fingerprint)

    def save(
        self,
        tx: sa.Connection,
        batch: Batch,
        *,
        expected: Head | None = None,
        last: bool = False,
    ) -> None:
        """Write what a batch decided, the head at the end; other processes are told with the commit. `last`: and commit.

        `expected`: the head, where it is not locked yet. Raises DataError: it is elsewhere;
        IntegrityError: a request id was used before, or a name that was drawn.
        """
        written = list[Statement]()
        if batch.journal:
            if self._ledger is not None:
                self._ledger.write(tx, batch.ledger)
            written = [*self._rows_of(batch), *self._deadlines_of(batch), self._head_at(batch)]
            if expected is not None:
                written.insert(0, self._still.of(expected._asdict()))
        (finish if last else send)(tx, written)

    def set_out(self, tx: sa.Connection, batch: Batch) -> None:
        """Let the database write records and journal lines of a batch that goes on being decided."""
        set_out(tx, [*self._lines_of(batch)])
        batch.gone()

    def _lines_of(self, batch: Batch) -> Iterator[Statement]:
        for collection, rows in batch.rows.items():
            new = [row for row in rows.values() if row[REVISIONS] == 1]
            changed = [row for row in rows.values() if row[REVISIONS] > 1]
            yield from self._put_new[collection].of(new)
            yield from self._put_changed[collection].of(changed)
        yield from self._put_journal.of(batch.journal[batch.sent :])

    def _rows_of(self, batch: Batch) -> Iterator[Statement]:
        yield from self._lines_of(batch)
        yield from self._put_number.of(list(batch.drawn.items()))
        subjects = {sealed.subject for sealed in batch.sealed.values()}
        yield from self._put_subject.of(
            [(s, k) for s, k in batch.new_keys.items() if s in subjects]
        )
        yield from self._put_personal.of(list(batch.sealed.values()))
        yield from self._put_mentions.of(list(batch.mentions))

    def _deadlines_of(self, batch: Batch) -> list[Statement]:
        """Return what lets records' deadlines be those that follow from them now; the former are forgotten."""
        if not batch.deadlines:
            return []
        rows = [
            (record, due.key, due.day.isoformat(), due.action)
            for record, dues in batch.deadlines.items()
            for due in dues
        ]
        return [self._of(self._forget, batch.deadlines), *self._put_deadline.of(rows)]

    def _head_at(self, batch: Batch) -> Statement:
        moved = {"position": batch.position, "commit_time": batch.moment}
        return self._move_head.of(moved | self._notice)

    def notify(self, tx: sa.Connection) -> None:
        """Tell other processes, with the commit, that the access journal grows."""
        if self.postgres:
            tx.execute(self._notify, self._notice)

    def put_known(self, tx: sa.Connection, known: Sequence[tuple[str, str, str, int]]) -> None:
        """Keep (name, state, title, position) of other services' records."""
        self._put_known(tx, _last_of_each(known))

    def put_cursor(self, tx: sa.Connection, source: str, shard: int, position: int) -> None:
        send(tx, self.moved(source, shard, position))

    def moved(self, source: str, shard: int, position: int) -> list[Statement]:
        """Return what moves a consumer's cursor."""
        return self._put_cursor.of([(source, shard, position)])

    def go_on(
        self,
        tx: sa.Connection,
        source: str,
        shard: int,
        position: int,
        known: Sequence[tuple[str, str, str, int]],
    ) -> tuple[int, frozenset[str]]:
        """Move a consumer's cursor and keep names, and return how it stood before: all in one trip."""
        moved = self.moved(source, shard, position)
        kept = self._put_known.of(_last_of_each(known))
        cursors, waiting, *_ = fetch(tx, [*self._standing_of(source), *moved, *kept])
        return _as_standing(shard, cursors, waiting)

    # Reading.

    def head(self, tx: sa.Connection) -> int:
        return int(tx.execute(self._head).scalar_one())

    def asking(self, names: Iterable[str]) -> list[Statement]:
        """Return what finds records by name. What no record can be called is not asked for."""
        groups = _by_collection(name for name in names if "\0" not in name)
        return [self._of(self._found[c], group) for c, group in groups.items() if c in self._found]

    def found(self, rows: Iterable[Rows]) -> dict[str, Found]:
        """Return name → record of the rows that `asking` finds."""
        return {name: Found(*found) for each in rows for name, *found in each}

    def found_at_once(self, file: Glances, name: str) -> Found | None:
        """Return one record of an SQLite file. Raises Silent."""
        row = file.row(self._at_once[name.split("/", 1)[0]], name)
        return None if row is None else Found(*row)

    def told(self, tx: sa.Connection, after: int, count: int, most: int = 2**62) -> list[Told]:
        """Return at most `count` journal lines above a position, fewer where their events reach `most` bytes."""
        lines = list[Told]()
        for row in tx.execute(self._tail, {"after": after, "count": count}):
            lines.append(Told(*row))
            most -= len(lines[-1].event)
            if most <= 0:
                break
        return lines

    def cursors(self, tx: sa.Connection) -> dict[tuple[str, int], int]:
        rows = tx.execute(self._cursors)
        return {(source, shard): position for source, shard, position in rows}

    def standing(self, tx: sa.Connection, source: str, shard: int) -> tuple[int, frozenset[str]]:
        """Return a consumer's cursor, and the records whose events wait."""
        return _as_standing(shard, *fetch(tx, self._standing_of(source)))

    def _standing_of(self, source: str) -> list[Statement]:
        return [self._cursor.of({"of": source}), self.parking.of_source(source)]

    def names(
        self, tx: sa.Connection, collection: str, where: Mapping[str, str | int]
    ) -> list[str]:
        """Return the names of the records whose columns have these values."""
        table = self.tables.records[collection]
        columns = {f.path: f.column for f in fields_of(self.service.by_collection[collection])}
        wanted = (table.c[columns[path]] == value for path, value in where.items())
        return list(tx.execute(sa.select(table.c.name).where(*wanted)).scalars())

    def last_number(self, tx: sa.Connection, series: str) -> int:
        number = self.tables.number
        found = tx.execute(sa.select(number.c.last).where(number.c.series == series)).scalar()
        return int(found or 0)

    def reference(self, tx: sa.Connection, name: str) -> Reference | None:
        known = self.tables.known
        row = tx.execute(
            sa.select(known.c.name, known.c.state, known.c.title).where(known.c.name == name)
        ).first()
        return None if row is None else Reference(*row)

    def due(self, tx: sa.Connection, day: str, most: int) -> list[Due]:
        """Return what is due on a day or was before, the oldest first."""
        table = self.tables.deadline
        if table is None:
            return []
        order = (table.c.day, table.c.record, table.c.key)
        rows = sa.select(table).where(table.c.day <= day).order_by(*order).limit(most)
        return [Due(*row) for row in tx.execute(rows)]

    def pending(self, tx: sa.Connection, day: str) -> tuple[int, int]:
        """Return how many deadlines there are, and how many of them a day has reached."""
        table = self.tables.deadline
        if table is None:
            return 0, 0
        reached = sa.func.sum(sa.case((table.c.day <= day, 1), else_=0))
        count, due = tx.execute(sa.select(sa.func.count(), reached).select_from(table)).one()
        return int(count), int(due or 0)

    def timed(self, tx: sa.Connection) -> list[str]:
        """Return the records of which something is due, some day."""
        table = self.tables.deadline
        if table is None:
            return []
        return list(tx.execute(sa.select(table.c.record).distinct().order_by("record")).scalars())

    def subject_key(self, tx: sa.Connection, subject: str) -> bytes | None:
        table = self.tables.subject
        found: bytes | None = tx.execute(
            sa.select(table.c.key).where(table.c.subject == subject)
        ).scalar()
        return found

    def some_key(self, tx: sa.Connection) -> bytes | None:
        """Return the wrapped key of one subject or another; None: nobody is known yet."""
        found: bytes | None = tx.execute(sa.select(self.tables.subject.c.key).limit(1)).scalar()
        return found

    def personal(self, tx: sa.Connection, marks: Iterable[str]) -> list[tuple[Sealed, bytes]]:
        """Return the values behind commitments, each with its subject's wrapped key."""
        value, subject = self.tables.personal, self.tables.subject
        statement = (
            sa.select(value.c.commitment, value.c.subject, value.c.value, subject.c.key)
            .join(subject, subject.c.subject == value.c.subject)
            .where(one_of(value.c.commitment, postgres=self.postgres))
        )
        rows = tx.execute(statement, many(marks, postgres=self.postgres))
        return [(Sealed(mark, who, sealed), key) for mark, who, sealed, key in rows]


class TransactionLoader:
    """Reads what a decision still needs, in the transaction that decides: `tx` gives its connection."""

    def __init__(self, store: Store, tx: Callable[[], sa.Connection]) -> None:
        self._store, self._tx = store, tx

    def record(self, name: str) -> Held | None:
        return self._store.held(self._tx(), [name])[name]

    def names(self, collection: str, where: Mapping[str, str | int]) -> list[str]:
        return self._store.names(self._tx(), collection, where)

    def last_number(self, series: str) -> int:
        return self._store.last_number(self._tx(), series)

    def reference(self, name: str) -> Reference | None:
        return self._store.reference(self._tx(), name)

    def subject_key(self, subject: str) -> bytes | None:
        return self._store.subject_key(self._tx(), subject)


def channel_of(service: str) -> str:
    """Return the name that a service's notices go by on PostgreSQL."""
    return f"luoshu_{service}"


def _last_of_each(known: Iterable[tuple[str, str, str, int]]) -> list[tuple[str, str, str, int]]:
    return list({row[0]: row for row in known}.values())


def _as_standing(
    shard: int, cursors: Sequence[Any], waiting: Sequence[Any]
) -> tuple[int, frozenset[str]]:
    at = {row[0]: row[1] for row in cursors}
    return at.get(shard, 0), frozenset(row[0] for row in waiting)


def _by_collection(names: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.split("/", 1)[0], []).append(name)
    return groups

"""The audit's tables, and reading them."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa

from kernel.access_store import access_tables
from kernel.database import TEXT, WHOLE, is_postgres, take_turn
from services.audit.domain import Columns, LogEntry
from services.audit.merkle import Nodes
from services.audit.suites import SHA_ED25519, SM3_SM2, Suite

T = TypeVar("T")

CHUNK = 1000
"""Rows that a reader of the whole log holds at a time."""

metadata = sa.MetaData()


def _whole(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, WHOLE, primary_key=key, autoincrement=False, nullable=False)


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, primary_key=key, nullable=False)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


entry = sa.Table(
    "entry",
    metadata,
    _whole("index", key=True),  # place in the log: dense, from 0
    _text("source"),
    _whole("shard"),
    _whole("position"),
    _bytes("event"),  # the journal's exact bytes
    _bytes("leaf_hash"),
    _text("record"),  # from here on: for search only, empty where the event does not tell
    _text("action"),
    _text("actor"),
    _text("department"),
    _whole("commit_time"),  # microseconds since 1970 (UTC)
    _text("business_date"),  # ISO 8601, Asia/Shanghai
    sa.UniqueConstraint("source", "shard", "position"),
    sa.Index("entry_source", "source", "index"),
    sa.Index("entry_record", "record", "index"),
    sa.Index("entry_action", "action", "index"),
    sa.Index("entry_actor", "actor", "index"),
    sa.Index("entry_department", "department", "index"),
    sa.Index("entry_commit_time", "commit_time"),
    sa.Index("entry_source_time", "source", "commit_time"),
    sa.Index("entry_department_time", "department", "commit_time"),
    sa.Index("entry_actor_time", "actor", "commit_time"),
    sa.Index("entry_action_time", "action", "commit_time"),
)
"""One row a leaf."""


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """Where one log's hashes and signatures lie; the entries are every log's. `path`: what its files' paths begin with."""

    suite: Suite
    path: str
    node: sa.Table
    checkpoint: sa.Table
    cosignature: sa.Table


def _node(name: str) -> sa.Table:
    """Hashes of complete subtrees: see `services.audit.merkle`."""
    return sa.Table(
        name,
        metadata,
        _whole("level", key=True),
        _whole("index", key=True),
        _bytes("hash"),
        sqlite_with_rowid=False,
    )


def _checkpoint(name: str) -> sa.Table:
    """One row a signed checkpoint."""
    return sa.Table(
        name,
        metadata,
        _whole("size", key=True),
        _text("text"),  # the signed note
        _whole("time"),  # microseconds since 1970 (UTC)
    )


def _cosignature(name: str) -> sa.Table:
    """One row a witness that cosigned a checkpoint."""
    return sa.Table(
        name,
        metadata,
        _whole("size", key=True),  # of the checkpoint
        _text("witness", key=True),  # name of its key
        _text("line"),  # the signature line, to be put under the note
        _whole("time"),  # microseconds since 1970 (UTC)
    )


def _log(suite: Suite, prefix: str, path: str) -> Log:
    tables = (_node(f"{prefix}node"), _checkpoint(f"{prefix}checkpoint"))
    return Log(suite, path, *tables, _cosignature(f"{prefix}cosignature"))


FIRST = _log(SHA_ED25519, "", "")
"""The log whose leaf hashes stand beside the entries."""
SECOND = _log(SM3_SM2, "sm_", "sm/")
"""The same entries with SM3 and SM2, where it is kept."""
LOGS = {log.suite.kind: log for log in (FIRST, SECOND)}

cursor = sa.Table(
    "cursor",
    metadata,
    _text("source", key=True),
    _whole("shard", key=True),
    _whole("position"),  # last one applied
)
"""How far each journal is in the log."""

ACCESS = access_tables(metadata)
"""The audit's own access journal: who searched what it may not, and what was exported."""


def tree_size(connection: sa.Connection, log: Log = FIRST) -> int:
    """Return the number of entries, of another log than the first: of those that it has hashed."""
    last: int | None = connection.scalar(_last(log))
    return 0 if last is None else last + 1


def _last(log: Log) -> sa.Select[Any]:
    leaves = sa.select(sa.func.max(log.node.c.index)).where(log.node.c.level == 0)
    return sa.select(sa.func.max(entry.c.index)) if log is FIRST else leaves


def latest_checkpoint(connection: sa.Connection, log: Log = FIRST) -> sa.Row[Any] | None:
    """Return (size, text, time) of the largest; None while the log is empty."""
    newest = sa.select(log.checkpoint).order_by(log.checkpoint.c.size.desc()).limit(1)
    return connection.execute(newest).one_or_none()


def checkpoint_at(connection: sa.Connection, size: int, log: Log = FIRST) -> sa.Row[Any] | None:
    """Return (size, text, time) of the checkpoint of exactly that size, if one was signed."""
    here = sa.select(log.checkpoint).where(log.checkpoint.c.size == size)
    return connection.execute(here).one_or_none()


def checkpoints(
    connection: sa.Connection, until: int | None = None, log: Log = FIRST
) -> list[tuple[int, str]]:
    """Return (size, note) of every checkpoint, or of those up to a size, the smallest first."""
    size, text = log.checkpoint.c.size, log.checkpoint.c.text
    rows = sa.select(size, text).order_by(size)
    if until is not None:
        rows = rows.where(size <= until)
    return [(at, note) for at, note in connection.execute(rows)]


def cosigned(connection: sa.Connection, size: int, note: str, log: Log = FIRST) -> str:
    """Return the note of a checkpoint with the lines of its witnesses."""
    columns = log.cosignature.c
    here = sa.select(columns.line).where(columns.size == size)
    return note + "".join(connection.scalars(here.order_by(columns.witness)))


def witnesses_of(connection: sa.Connection, size: int, log: Log = FIRST) -> frozenset[str]:
    """Return the keys' names of those who cosigned the checkpoint of a size."""
    columns = log.cosignature.c
    return frozenset(connection.scalars(sa.select(columns.witness).where(columns.size == size)))


def settled_size(
    connection: sa.Connection, keys: Sequence[str], least: int, log: Log = FIRST
) -> int | None:
    """Return the largest size that so many of these keys cosigned; None where none is."""
    columns = log.cosignature.c
    found = sa.select(columns.size).where(columns.witness.in_(keys))
    grouped = found.group_by(columns.size).having(sa.func.count() >= least)
    return connection.scalar(grouped.order_by(columns.size.desc()).limit(1))


def sizes(connection: sa.Connection, log: Log = FIRST) -> tuple[int, int]:
    """Return `tree_size` and the latest checkpoint's size, both of one moment."""
    last = _last(log).scalar_subquery()
    signed = sa.select(sa.func.max(log.checkpoint.c.size)).scalar_subquery()
    both = sa.select(sa.func.coalesce(last, -1), sa.func.coalesce(signed, 0))
    index, size = connection.execute(both).one()
    return index + 1, size


def with_nodes(connection: sa.Connection, work: Callable[[Nodes], T], log: Log = FIRST) -> T:
    """Run work on the stored nodes with one query for all that it reads.

    Which nodes it reads must not depend on their hashes: it runs twice, first to tell its places.

    Raises:
        KeyError: the table lacks a node.
    """
    places: list[tuple[int, int]] = []

    def remember(level: int, index: int) -> bytes:
        places.append((level, index))
        return b""

    work(remember)
    found = hashes(connection, places, log)
    return work(lambda level, index: found[level, index])


def hashes(
    connection: sa.Connection, places: Sequence[tuple[int, int]], log: Log = FIRST
) -> dict[tuple[int, int], bytes]:
    """Return place → hash of the nodes that are stored; a place is (level, index)."""
    if not places:
        return {}
    postgres = is_postgres(connection.engine)
    rows = connection.execute(_wanted(log, postgres=postgres), _places(places, postgres=postgres))
    return {(level, index): digest for level, index, digest in rows}


@lru_cache(maxsize=4)
def _wanted(log: Log, *, postgres: bool) -> sa.Select[Any]:
    """The places drive the join, each a look-up by key: of row values in a list SQLite reads the whole table."""
    if postgres:
        from kernel.arrays import Array

        binds = [sa.bindparam(name, type_=Array(WHOLE)) for name in ("levels", "places")]
        columns = [sa.column(name, WHOLE) for name in ("level", "place")]
        wanted: Any = sa.func.unnest(*binds).table_valued(*columns, name="wanted").render_derived()
        level, place = wanted.c.level, wanted.c.place
    else:
        wanted = sa.func.json_each(sa.bindparam("places", type_=sa.Text)).table_valued("value")
        level, place = (sa.func.json_extract(wanted.c.value, f"$[{at}]") for at in (0, 1))
    node = log.node.c
    here = sa.and_(node.level == level, node.index == place)
    found = sa.select(node.level, node.index, node.hash)
    return found.select_from(wanted.join(log.node, here))


def _places(places: Sequence[tuple[int, int]], *, postgres: bool) -> dict[str, Any]:
    if postgres:
        levels, indexes = zip(*places, strict=True)
        return {"levels": list(levels), "places": list(indexes)}
    return {"places": json.dumps(places)}


def level(
    connection: sa.Connection, number: int, start: int, end: int, log: Log = FIRST
) -> list[bytes]:
    """Return the hashes of a level of the tree, places `start` up to `end`, as far as there are."""
    columns = log.node.c
    here = sa.and_(columns.level == number, columns.index >= start, columns.index < end)
    return list(connection.scalars(sa.select(columns.hash).where(here).order_by(columns.index)))


def places(connection: sa.Connection, start: int, end: int) -> list[tuple[str, int]]:
    """Return (source, position) of entries `start` up to `end`, in the order of the log."""
    here = sa.and_(entry.c.index >= start, entry.c.index < end)
    rows = sa.select(entry.c.source, entry.c.position).where(here).order_by(entry.c.index)
    return [(source, position) for source, position in connection.execute(rows)]


def cursors(connection: sa.Connection) -> dict[tuple[str, int], int]:
    """Return (source, shard) → last position in the log."""
    return _cursors(connection, sa.select(cursor))


def lock_cursors(tx: sa.Connection) -> dict[tuple[str, int], int]:
    """Return the same, held until the transaction ends.

    All are locked, in one order: the journals share the tree's edge.
    """
    take_turn(tx)
    rows = sa.select(cursor).order_by(cursor.c.source, cursor.c.shard)
    return _cursors(tx, rows.with_for_update())


def _cursors(
    connection: sa.Connection, rows: sa.Select[tuple[str, int, int]]
) -> dict[tuple[str, int], int]:
    return {(row.source, row.shard): row.position for row in connection.execute(rows)}


def read_entries(
    connection: sa.Connection,
    *,
    source: str | None = None,
    after: int = -1,
    until: int | None = None,
) -> Iterator[LogEntry]:
    """Yield the entries, of one journal or all, after an index, of a size or all, in order."""
    page = sa.select(entry).where(entry.c.index > sa.bindparam("after"))
    if source is not None:
        page = page.where(entry.c.source == source)
    if until is not None:
        page = page.where(entry.c.index < until)
    page = page.order_by(entry.c.index).limit(CHUNK)
    while entries := [log_entry(row) for row in connection.execute(page, {"after": after})]:
        yield from entries
        after = entries[-1].index


def log_entry(row: Iterable[Any]) -> LogEntry:
    """Return a row of `entry` as what it is."""
    index, source, shard, position, event, leaf_hash, *columns = row
    return LogEntry(index, source, position, event, shard, leaf_hash, Columns(*columns))


class NodeReader:
    """Looks nodes up for a reader that goes through the log once: a query a thousand nodes.

    A node that the table lacks is empty.
    """

    def __init__(self, connection: sa.Connection, log: Log = FIRST) -> None:
        self._connection, self._node = connection, log.node.c
        self._held: dict[int, tuple[int, dict[int, bytes]]] = {}

    def __call__(self, level: int, index: int) -> bytes:
        start, held = self._held.get(level, (-CHUNK, {}))
        if not start <= index < start + CHUNK:
            held = self._load(level, index)
            self._held[level] = (index, held)
        return held.get(index, b"")

    def _load(self, level: int, start: int) -> dict[int, bytes]:
        node, end = self._node, start + CHUNK
        here = sa.and_(node.level == level, node.index >= start, node.index < end)
        rows = sa.select(node.index, node.hash).where(here)
        return dict(map(tuple, self._connection.execute(rows)))

"""Reading the audit's tables: checkpoints and who cosigned them, entries, and how far each journal is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from kernel.database import Words, fetch_in_turn, is_postgres, words
from services.audit.domain import Columns, LogEntry
from services.audit.hashes import Hashes
from services.audit.schema import FIRST, Log, cursor, entry

CANDIDATES = 50
"""Checkpoints that are looked at for one with a quorum."""
BARE = ("index", "source", "shard", "position", "event", "leaf_hash")
"""Columns of an entry that are signed."""
CHUNK = 1000
"""Rows that a reader of the whole log holds at a time."""


def tree_size(connection: sa.Connection, log: Log = FIRST) -> int:
    """Return the number of entries, of another log than the first: of those that it has hashed."""
    last: int | None = connection.scalar(_last(log))
    return 0 if last is None else last + 1


@lru_cache(maxsize=4)
def _last(log: Log) -> sa.Select[Any]:
    leaves = sa.select(sa.func.max(log.node.c.index)).where(
        log.node.c.level == sa.literal_column("0")
    )
    return sa.select(sa.func.max(entry.c.index)) if log is FIRST else leaves


def latest_checkpoint(connection: sa.Connection, log: Log = FIRST) -> sa.Row[Any] | None:
    """Return (size, text, time) of the largest; None while the log is empty."""
    return connection.execute(_newest(log)).one_or_none()


@lru_cache(maxsize=4)
def _newest(log: Log) -> sa.Select[Any]:
    size = log.checkpoint.c.size
    return sa.select(log.checkpoint).where(size == sa.select(sa.func.max(size)).scalar_subquery())


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


def cosigned_sizes(
    connection: sa.Connection, keys: Sequence[str], least: int, log: Log = FIRST
) -> list[int]:
    """Return the sizes under which so many of these keys have lines, the largest first; nobody read the lines."""
    columns = log.cosignature.c
    found = sa.select(columns.size).where(columns.witness.in_(keys))
    grouped = found.group_by(columns.size).having(sa.func.count() >= least)
    return list(connection.scalars(grouped.order_by(columns.size.desc()).limit(CANDIDATES)))


def sizes(connection: sa.Connection, log: Log = FIRST) -> tuple[int, int]:
    """Return `tree_size` and the latest checkpoint's size, both of one moment."""
    index, size = connection.execute(_both(log)).one()
    return index + 1, size


@lru_cache(maxsize=4)
def _both(log: Log) -> sa.Select[Any]:
    last = _last(log).scalar_subquery()
    signed = sa.select(sa.func.max(log.checkpoint.c.size)).scalar_subquery()
    return sa.select(sa.func.coalesce(last, -1), sa.func.coalesce(signed, 0))


def spans(connection: sa.Connection, start: int, end: int) -> list[tuple[str, int, int]]:
    """Return (source, first position, last position) of the journals that entries `start` up to `end` are of."""
    position = entry.c.position
    here = sa.and_(entry.c.index >= start, entry.c.index < end)
    rows = sa.select(entry.c.source, sa.func.min(position), sa.func.max(position)).where(here)
    grouped = rows.group_by(entry.c.source).order_by(entry.c.source)
    return [(source, first, last) for source, first, last in connection.execute(grouped)]


def cursors(connection: sa.Connection) -> dict[tuple[str, int], int]:
    """Return (source, shard) → last position in the log."""
    return {(row.source, row.shard): row.position for row in connection.execute(sa.select(cursor))}


class Edge(NamedTuple):
    """Where the log ends. `cursors`: (source, shard) → last position in it; `size`: entries that are stored; `note`: the largest
    checkpoint's, None while nothing is signed; `hashed`: entries of which the log has hashes; `peaks`: of the trees of both
    sizes, as far as they came with the rest.
    """

    cursors: Mapping[tuple[str, int], int]
    size: int
    note: str | None
    hashed: int
    peaks: Hashes


def lock(tx: sa.Connection, log: Log = FIRST) -> Edge:
    """Return where the log ends, held until the transaction ends.

    All cursors are locked, in one order: the journals share the tree's edge.
    """
    postgres = is_postgres(tx.engine)
    rows, newest, *lasts = fetch_in_turn(tx, [said.of() for said in _edge(log, postgres=postgres)])
    peaks = lasts.pop() if postgres else ()
    cursors = {(source, shard): position for source, shard, position in rows}
    ends = [0 if last is None else last + 1 for ((last,),) in lasts]
    note = newest[0][1] if newest else None
    held = {(level, place): digest for level, place, digest in peaks}
    return Edge(cursors, ends[0], note, ends[-1], held)


@lru_cache(maxsize=4)
def _edge(log: Log, *, postgres: bool) -> list[Words]:
    locked = sa.select(cursor).order_by(cursor.c.source, cursor.c.shard).with_for_update()
    lasts = dict.fromkeys((FIRST, log))
    asked = (locked, _newest(log), *map(_last, lasts))
    said = [words(statement, postgres=postgres) for statement in asked]
    return [*said, _peaks(log)] if postgres else said


def _peaks(log: Log) -> Words:
    """Return what finds the peaks of the signed and of the stored tree: a subtree for each bit of its size.

    Each is looked up by its key, for LIMIT keeps the planner from a join: one that it plans over an empty table reads all leaves.
    """
    return Words(
        f"""
        SELECT node.level, node.index, node.hash
        FROM (
          SELECT max(size) FROM {log.checkpoint.name}
          UNION SELECT max(index) + 1 FROM {log.node.name} WHERE level = 0
        ) AS tree (size)
        CROSS JOIN generate_series(0, 62) AS bit (level)
        CROSS JOIN LATERAL (
          SELECT * FROM {log.node.name} AS held WHERE held.level = bit.level AND held.index = (tree.size >> bit.level) - 1 LIMIT 1
        ) AS node
        WHERE (tree.size >> bit.level) & 1 = 1
        """,  # noqa: S608 - the names are the schema's
        (),
    )


def read_entries(
    connection: sa.Connection,
    *,
    source: str | None = None,
    after: int = -1,
    until: int | None = None,
    bare: bool = False,
) -> Iterator[LogEntry]:
    """Yield the entries, of one journal or all, after an index, of a size or all, in order. `bare`: without search columns."""
    columns = [entry.c[name] for name in BARE] if bare else [*entry.c]
    page = sa.select(*columns).where(entry.c.index > sa.bindparam("after"))
    if source is not None:
        page = page.where(entry.c.source == source)
    if until is not None:
        page = page.where(entry.c.index < until)
    page = page.order_by(entry.c.index).limit(CHUNK)
    full = True
    while full:
        entries = [log_entry(row) for row in connection.execute(page, {"after": after})]
        yield from entries
        if full := len(entries) == CHUNK:
            after = entries[-1].index


def log_entry(row: Iterable[Any]) -> LogEntry:
    """Return a row of `entry` as what it is."""
    index, source, shard, position, event, leaf_hash, *columns = row
    found = Columns(*columns) if columns else None
    return LogEntry(index, source, position, event, shard, leaf_hash, found)

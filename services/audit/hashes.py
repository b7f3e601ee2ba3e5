"""Reading the stored hashes of a log's tree: those that a proof needs, a level of it, or all of them once."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar

import sqlalchemy as sa

from kernel.database import WHOLE, is_postgres
from services.audit.merkle import Nodes
from services.audit.schema import FIRST, Log

T = TypeVar("T")

Hashes = Mapping[tuple[int, int], bytes]
"""Place → hash of a node; a place is (level, index)."""
CHUNK = 1000
"""Hashes that a reader of the whole log holds of a level at a time."""


def with_nodes(
    connection: sa.Connection,
    work: Callable[[Nodes], T],
    log: Log = FIRST,
    held: Hashes = MappingProxyType({}),
) -> T:
    """Run work on the stored nodes with one query for all that it reads, none where all are held already.

    Which nodes it reads must not depend on their hashes: it runs twice, first to tell its places.

    Raises:
        KeyError: the table lacks a node.
    """
    places: list[tuple[int, int]] = []

    def remember(level: int, index: int) -> bytes:
        places.append((level, index))
        return b""

    work(remember)
    missing = [place for place in places if place not in held]
    found = {**held, **hashes_at(connection, missing, log)}
    return work(lambda level, index: found[level, index])


def hashes_at(
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


def level_of(
    connection: sa.Connection, number: int, start: int, end: int, log: Log = FIRST
) -> list[bytes]:
    """Return the hashes of a level of the tree, places `start` up to `end`, as far as there are."""
    columns = log.node.c
    here = sa.and_(columns.level == number, columns.index >= start, columns.index < end)
    return list(connection.scalars(sa.select(columns.hash).where(here).order_by(columns.index)))


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

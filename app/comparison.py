"""Two databases held to each other, row by row in the order of their keys."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import sqlalchemy as sa

from kernel import database

TOGETHER = 2_000  # rows that are read together
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """One table of both. `difference`: the first one, in words; empty where there is none."""

    table: str
    rows: int
    live: str
    rebuilt: str
    difference: str


def _rows(tx: sa.Connection, table: sa.Table) -> Iterator[Row]:
    """Yield a table's rows in the order of their keys, the same on both databases."""
    keys = [_bytewise(column, tx) for column in table.primary_key.columns]
    for row in tx.execution_options(yield_per=TOGETHER).execute(sa.select(table).order_by(*keys)):
        yield tuple(row)


def _bytewise(column: sa.Column[Any], tx: sa.Connection) -> Any:
    text = isinstance(column.type, sa.Text) and database.is_postgres(tx.engine)
    return sa.collate(column, "C") if text else column


def compared(table: sa.Table, live: sa.Connection, rebuilt: sa.Connection) -> Compared:
    """Return both digests (SHA-256 over the rows), and the first difference."""
    ours, theirs, count, difference = hashlib.sha256(), hashlib.sha256(), 0, ""
    for one, other in zip_longest(_rows(live, table), _rows(rebuilt, table)):
        count += one is not None
        for digest, row in ((ours, one), (theirs, other)):
            digest.update(repr(row).encode() if row is not None else b"")
        if one != other and not difference:
            difference = _difference(table, one, other)
    return Compared(table.name, count, ours.hexdigest(), theirs.hexdigest(), difference)


def _difference(table: sa.Table, one: Row | None, other: Row | None) -> str:
    if one is not None and other is not None and _key(table, one) == _key(table, other):
        values = zip(table.columns.keys(), one, other, strict=True)
        said = [f"{name} is {a!r:.80}, rebuilt {b!r:.80}" for name, a, b in values if a != b]
        return f"{table.name} {_named(table, one)}: {'; '.join(said)}"
    if one is None or (other is not None and _key(table, other) < _key(table, one)):
        return f"{table.name} {_named(table, other or ())}: missing in the live one"
    return f"{table.name} {_named(table, one)}: not in the one built anew"


def _key(table: sa.Table, row: Row) -> Row:
    return tuple(v for c, v in zip(table.columns, row, strict=True) if c.primary_key)


def _named(table: sa.Table, row: Row) -> str:
    return "/".join(str(value) for value in _key(table, row))

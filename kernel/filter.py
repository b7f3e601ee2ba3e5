"""AIP-160 filters: parsed once, then SQL over a table's columns, or a test of one message.

`AND` binds weaker than `OR` (AIP-160); blanks between restrictions mean AND. `=` on text knows `*`; `:` finds a part of a text or
one of several values, and `field:*` asks whether anything is there. A bare word looks into the record's title.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa

from kernel.columns import Field


@dataclass(frozen=True, slots=True)
class Restriction:
    """`field op value`; the value is what SQL keeps (see `kernel.columns`)."""

    field: Field
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class Not:
    term: "Node"


@dataclass(frozen=True, slots=True)
class Both:
    terms: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Either:
    terms: tuple["Node", ...]


Node = Restriction | Not | Both | Either


def sql(node: Node, table: sa.Table) -> sa.ColumnElement[bool]:
    """Return the filter as a condition on a record's table."""
    match node:
        case Both(terms):
            return sa.and_(*(sql(term, table) for term in terms))
        case Either(terms):
            return sa.or_(*(sql(term, table) for term in terms))
        case Not(term):
            return sa.not_(sql(term, table))
        case Restriction(field, op, value):
            return _sql(table.c[field.column], field, op, value)


def matches(node: Node, record: Any) -> bool:
    """Tell whether a message passes; the same answer as `sql` gives of its row."""
    match node:
        case Both(terms):
            return all(matches(term, record) for term in terms)
        case Either(terms):
            return any(matches(term, record) for term in terms)
        case Not(term):
            return not matches(term, record)
        case Restriction(field, op, value):
            return _holds(field.value(record), field, op, value)


COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _sql(
    column: sa.ColumnElement[Any], field: Field, op: str, value: Any
) -> sa.ColumnElement[bool]:
    if op == ":":
        return _sql_has(column, field, value)
    if op in ("=", "!=") and field.kind == "text" and "*" in value:
        like = column.like(_like(value), escape="\\")
        return like if op == "=" else sa.not_(like)
    return cast("sa.ColumnElement[bool]", COMPARE[op](column, value))


def _sql_has(column: sa.ColumnElement[Any], field: Field, value: Any) -> sa.ColumnElement[bool]:
    if value == "*":
        return column != ("" if field.kind in ("text", "words", "date") else 0)
    if field.kind in ("text", "words"):
        return column.like(f"%{_escaped(_part(field, value))}%", escape="\\")
    return cast("sa.ColumnElement[bool]", column == value)


def _holds(actual: Any, field: Field, op: str, value: Any) -> bool:
    if op == ":":
        if value == "*":
            return bool(actual)
        return _part(field, value) in actual if field.kind in ("text", "words") else actual == value
    if op in ("=", "!=") and field.kind == "text" and "*" in value:
        return _fits(actual, value) == (op == "=")
    return bool(COMPARE[op](actual, value))


def _part(field: Field, value: str) -> str:
    return f" {value} " if field.kind == "words" else value


def _fits(text: str, pattern: str) -> bool:
    """Tell whether a text is of a pattern in which `*` stands for anything; each part is looked for once."""
    first, *middle, last = pattern.split("*")
    if not text.startswith(first) or len(text) < len(first) + len(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return text.endswith(last)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _like(value: str) -> str:
    return _escaped(value).replace("*", "%")

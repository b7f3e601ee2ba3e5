"""Keyset pages: an order over columns, and tokens that only this service can make.

A page costs the same wherever it is: it starts at a key, and nothing before it is read.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from kernel.columns import Field, fields_of
from kernel.errors import Invalid
from kernel.registry import Resource

DEFAULT_SIZE, MOST = 50, 1000
MARK = 16  # bytes of a token's signature


@dataclass(frozen=True, slots=True)
class Order:
    """Columns to order by, each with its direction; the name always ends it, so that the order is total."""

    fields: tuple[tuple[Field, bool], ...]
    descending_name: bool

    def clauses(self, table: sa.Table) -> list[sa.ColumnElement[Any]]:
        columns = [(table.c[field.column], down) for field, down in self.fields]
        columns.append((table.c.name, self.descending_name))
        return [column.desc() if down else column.asc() for column, down in columns]

    def after(self, table: sa.Table, key: list[Any]) -> sa.ColumnElement[bool]:
        """Return the condition of the rows that come after a key: one value a column, the name last."""
        columns = [(table.c[field.column], down) for field, down in self.fields]
        columns.append((table.c.name, self.descending_name))
        return _after(columns, key)

    def key(self, record: Any) -> list[Any]:
        return [*(field.value(record) for field, _ in self.fields), record.name]


def _after(columns: list[tuple[Any, bool]], key: list[Any]) -> sa.ColumnElement[bool]:
    if len({down for _, down in columns}) == 1:
        row = sa.tuple_(*(column for column, _ in columns))
        end = sa.tuple_(*(sa.literal(v, c.type) for v, (c, _) in zip(key, columns, strict=True)))
        return row < end if columns[0][1] else row > end
    (column, down), *rest = columns
    further = column < key[0] if down else column > key[0]
    return sa.or_(further, sa.and_(column == key[0], _after(rest, key[1:]))) if rest else further


def order_of(text: str, resource: Resource) -> Order:
    """Parse AIP-132's `order_by`. Raises Invalid, naming the fields that lists can be ordered by."""
    sortable = {field.path: field for field in fields_of(resource) if field.sorted}
    chosen: list[tuple[Field, bool]] = []
    name_down = False
    for part in (part.split() for part in text.split(",") if part.strip()):
        path, direction = part[0], part[1:] or ["asc"]
        if (path != "name" and path not in sortable) or direction not in (["asc"], ["desc"]):
            names = ", ".join(["name", *sorted(sortable)])
            raise Invalid(
                f"order_by: {' '.join(part)!r} is not one of: {names}, each with an optional desc",
                f"order_by：{' '.join(part)} 不可用；可用：{names}，可加 desc",
                field="order_by",
            )
        name_down = direction == ["desc"]
        if path == "name":
            break
        chosen.append((sortable[path], name_down))
    return Order(tuple(chosen), name_down)


def size_of(asked: int) -> int:
    return asked or DEFAULT_SIZE


class Tokens:
    """Makes and reads page tokens. `secret`: the service's."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hmac.digest(secret, b"luoshu page tokens", hashlib.sha256)

    def make(self, asked: str, state: dict[str, Any]) -> str:
        """Return a token. `asked`: what must be the same on the next page. `state`: JSON, where it goes on."""
        body = json.dumps([_digest(asked), state], separators=(",", ":")).encode()
        return urlsafe_b64encode(self._mark(body) + body).decode()

    def read(self, token: str, asked: str) -> dict[str, Any]:
        """Return the state. Raises Invalid: not ours, or for another list."""
        try:
            raw = urlsafe_b64decode(token.encode())
        except ValueError:
            raise _foreign() from None
        if not hmac.compare_digest(raw[:MARK], self._mark(raw[MARK:])):
            raise _foreign()
        digest, state = json.loads(raw[MARK:])
        if digest != _digest(asked):
            raise Invalid(
                "page_token: filter, order and times must be those of the first page",
                "page_token：筛选、排序与时点须与第一页相同",
                field="page_token",
            )
        return dict(state)

    def _mark(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, hashlib.sha256)[:MARK]


def _digest(asked: str) -> str:
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def _foreign() -> Invalid:
    return Invalid(
        "page_token: not one that this service gave; start without it",
        "page_token 不是本系统签发的；请从第一页开始",
        field="page_token",
    )

"""Lists: a filter, an order, a page; of now from the record's table, of the past from the journal."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from kernel import filter as filters
from kernel.case import Caller
from kernel.errors import Invalid
from kernel.filter_text import parse
from kernel.history import History, Moment, Past, moment_of
from kernel.pages import Order, Tokens, order_of, size_of
from kernel.registry import Resource
from kernel.rights import may_see_past, sees_all
from kernel.store import Store

CHUNK = 500
SCAN = 20_000
"""Records that one page of the past looks at; a rarer filter gets a short page and a token to go on."""


@dataclass(frozen=True, slots=True)
class Question:
    """A List request, understood. `asked`: what must be the same on the next page."""

    resource: Resource
    caller: Caller
    condition: filters.Node | None
    order: Order
    moment: Moment
    size: int
    asked: str
    key: list[Any] | None
    position: int


@dataclass(frozen=True, slots=True)
class Page:
    """Records in order, the journal position that the list saw, and the next page's token."""

    records: list[Any]
    position: int
    token: str


def question_of(resource: Resource, request: Any, caller: Caller, tokens: Tokens) -> Question:
    """Understand a List request. Raises Invalid."""
    moment = moment_of(request)
    asked = (
        f"{resource.collection}|{request.filter}|{request.order_by}|{moment.read}|{moment.valid}"
    )
    state = tokens.read(request.page_token, asked) if request.page_token else {}
    order = order_of(request.order_by, resource)
    if not moment.is_now and (order.fields or order.descending_name):
        raise Invalid(
            "order_by: a list of the past is ordered by name; leave order_by empty",
            "order_by：历史时点的列表只按名称排序，请留空",
            field="order_by",
        )
    return Question(
        resource, caller, parse(request.filter, resource), order, moment,
        size_of(request.page_size), asked, state.get("key"), state.get("position", 0),
    )  # fmt: skip


class Lists:
    """Answers questions from a service's database."""

    def __init__(self, store: Store, tokens: Tokens) -> None:
        self._store, self._tokens = store, tokens
        self._history = History(store.tables, postgres=store.postgres)

    def page(self, tx: sa.Connection, question: Question) -> Page:
        # The head comes first: then a watcher from there may see a change twice, but misses none.
        position = question.position or self._store.head(tx)
        read = self._now if question.moment.is_now else self._past
        records, last = read(tx, question)
        token = (
            self._tokens.make(question.asked, {"key": last, "position": position}) if last else ""
        )
        return Page(records, position, token)

    def _now(self, tx: sa.Connection, question: Question) -> tuple[list[Any], list[Any] | None]:
        table = self._store.tables.records[question.resource.collection]
        statement = sa.select(table.c.record).where(*seen_by(table, question.caller))
        if question.condition is not None:
            statement = statement.where(filters.sql(question.condition, table))
        if question.key is not None:
            statement = statement.where(question.order.after(table, question.key))
        statement = statement.order_by(*question.order.clauses(table)).limit(question.size + 1)
        parse = question.resource.record.FromString
        found = [parse(body) for body in tx.execute(statement).scalars()]
        records = found[: question.size]
        return records, question.order.key(records[-1]) if len(found) > question.size else None

    def _past(self, tx: sa.Connection, question: Question) -> tuple[list[Any], list[Any] | None]:
        """Walk the names in order; what each was at the moment comes from the journal."""
        records, after = list[Any](), question.key[0] if question.key else ""
        for _ in range(SCAN // CHUNK):
            names = self._names(tx, question, after)
            pasts = self._history.as_of(tx, names, question.moment)
            for name, readers in names.items():
                after = name
                record = self._passing(question, readers, pasts.get(name))
                if record is not None:
                    records.append(record)
                if len(records) == question.size:
                    return records, [after]
            if len(names) < CHUNK:
                return records, None
        return records, [after]

    def _passing(self, question: Question, readers: str, past: Past | None) -> Any:
        if past is None:
            return None
        if not may_see_past(question.caller, readers, past.readers, bool(past.public)):
            return None
        event = self._store.service.event.FromString(past.event)
        record = getattr(event, question.resource.singular)
        passes = question.condition is None or filters.matches(question.condition, record)
        return record if passes else None

    def _names(self, tx: sa.Connection, question: Question, after: str) -> dict[str, str]:
        """Return the next names, each with who may see the record now."""
        table = self._store.tables.records[question.resource.collection]
        statement = (
            sa.select(table.c.name, table.c.readers)
            .where(table.c.name > after, *seen_by(table, question.caller))
            .order_by(table.c.name)
            .limit(CHUNK)
        )
        return {row.name: row.readers for row in tx.execute(statement)}


def seen_by(table: Any, caller: Caller) -> list[sa.ColumnElement[bool]]:
    """The one scope of lists: published, or the caller's department is among the readers; empty: everything."""
    if sees_all(caller):
        return []
    if not caller.department:
        return [table.c.public == 1]
    return [
        sa.or_(
            table.c.public == 1,
            table.c.readers.contains(f" {caller.department} ", autoescape=True),
        )
    ]

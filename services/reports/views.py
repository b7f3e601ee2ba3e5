"""Facts read in two times: what was true on a day, as it was known at the end of another.

Days are ISO texts.
"""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from kernel.consumer import SHARD
from services.reports.periods import Period
from services.reports.store import FACT, WATERMARK


class View(NamedTuple):
    """`month`: the period whose days count as "in the month".

    `known`: what was committed until its end is known.
    """

    month: Period
    known: str

    @property
    def first(self) -> str:
        return self.month.first.isoformat()

    @property
    def last(self) -> str:
        return self.month.last.isoformat()

    @property
    def as_of(self) -> datetime.date:
        """The day whose truth is told: the month's last, or the last known while it is not over."""
        return min(self.month.last, self.known_day)

    @property
    def known_day(self) -> datetime.date:
        return datetime.date.fromisoformat(self.known)

    @property
    def before(self) -> str:
        """Last day of the month before."""
        return self.month.before.last.isoformat()


class Line(NamedTuple):
    """Records that are alike in everything that figures ask, or events that are; amounts are their
    sums.

    `recognized_in`, `assessed_in`, `reached_in`: 1 where that day lies in the month, else 0.
    `record`: empty in a group.
    """

    collection: str
    state: str
    action: str
    kind: str
    level: str
    department: str
    division: str
    direction: str
    programme: str
    currency: str
    reached: str
    completed: int
    recognized_in: int
    assessed_in: int
    reached_in: int
    number: int
    requested: int
    approved: int
    paid: int
    recovered: int
    record: str = ""
    title: str = ""
    source: str = ""
    position: int = 0
    effective_date: str = ""


NOBODY = ("", "", "", 0, "")
"""What a group of lines has instead of a record."""

Records = sa.Select[tuple[str]] | sa.CompoundSelect[tuple[str]] | Iterable[str] | None
"""Which records a reader means; None: all."""


def true_on(day: str, known: str, records: Records = None) -> sa.Subquery:
    """Return each record's one true revision: of the greatest (effective date, revision) up to the
    day, as known.
    """
    newest = sa.func.row_number().over(
        partition_by=FACT.c.record,
        order_by=(FACT.c.effective_date.desc(), FACT.c.revision.desc()),
    )
    ranked = sa.select(FACT, newest.label("newest")).where(
        FACT.c.effective_date <= day, FACT.c.business_date <= known, *_only(records)
    )
    inner = ranked.subquery()
    return sa.select(inner).where(inner.c.newest == 1).subquery()


def happened(view: View, records: Records = None) -> sa.Subquery:
    """Return the month's events, each once: not those that came along with another."""
    return (
        sa.select(FACT)
        .where(
            # Not BETWEEN: PostgreSQL takes no collation after it.
            FACT.c.effective_date >= view.first,
            FACT.c.effective_date <= view.last,
            FACT.c.business_date <= view.known,
            FACT.c.cause == 0,
            *_only(records),
        )
        .subquery()
    )


def _only(records: Records) -> list[sa.ColumnElement[bool]]:
    if records is None:
        return []
    return [FACT.c.record.in_(records if isinstance(records, sa.SelectBase) else list(records))]


def groups(tx: sa.Connection, rows: sa.Subquery, view: View) -> Iterator[Line]:
    """Yield the rows in groups of the alike, with sums."""
    alike = _alike(rows, view)
    sums = [sa.func.sum(rows.c[name]) for name in ("requested", "approved", "paid", "recovered")]
    statement = sa.select(*alike, sa.func.count(), *sums).group_by(*alike)
    width = len(alike)
    for row in tx.execute(statement):
        # PostgreSQL sums whole numbers to a decimal
        yield Line._make((*row[:width], *map(int, row[width:]), *NOBODY))


def each(tx: sa.Connection, rows: sa.Subquery, view: View) -> Iterator[Line]:
    """Yield the rows one by one, by record, then by revision."""
    amounts = (rows.c.requested, rows.c.approved, rows.c.paid, rows.c.recovered)
    whose = (rows.c.record, rows.c.title, rows.c.source, rows.c.position, rows.c.effective_date)
    statement = sa.select(*_alike(rows, view), sa.literal(1), *amounts, *whose)
    for row in tx.execute(statement.order_by(rows.c.record, rows.c.revision)):
        yield Line._make(row)


def _alike(rows: sa.Subquery, view: View) -> list[Any]:
    def within(name: str) -> Any:
        column = rows.c[name]
        inside = sa.and_(column >= _written(view.first), column <= _written(view.last))
        return sa.case((inside, _written(1)), else_=_written(0))

    c = rows.c
    kept = (c.collection, c.to_state, c.action, c.kind, c.level, c.department, c.division)
    more = (c.direction, c.programme, c.currency, c.reached, c.completed)
    days = ("recognized_date", "assessed_date", "reached_date")
    return [*kept, *more, *(within(day) for day in days)]


def _written(value: str | int) -> Any:
    """Write a value into the statement: PostgreSQL does not see that two parameters of a GROUP BY
    are the same.
    """
    return sa.literal(value, literal_execute=True)


UNSEEN = frozenset(
    {"source", "shard", "position", "cause", "revision", "action", "from_state", "title", "origin"}
    | {"commit_time", "business_date", "effective_date"}
)
"""Columns of which no figure of what is true on a day depends."""


def told_of(tx: sa.Connection, rows: sa.Subquery) -> dict[str, tuple[Any, ...]]:
    """Return what figures can depend on, by record: where it is equal, no figure differs."""
    columns = [rows.c[c.name] for c in FACT.c if c.name not in UNSEEN]
    return {row[0]: tuple(row[1:]) for row in tx.execute(sa.select(rows.c.record, *columns))}


def moved_since(day: str, view: View) -> sa.CompoundSelect[tuple[str]]:
    """Return every record that may stand otherwise, at a month's end or before it, than it stood on
    a day as known on it, and those that have a day in the month.
    """
    known, days = sorted((day, view.known)), sorted((day, view.before, view.last))
    c = FACT.c
    heard = c.business_date > known[0], c.business_date <= known[1], c.effective_date <= days[-1]
    became = c.effective_date > days[0], c.effective_date <= days[-1], c.business_date <= known[1]
    within = (
        (said(name), c[name] >= view.first, c[name] <= view.last)
        for name in ("recognized_date", "assessed_date", "reached_date")
    )
    return sa.union(*(sa.select(c.record).where(*which) for which in (heard, became, *within)))


def said(name: str) -> Any:
    """Tell that a fact says something there, in the words of the column's index."""
    return FACT.c[name] != _written("")


def late(view: View, after: str, until: str) -> sa.Select[tuple[str]]:
    """Return the records of events committed after one day, until another, and true in the month or
    before it.
    """
    return sa.select(FACT.c.record).where(
        FACT.c.business_date > after,
        FACT.c.business_date <= until,
        FACT.c.effective_date <= view.last,
    )


def late_events(
    tx: sa.Connection, view: View, after: str, until: str
) -> Iterator[tuple[str, str, int]]:
    """Yield (record, source, position) of those events, by source and position."""
    statement = late(view, after, until).add_columns(FACT.c.source, FACT.c.position)
    for row in tx.execute(statement.order_by(FACT.c.source, FACT.c.position)):
        yield row.record, row.source, row.position


def cuts(tx: sa.Connection, known: str) -> dict[str, int]:
    """Return the position of each source's last fact committed until the end of the day."""
    sources = tx.scalars(sa.select(WATERMARK.c.source).order_by(WATERMARK.c.source)).all()
    lasts = {source: last_of(tx, source, FACT.c.business_date <= known) for source in sources}
    return {source: last.position for source, last in lasts.items() if last is not None}


def last_of(tx: sa.Connection, source: str, which: sa.ColumnElement[bool]) -> Any:
    """Return position and business date of a source's last such fact; None where there is none.

    It is looked for from the journal's end: days never go back in a journal.
    """
    journal = FACT.c.source == source, FACT.c.shard == SHARD
    facts = sa.select(FACT.c.position, FACT.c.business_date).where(*journal, which)
    return tx.execute(facts.order_by(FACT.c.position.desc()).limit(1)).one_or_none()

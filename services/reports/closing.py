"""Closing months: which business days are over in every source, and which editions they make.

A day is over when every source told a later one; then no event of it can come any more, whatever
the order in which sources are read. So editions depend on the events alone.
"""

import datetime
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from kernel.dates import ONE_DAY, iso, month_end
from kernel.pack import Pack
from luoshu.reports.v1 import reports_pb2 as pb
from services.reports import standing
from services.reports.differences import concerned, differences
from services.reports.document import build, canonical, digest_of, parsed
from services.reports.periods import Period, month_of, months
from services.reports.store import EDITION, FACT, PARKED, SETTLED, WATERMARK
from services.reports.views import View, last_of

SCOPE = "months"


@dataclass(frozen=True)
class Span:
    """The days that the sources have told.

    `first`: the system's first; `over`: the last that is over; `newest`: told by any.
    """

    first: datetime.date
    over: datetime.date
    newest: datetime.date


def span(tx: sa.Connection, sources: Sequence[str]) -> Span | None:
    """Return the days told; None while a source has told nothing, for its first day may be the
    system's. A parked event is not told yet: the days from it on are not over.
    """
    rows = {row.source: row for row in tx.execute(sa.select(WATERMARK))}
    if not rows or not set(sources) <= set(rows):
        return None
    marks = [_day(rows[source].business_date) for source in sources]
    held = list(_held(tx))
    if None in held:
        return None
    first = min(_day(rows[source].first_date) for source in sources)
    over = min([*marks, *(_day(day) for day in held if day)])
    return Span(first, over - ONE_DAY, max(marks))


def _held(tx: sa.Connection) -> Iterator[str | None]:
    """Yield of each source that has parked events a day that none of them is before; None where there is no telling.

    Days never go back in a journal, so it is the day of the last fact before the first of them.
    """
    first = sa.select(PARKED.c.source, sa.func.min(PARKED.c.position).label("position"))
    for row in tx.execute(first.group_by(PARKED.c.source)).all():
        last = last_of(tx, row.source, FACT.c.position < row.position)
        yield None if last is None else last.business_date


def _day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


@dataclass(frozen=True)
class Closing:
    """Makes the editions that are due. `sources`: those whose days must be over."""

    sources: tuple[str, ...]
    pack: Pack

    def settle(self, tx: sa.Connection) -> None:
        """Make every edition that the days now over ask for, in the order of the days."""
        told = span(tx, self.sources)
        if told is None:
            return
        done = self._settled(tx) or month_of(told.first).first - ONE_DAY
        if told.over <= done:
            return
        for day in _days(tx, done, told.over):
            self._late(tx, month_of(told.first), day)
            if day == month_end(day):
                self._close(tx, View(month_of(day), day.isoformat()))
        self._set_settled(tx, told.over)

    def _settled(self, tx: sa.Connection) -> datetime.date | None:
        day = tx.scalar(sa.select(SETTLED.c.day).where(SETTLED.c.scope == SCOPE))
        return None if day is None else _day(day)

    def _set_settled(self, tx: sa.Connection, day: datetime.date) -> None:
        tx.execute(sa.delete(SETTLED).where(SETTLED.c.scope == SCOPE))
        tx.execute(sa.insert(SETTLED).values(scope=SCOPE, day=day.isoformat()))

    def _close(self, tx: sa.Connection, view: View) -> None:
        report = build(tx, view, self.sources, self.pack)
        report.edition, report.status = 1, pb.STATUS_CLOSED
        _keep(tx, report)
        standing.keep(tx, view)

    def _late(self, tx: sa.Connection, first: Period, day: datetime.date) -> None:
        """Make a further edition of each closed month that the day's late events changed."""
        earliest = _earliest_late(tx, day)
        if earliest is None:
            return
        start = max(first.first, earliest)
        for month in months(start, month_of(day).first - ONE_DAY):
            self._renew(tx, View(month, day.isoformat()))

    def _renew(self, tx: sa.Connection, view: View) -> None:
        newest = sa.select(EDITION).where(EDITION.c.period == view.month.key)
        kept = tx.execute(newest.order_by(EDITION.c.edition.desc()).limit(1)).one()
        if not concerned(tx, view, kept.known_day):
            return
        former = parsed(kept.content)
        report = build(tx, view, self.sources, self.pack)
        report.edition, report.status = kept.edition + 1, pb.STATUS_CLOSED
        report.differences.extend(differences(tx, former, report, view, kept.known_day, self.pack))
        if report.differences:
            _keep(tx, report)


def _days(tx: sa.Connection, done: datetime.date, over: datetime.date) -> Iterator[datetime.date]:
    """Yield the days that may make an edition: ends of months, and days with late events."""
    first_of_month = sa.func.substr(FACT.c.business_date, 1, 7)
    statement = sa.select(FACT.c.business_date).where(
        FACT.c.business_date > done.isoformat(),
        FACT.c.business_date <= over.isoformat(),
        FACT.c.effective_date < first_of_month,  # `2026-10-31` < `2026-11` < `2026-11-01`
    )
    days = {_day(row.business_date) for row in tx.execute(statement.distinct())}
    days.update(m.last for m in months(done + ONE_DAY, over) if done < m.last <= over)
    yield from sorted(days)


def _earliest_late(tx: sa.Connection, day: datetime.date) -> datetime.date | None:
    """Return the first day that this day's events say something about, if of an earlier month."""
    written = day.isoformat()
    earliest = sa.select(sa.func.min(FACT.c.effective_date)).where(
        FACT.c.business_date == written, FACT.c.effective_date < written[:7]
    )
    found = tx.scalar(earliest)
    return None if found is None else _day(found)


def _keep(tx: sa.Connection, report: pb.Report) -> None:
    content = canonical(report)
    tx.execute(
        sa.insert(EDITION).values(
            period=report.period,
            edition=report.edition,
            known_day=iso(report.known_day),
            cuts=json.dumps({cut.source: cut.position for cut in report.cuts}, sort_keys=True),
            content=content,
            digest=digest_of(content),
            differences=len(report.differences),
        )
    )

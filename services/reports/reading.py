"""What readers ask: months, editions, boards, the records behind a number."""

import datetime
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from kernel.dates import ONE_DAY, from_date
from kernel.errors import Invalid, NotFound
from kernel.pack import Pack
from luoshu.reports.v1 import reports_pb2 as pb
from services.reports.document import build, canonical, parsed
from services.reports.periods import Period, month_of, months, named, parse, unknown
from services.reports.store import CURSOR, EDITION, WATERMARK
from services.reports.views import View

KEPT_OPEN = 24
"""So many provisional reports are held in memory, each until an event comes."""


class Kept(NamedTuple):
    """A report as it is read. `content`: its canonical JSON. `digest`: empty while provisional."""

    report: pb.Report
    content: bytes
    digest: str

    @property
    def view(self) -> View:
        known = self.report.known_day
        day = datetime.date(known.year, known.month, known.day)
        return View(parse(self.report.period), day.isoformat())


class Reading:
    """Reads reports from the database. `sources`: as the consumer's."""

    def __init__(self, pack: Pack, sources: Sequence[str]) -> None:
        self.pack, self._sources = pack, tuple(sources)
        self._open: dict[Period, tuple[object, Kept]] = {}
        self._lock = threading.Lock()

    def report(self, tx: sa.Connection, name: str, edition: int) -> Kept:
        """Return an edition, 0 for the newest or what is provisional. Raises NotFound."""
        period = named(name)
        kept = _edition(tx, period, edition)
        if kept is not None:
            return kept
        if edition or period not in set(_told(tx)):
            raise unknown(f"{name} edition {edition}" if edition else name)
        return self._provisional(tx, period)

    def newest(self, tx: sa.Connection) -> str:
        """Return the name of the newest closed month, else of the first open one. Raises NotFound."""
        last = tx.scalar(sa.select(sa.func.max(EDITION.c.period)))
        if last is not None:
            return parse(last).name
        told = next(_told(tx), None)
        if told is None:
            raise NotFound(
                "there is no report yet; the first one begins with the first event",
                "尚无报告；收到第一条事件后才有",
            )
        return told.name

    def listed(
        self, tx: sa.Connection, size: int, token: str
    ) -> tuple[list[pb.ReportSummary], str]:
        """Return a page of months, the newest first, and the next page's token. Raises Invalid."""
        before = _before(token)
        periods = sorted((p for p in _told(tx) if p.key < before), reverse=True)
        page = periods[:size]
        editions = _editions(tx, page)
        summaries = [_summary(period, editions.get(period.key, [])) for period in page]
        return summaries, page[-1].key if len(periods) > size else ""

    def _provisional(self, tx: sa.Connection, period: Period) -> Kept:
        """Return the open month's figures, made anew once an event came."""
        at = tuple(tx.execute(sa.select(CURSOR).order_by(CURSOR.c.source, CURSOR.c.shard)))
        with self._lock:
            held = self._open.get(period)
        if held is not None and held[0] == at:
            return held[1]
        known = tx.scalar(sa.select(sa.func.max(WATERMARK.c.business_date)))
        report = build(tx, View(period, str(known)), self._sources, self.pack)
        made = Kept(report, canonical(report), "")
        with self._lock:
            if len(self._open) >= KEPT_OPEN:
                self._open.clear()
            self._open[period] = (at, made)
        return made


def _told(tx: sa.Connection) -> Iterator[Period]:
    """Yield the months from the first event's to the newest's, of whichever sources spoke so far."""
    first, newest = tx.execute(
        sa.select(sa.func.min(WATERMARK.c.first_date), sa.func.max(WATERMARK.c.business_date))
    ).one()
    if first is not None:
        yield from months(datetime.date.fromisoformat(first), datetime.date.fromisoformat(newest))


def _edition(tx: sa.Connection, period: Period, edition: int) -> Kept | None:
    statement = sa.select(EDITION).where(EDITION.c.period == period.key)
    if edition:
        statement = statement.where(EDITION.c.edition == edition)
    row = tx.execute(statement.order_by(EDITION.c.edition.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    report = parsed(row.content)
    report.digest = row.digest
    return Kept(report, row.content, row.digest)


def _editions(tx: sa.Connection, periods: Sequence[Period]) -> dict[str, list[pb.EditionSummary]]:
    c = EDITION.c
    statement = sa.select(c.period, c.edition, c.known_day, c.digest, c.differences).where(
        c.period.in_([period.key for period in periods])
    )
    found: dict[str, list[pb.EditionSummary]] = {}
    for row in tx.execute(statement.order_by(c.period, c.edition)):
        found.setdefault(row.period, []).append(
            pb.EditionSummary(
                edition=row.edition,
                known_day=from_date(datetime.date.fromisoformat(row.known_day)),
                digest=row.digest,
                difference_count=row.differences,
            )
        )
    return found


def _summary(period: Period, editions: list[pb.EditionSummary]) -> pb.ReportSummary:
    status = pb.STATUS_CLOSED if editions else pb.STATUS_PROVISIONAL
    return pb.ReportSummary(name=period.name, status=status, editions=editions)


def _before(token: str) -> str:
    """Return the month that a page ends before. Raises Invalid."""
    if not token:
        return month_of(datetime.date.max - 31 * ONE_DAY).key
    try:
        return parse(token).key
    except NotFound:
        raise Invalid(
            "page_token is none of this list's; begin again without one",
            "page_token 无效；请不带该参数重新查询",
            field="page_token",
        ) from None

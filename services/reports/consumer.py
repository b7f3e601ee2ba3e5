"""Taking events in: facts, cursors, watermarks and due editions in one transaction."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from kernel.consumer import SHARD, Stuck, fresh
from kernel.database import Put, is_postgres, take_turn
from kernel.pack import Pack
from kernel.parking import WAITING, Parked, Parking, split
from kernel.writer import Displaced
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.reports.closing import Closing
from services.reports.facts import SOURCES, Told, told
from services.reports.store import CURSOR, FACT, PARKED, WATERMARK


class ReportsSink:
    """Follows the registries' journals (kernel.consumer.Sink).

    `engine`: its transactions write. `sources`: a month closes when each of them told a later day.
    """

    def __init__(self, engine: sa.Engine, pack: Pack, sources: Sequence[str] = SOURCES) -> None:
        self._engine = engine
        self._sources = tuple(sources)
        self._closing = Closing(self._sources, pack)
        self._put = Put(FACT, postgres=is_postgres(engine))
        self._parking = Parking.of(PARKED, engine)
        self._settled = False  # by this process

    @property
    def name(self) -> str:
        return "reports"

    @property
    def sources(self) -> tuple[str, ...]:
        return self._sources

    def cursors(self) -> Mapping[tuple[str, int], int]:
        """Return (source, shard) -> last position applied."""
        with self._engine.begin() as tx:
            return {(row.source, row.shard): row.position for row in tx.execute(sa.select(CURSOR))}

    def apply(self, source: str, entries: Sequence[JournalEntry]) -> None:
        """Apply entries and move the cursor in one transaction. Raises Gap, Stuck."""
        with self._engine.begin() as tx:
            cursor = _locked(tx, source)
            ahead = fresh(source, cursor, entries)
            if not ahead:
                return
            free, waiting = split(ahead, self._parking.records(tx, source))
            more = self._take_in(tx, source, [told(entry) for entry in free])
            self._parking.put(tx, waiting, WAITING, 0)
            _move(tx, source, ahead[-1].position)
            if more or not self._settled:  # nothing else makes an edition due
                self._settle(tx)
        self._settled = True

    def _take_in(self, tx: sa.Connection, source: str, new: Sequence[Told]) -> bool:
        """Return whether more days are told."""
        self._put(tx, [item.fact for item in new if item.fact is not None])
        return bool(new) and _mark(tx, source, new)

    def _settle(self, tx: sa.Connection) -> None:
        """A failure here is no event's fault."""
        try:
            self._closing.settle(tx)
        except sa.exc.DBAPIError:
            raise
        except Exception as error:
            raise Stuck("a month cannot be closed") from error

    # kernel.parking.Parks

    def parked(self) -> list[Parked]:
        with self._engine.begin() as tx:
            return self._parking.rows(tx)

    def park(self, source: str, entry: JournalEntry, error: str, tries: int) -> None:
        """Put an entry aside and move the cursor past it. Raises Displaced."""
        with self._engine.begin() as tx:
            if _locked(tx, source) != entry.position - 1:
                raise Displaced(source)
            self._parking.put(tx, [entry], error, tries)
            _move(tx, source, entry.position)

    def redrive(self, parked: Parked) -> None:
        """Make a parked event's fact, and the editions that waited for it. Raises Displaced."""
        with self._engine.begin() as tx:
            _locked(tx, parked.source)
            if not self._parking.is_first(tx, parked):
                raise Displaced(parked.source)
            self._take_in(tx, parked.source, [told(parked.entry)])
            self._parking.take(tx, parked)
            self._settle(tx)

    def failed_again(self, parked: Parked, error: str) -> None:
        with self._engine.begin() as tx:
            self._parking.failed_again(tx, parked, error)


# Made once: to put a statement together takes longer than to run it.
OF: sa.BindParameter[str] = sa.bindparam("of")
LOCKED = sa.select(CURSOR).order_by(CURSOR.c.source, CURSOR.c.shard).with_for_update()
MOVED = sa.update(CURSOR).where(CURSOR.c.source == OF, CURSOR.c.shard == SHARD)
MARKED = sa.select(WATERMARK).where(WATERMARK.c.source == OF)
WIDENED = sa.update(WATERMARK).where(WATERMARK.c.source == OF)


def _locked(tx: sa.Connection, source: str) -> int:
    """Lock all cursors, for closing a month asks every source; return this one's position."""
    take_turn(tx)
    at = {(row.source, row.shard): row.position for row in tx.execute(LOCKED)}
    return int(at.get((source, SHARD), 0))


def _move(tx: sa.Connection, source: str, position: int) -> None:
    """Move the cursor; a source's first entry makes it."""
    if tx.execute(MOVED, {"of": source, "position": position}).rowcount == 0:
        tx.execute(sa.insert(CURSOR).values(source=source, shard=SHARD, position=position))


def _mark(tx: sa.Connection, source: str, new: Sequence[Told]) -> bool:
    """Widen the days that a source has told; a parked event comes late, and may be its first or its last.

    Return whether there are more days now.
    """
    days = [item.business_date for item in new]
    mark = tx.execute(MARKED, {"of": source}).one_or_none()
    if mark is None:
        told_days = {"first_date": min(days), "business_date": max(days)}
        latest = max(item.commit_time for item in new)
        tx.execute(sa.insert(WATERMARK).values(source=source, commit_time=latest, **told_days))
        return True
    first, last = min(mark.first_date, *days), max(mark.business_date, *days)
    latest = max(mark.commit_time, *(item.commit_time for item in new))
    widened = {"first_date": first, "business_date": last, "commit_time": latest}
    tx.execute(WIDENED, {"of": source, **widened})
    return (first, last) != (mark.first_date, mark.business_date)

"""Taking events in: facts, cursors, watermarks and due editions in one transaction."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from kernel.consumer import SHARD, Stuck, fresh
from kernel.database import Kept, Put, Statement, fetch_in_turn, finish, is_postgres, send, words
from kernel.pack import Pack
from kernel.parking import WAITING, Parked, Parking, split
from kernel.writer import Displaced
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.reports.closing import Closing
from services.reports.facts import SOURCES, Told, told
from services.reports.store import CURSOR, FACT, PARKED, WATERMARK

LOCKED = sa.select(CURSOR).order_by(CURSOR.c.source, CURSOR.c.shard).with_for_update()
OF: sa.BindParameter[str] = sa.bindparam("of")
MARKED = sa.select(WATERMARK).where(WATERMARK.c.source == OF)


class Watermark(NamedTuple):
    """The days that a source has told, in the order of the table's columns; empty: none yet."""

    source: str
    first: str = ""
    last: str = ""
    commit_time: int = 0

    @property
    def days(self) -> tuple[str, str]:
        return self.first, self.last

    def widened(self, new: Sequence[Told]) -> "Watermark":
        """Return the days with more of them; a parked event comes late, and may be the first or the last."""
        days = [*filter(None, self.days), *(item.business_date for item in new)]
        latest = max([self.commit_time, *(item.commit_time for item in new)])
        return Watermark(self.source, min(days, default=""), max(days, default=""), latest)


class _Standing(NamedTuple):
    """How a source stands: its cursor, the records whose events wait, its days."""

    cursor: int
    waiting: frozenset[str]
    mark: Watermark


class ReportsSink:
    """Follows the registries' journals (kernel.consumer.Sink).

    `engine`: its transactions write. `sources`: a month closes when each of them told a later day.
    """

    def __init__(self, engine: sa.Engine, pack: Pack, sources: Sequence[str] = SOURCES) -> None:
        self._engine, self._kept = engine, Kept(engine)
        self._sources = tuple(sources)
        self._closing = Closing(self._sources, pack)
        postgres = is_postgres(engine)
        self._put = Put(FACT, postgres=postgres)
        self._put_cursor = Put(CURSOR, postgres=postgres, replace=True)
        self._put_mark = Put(WATERMARK, postgres=postgres, replace=True)
        self._locked, self._marked = (words(sql, postgres=postgres) for sql in (LOCKED, MARKED))
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
        with self._kept.transaction() as tx:
            at = self._standing(tx, source)
            ahead = fresh(source, at.cursor, entries)
            if not ahead:
                return
            free, waiting = split(ahead, at.waiting)
            self._parking.put(tx, waiting, WAITING, 0)
            new = [told(entry) for entry in free]
            mark = at.mark.widened(new)
            written = [*self._of(mark, new), *self._moved(source, ahead[-1].position)]
            if mark.days != at.mark.days or not self._settled:  # nothing else makes an edition due
                send(tx, written)
                self._settle(tx)
                written = []
            finish(tx, written)
        self._settled = True

    def leave(self) -> None:
        """Give the database's connection back."""
        self._kept.leave()

    def _standing(self, tx: sa.Connection, source: str) -> "_Standing":
        """Lock all cursors, for closing a month asks every source; return how this one stands."""
        asked = [
            self._locked.of(),
            self._parking.of_source(source),
            self._marked.of({"of": source}),
        ]
        cursors, waiting, marks = fetch_in_turn(tx, asked)
        at = {(told_of, shard): position for told_of, shard, position in cursors}
        mark = Watermark(*marks[0]) if marks else Watermark(source)
        return _Standing(at.get((source, SHARD), 0), frozenset(row[0] for row in waiting), mark)

    def _moved(self, source: str, position: int) -> list[Statement]:
        return self._put_cursor.of([(source, SHARD, position)])

    def _of(self, mark: Watermark, new: Sequence[Told]) -> list[Statement]:
        """Return what writes facts, and the days that are told with them."""
        facts = self._put.of([item.fact for item in new if item.fact is not None])
        return [*facts, *self._put_mark.of([mark] if new else [])]

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
            if self._standing(tx, source).cursor != entry.position - 1:
                raise Displaced(source)
            self._parking.put(tx, [entry], error, tries)
            send(tx, self._moved(source, entry.position))

    def redrive(self, parked: Parked) -> None:
        """Make a parked event's fact, and the editions that waited for it. Raises Displaced."""
        with self._engine.begin() as tx:
            at = self._standing(tx, parked.source)
            if not self._parking.is_first(tx, parked):
                raise Displaced(parked.source)
            new = [told(parked.entry)]
            send(tx, self._of(at.mark.widened(new), new))
            self._parking.take(tx, parked)
            self._settle(tx)

    def failed_again(self, parked: Parked, error: str) -> None:
        with self._engine.begin() as tx:
            self._parking.failed_again(tx, parked, error)

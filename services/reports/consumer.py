"""Taking events in: facts, cursors, watermarks and due editions in one transaction."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from kernel.consumer import SHARD, fresh
from kernel.database import Put, is_postgres
from kernel.pack import Pack
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.reports.closing import Closing
from services.reports.facts import SOURCES, Told, told
from services.reports.store import CURSOR, FACT, WATERMARK


class ReportsSink:
    """Follows the registries' journals (kernel.consumer.Sink).

    `engine`: its transactions write. `sources`: a month closes when each of them told a later day.
    """

    def __init__(self, engine: sa.Engine, pack: Pack, sources: Sequence[str] = SOURCES) -> None:
        self._engine = engine
        self._sources = tuple(sources)
        self._closing = Closing(self._sources, pack)
        self._put = Put(FACT, postgres=is_postgres(engine))

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
        """Apply entries and move the cursor in one transaction. Raises Gap."""
        with self._engine.begin() as tx:
            cursor = _locked(tx, source)
            new = [told(entry) for entry in fresh(source, cursor or 0, entries)]
            if not new:
                return
            self._put(tx, [item.fact for item in new if item.fact is not None])
            _move(tx, source, new, first=cursor is None)
            self._closing.settle(tx)


def _locked(tx: sa.Connection, source: str) -> int | None:
    """Lock all cursors, for closing a month asks every source; return this one's position, None
    before its first entry.
    """
    rows = tx.execute(sa.select(CURSOR).order_by(CURSOR.c.source, CURSOR.c.shard).with_for_update())
    at = {(row.source, row.shard): row.position for row in rows}
    return at.get((source, SHARD))


def _move(tx: sa.Connection, source: str, new: Sequence[Told], *, first: bool) -> None:
    """Move cursor and watermark to the last entry; the first entry of all sets the first day."""
    last = new[-1]
    mark = {"business_date": last.business_date, "commit_time": last.commit_time}
    if first:
        day = new[0].business_date
        tx.execute(sa.insert(CURSOR).values(source=source, shard=SHARD, position=last.position))
        tx.execute(sa.insert(WATERMARK).values(source=source, first_date=day, **mark))
        return
    tx.execute(
        sa.update(CURSOR)
        .where(CURSOR.c.source == source, CURSOR.c.shard == SHARD)
        .values(position=last.position)
    )
    tx.execute(sa.update(WATERMARK).where(WATERMARK.c.source == source).values(**mark))

"""A read model built anew beside the live one, from the journals or from their topics, and held to it row by row."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp

from app.catalogue import registry
from app.comparison import TOGETHER, Compared, compared
from app.operating import operator
from app.settings import Settings
from kernel import database
from kernel.access import Access, Kind
from kernel.access_store import AccessStore
from kernel.consumer import SHARD, Gap, following
from kernel.pack import Pack, load
from kernel.store import Store
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.reports.consumer import ReportsSink
from services.reports.store import ACCESS, CURSOR, EDITION, FOLDED, METADATA

Entries = Callable[[str, int, int], Iterator[list[JournalEntry]]]
"""Tells a source's entries above a position up to another."""
Progress = Callable[[str, int], None]
"""Is told a source, and how many more entries of it were applied."""


class Impossible(Exception):
    """It cannot be built anew; the texts say why, in both languages."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


class Rebuild:
    """The reports, built anew in an SQLite file beside the live database, whatever that is."""

    def __init__(self, url: str, beside: sa.Engine, pack: Pack, entries: Entries) -> None:
        self._live, self._writing = steady(url), database.writing(url)
        self._beside, self._entries = beside, entries
        self._sink = ReportsSink(beside, pack)

    def close(self) -> None:
        self._sink.leave()
        for engine in (self._live, self._writing, self._beside):
            engine.dispose()

    def cursors(self) -> dict[str, int]:
        """Return how far the live one is: source → position."""
        with self._live.connect() as tx, tx.begin():
            return _cursors(tx)

    def catch_up(self, cursors: Mapping[str, int], progress: Progress) -> None:
        """Apply everything up to the cursors. Raises Impossible."""
        at = self._sink.cursors()
        for source, last in sorted(cursors.items()):
            after = at.get((source, SHARD), 0)
            for entries in self._entries(source, after, last):
                self._apply(source, entries)
                progress(source, len(entries))

    def _apply(self, source: str, entries: list[JournalEntry]) -> None:
        try:
            self._sink.apply(source, entries)
        except Exception as error:
            kind = (
                f"{type(error).__name__}: {error}"
                if isinstance(error, Gap)
                else type(error).__name__
            )
            span = f"{entries[0].position}-{entries[-1].position}"
            raise Impossible(
                f"an event of {source} {span} cannot be applied ({kind})",
                f"{source} {span} 中有事件无法处理（{kind}）",
            ) from error

    def compare(self, progress: Progress) -> list[Compared]:
        """Hold every table of one state of the live one to the one built anew."""
        with self._live.connect() as live, live.begin():
            self.catch_up(_cursors(live), progress)  # what came while it was being built
            with self._beside.connect() as rebuilt:
                return [compared(table, live, rebuilt) for table in FOLDED]

    def replace(self, progress: Progress, reason: str = "") -> list[Compared]:
        """Put what was built anew in the live one's place, in one transaction, and return what became different.

        Raises:
            Impossible: a published edition would not be the same bytes; nothing is changed.
        """
        with self._writing.begin() as live:
            database.take_turn(live)  # the consumer waits
            self.catch_up(_cursors(live), progress)
            with self._beside.connect() as rebuilt:
                found = [compared(table, live, rebuilt) for table in FOLDED]
                _demand_published(live, rebuilt)
                for table in FOLDED:
                    _copy(table, rebuilt, live)
            self._tell(live, found, reason)
        return found

    def _tell(self, live: sa.Connection, found: list[Compared], reason: str) -> None:
        """Keep in the access journal, with the replacement, who replaced what."""
        now, different = Timestamp(), {one.table: one.difference for one in found if one.difference}
        now.GetCurrentTime()
        journal = AccessStore(ACCESS, postgres=database.is_postgres(live.engine))
        act = Access(Kind.REBUILT, operator(), "rebuild", reason=reason, details=different)
        journal.save(live, now, [act])


@contextmanager
def rebuilding(settings: Settings, entries: Entries) -> Iterator[Rebuild]:
    """A rebuild in a folder of its own, which is gone afterwards. Raises Impossible: there is no live one."""
    _demand_database(settings, "reports")
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="rebuild-", dir=settings.data_dir) as folder:
        beside = database.writing(f"sqlite:///{Path(folder) / 'reports.sqlite3'}")
        METADATA.create_all(beside)
        made = Rebuild(settings.database("reports"), beside, load(settings.pack), entries)
        try:
            yield made
        finally:
            made.close()


def _demand_database(settings: Settings, service: str) -> None:
    """Raises Impossible: it is an SQLite file that is not there, which opening it would make, or that has nothing."""
    url = settings.database(service)
    if database.is_sqlite(url) and not _has_tables(url):
        raise Impossible(
            f"no database of {service} in {settings.data_dir}; set LUOSHU_DATA_DIR to the folder that the service has",
            f"{settings.data_dir} 中没有 {service} 的数据库；请将 LUOSHU_DATA_DIR 设为该服务的数据目录",
        )


def _has_tables(url: str) -> bool:
    if not Path(url.removeprefix("sqlite:///")).exists():
        return False
    engine = database.reading(url)
    try:
        return bool(sa.inspect(engine).get_table_names())
    finally:
        engine.dispose()


def steady(url: str) -> sa.Engine:
    """Return an engine whose transactions see one state of the live database throughout, and change nothing."""
    engine = database.reading(url)
    if database.is_postgres(engine):
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine


def from_journals(settings: Settings) -> Entries:
    """Read the registries' own journals, in their databases."""

    def entries(source: str, after: int, last: int) -> Iterator[list[JournalEntry]]:
        service = registry(source)
        assert service is not None  # noqa: S101 - every source is a registry
        _demand_database(settings, source)
        engine = database.reading(settings.database(source))
        try:
            store = Store(service, engine)
            while after < last:
                with engine.connect() as tx:
                    told = store.told(tx, after, min(TOGETHER, last - after))
                if not told:
                    raise _ends(source, after, last)
                yield [
                    JournalEntry(source=source, position=t.position, event=t.event) for t in told
                ]
                after = told[-1].position
        finally:
            engine.dispose()

    return entries


def from_topics(settings: Settings) -> Entries:
    """Read the topics, each from its beginning or from a position on. Raises Impossible: there is no broker."""
    if not settings["KAFKA"]:
        raise Impossible(
            "LUOSHU_KAFKA names no broker; rebuild with --from journal",
            "未设置 LUOSHU_KAFKA；请使用 --from journal",
        )

    def entries(source: str, after: int, last: int) -> Iterator[list[JournalEntry]]:
        from kernel.kafka import told_until

        for some in told_until(settings["KAFKA"], source, after, last):
            ahead, gap = following(source, after, some)
            fresh = [entry for entry in ahead if entry.position <= last]
            if fresh:
                yield fresh
                after = fresh[-1].position
            if gap is not None and after < last:
                raise Impossible(f"the topic has a hole: {gap}", f"主题有缺口：{gap}")
        if after < last:
            raise _ends(source, after, last)

    return entries


def _ends(source: str, after: int, last: int) -> Impossible:
    return Impossible(
        f"{source} ends at position {after}; the live one has read up to {last}",
        f"{source} 止于位置 {after}，而现有数据已读到 {last}",
    )


def _cursors(tx: sa.Connection) -> dict[str, int]:
    return {row.source: row.position for row in tx.execute(sa.select(CURSOR))}


def _demand_published(live: sa.Connection, rebuilt: sa.Connection) -> None:
    key = (EDITION.c.period, EDITION.c.edition)
    anew = {(r.period, r.edition): r.content for r in rebuilt.execute(sa.select(EDITION))}
    for row in live.execute(sa.select(EDITION).order_by(*key)):
        if anew.get((row.period, row.edition)) != row.content:
            raise Impossible(
                f"edition {row.edition} of {row.period} was published and would come out different; nothing was changed",
                f"{row.period} 第 {row.edition} 版已发布，重建结果不同；未做任何更改",
            )


def _copy(table: sa.Table, source: sa.Connection, target: sa.Connection) -> None:
    target.execute(sa.delete(table))
    put = database.Put(table, postgres=database.is_postgres(target.engine))
    rows = source.execution_options(yield_per=TOGETHER).execute(sa.select(table))
    for some in rows.partitions(TOGETHER):
        put(target, [tuple(row) for row in some])

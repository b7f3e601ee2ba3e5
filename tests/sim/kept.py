"""What the readers keep, held against the journals: I5 of the audit log, I6 and I10 of the reports."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

import sqlalchemy as sa

from app.migrate import metadata_of
from kernel import database
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit.check import verify_stored
from services.reports.consumer import ReportsSink
from services.reports.store import EDITION, FACT
from tests.invariants import Line
from tests.sim.disk import disk
from tests.sim.outside import pack
from tests.sim.process import SIGNER


def reading(name: str) -> sa.Engine:
    """Return an engine on a database whose statements are no points of any process."""
    return disk().engine(name, "reading", "the judge")


def newest_checkpoint() -> tuple[int, str] | None:
    """Return the newest checkpoint's size and text."""
    with reading("audit").connect() as tx:
        query = sa.text("SELECT size, text FROM checkpoint ORDER BY size DESC LIMIT 1")
        row = tx.execute(query).first()
    return None if row is None else (row[0], row[1])


def demand_audited(checkpoints: Iterable[str], journals: dict[str, Any]) -> None:
    with reading("audit").connect() as tx:
        report = verify_stored(tx, SIGNER.verifier.encoded(), kept=tuple(checkpoints))
        query = sa.text('SELECT source, position, event, "index" FROM entry ORDER BY "index"')
        rows = tx.execute(query).all()
    assert not report.findings, f"I5: {[finding.en for finding in report.findings]}"
    assert [row[3] for row in rows] == list(range(len(rows))), "I5: the log's index has holes"
    for name, lines in journals.items():
        found = [(row[1], row[2]) for row in rows if row[0] == name]
        expected = [(line.position, line.event) for line in lines]
        assert found == expected, f"I5: {name}: {len(found)} audited of {len(expected)}"


def editions() -> list[tuple[Any, ...]]:
    with reading("reports").connect() as tx:
        return [tuple(row) for row in tx.execute(sa.select(EDITION).order_by(*EDITION.primary_key))]


def _facts(tx: sa.Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in tx.execute(sa.select(FACT).order_by(*FACT.primary_key))]


def demand_reported(journals: dict[str, list[Line]]) -> None:
    """The same events, read at once and source by source from the last to the first, make the same bytes."""
    with reading("reports").connect() as tx:
        facts = _facts(tx)
    with closing(_Rebuilt(tuple(journals))) as other:
        for name in reversed(journals):
            other.take(name, journals[name])
        again = other.tables()
    assert facts == again[0], "I6: the facts are not the fold of the events"
    assert editions() == again[1], "I10: the same events made other editions"


class _Rebuilt:
    """Reports in memory, made from the journals alone."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._engine = database.writing("sqlite://")
        with self._engine.begin() as tx:
            metadata_of("reports").create_all(tx)
        self._sink = ReportsSink(self._engine, pack(), sources)

    def take(self, source: str, lines: Sequence[Line]) -> None:
        said = [JournalEntry(source=source, position=x.position, event=x.event) for x in lines]
        self._sink.apply(source, said)

    def tables(self) -> tuple[list[Any], list[Any]]:
        with self._engine.connect() as tx:
            made = tx.execute(sa.select(EDITION).order_by(*EDITION.primary_key))
            return _facts(tx), [tuple(row) for row in made]

    def close(self) -> None:
        self._engine.dispose()

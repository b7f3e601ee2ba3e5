"""What the audit asks for where its log ends costs the same however long the log is."""

import sqlalchemy as sa

from app import migrate
from kernel.database import writing
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit import schema, store
from services.audit.consumer import AuditSink
from tests.live import engines

ENTRIES = 3001  # odd: one leaf is a peak, among as many as there are entries
READ = sa.text(
    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = :node"
)


def test_few_hashes_are_read_though_the_log_was_empty_when_the_server_planned_it() -> None:
    with engines.a_postgres() as server:
        server.create("audit")
        migrate.upgrade("audit", server.url("audit"))
        engine = writing(server.url("audit"))
        lines = [JournalEntry(source="platforms", position=p + 1) for p in range(ENTRIES)]
        sink = AuditSink(engine, ("platforms",))
        sink.apply("platforms", lines[:1])
        sink.apply("platforms", lines[1:])
        with engine.connect() as tx:
            edge = store.lock(tx)
            read = tx.execute(READ, {"node": schema.FIRST.node.name}).scalar_one()
        engine.dispose()
    assert len(edge.peaks) == ENTRIES.bit_count()
    assert 0 < read < 100

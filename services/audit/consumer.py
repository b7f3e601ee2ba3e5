"""Appends journals to the log: entries, hashes and cursor in one transaction; it is signed later."""

from collections.abc import Sequence

import sqlalchemy as sa

from kernel.consumer import SHARD, following
from kernel.database import Kept, Put, finish, is_postgres
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit import merkle, schema, store
from services.audit.domain import columns, leaf
from services.audit.sealing import stored_trees


class AuditSink:
    """What the audit does with the journals that it follows (`kernel.consumer.Sink`).

    It keeps nothing in memory between batches: the size, the tree's edge and the cursors are read
    in the transaction that moves them. A second active instance collides on the entry's index,
    and its batch fails as a whole.
    """

    name = "audit"

    def __init__(self, engine: sa.Engine, sources: tuple[str, ...]) -> None:
        self.sources = sources
        self._engine, self._kept = engine, Kept(engine)
        postgres = is_postgres(engine)
        self._put_entries = Put(schema.entry, postgres=postgres)
        self._put_nodes = Put(schema.FIRST.node, postgres=postgres)
        self._put_cursor = Put(schema.cursor, postgres=postgres, replace=True)

    def cursors(self) -> dict[tuple[str, int], int]:
        """Return (source, shard) -> last position in the log; what is absent stands at 0."""
        with self._engine.connect() as connection:
            return store.cursors(connection)

    def apply(self, source: str, entries: Sequence[JournalEntry]) -> None:
        """Append what follows the cursor, in order; what the log has already is passed over.

        Raises:
            Damaged: the tables are not what was signed last; nothing more is stored.
            Gap: positions are missing. What came before the hole is in the log by then, so that
                `expected` is always the position after the cursor.
        """
        with self._kept.transaction() as tx:
            edge = store.lock(tx)
            fresh, gap = following(source, edge.cursors.get((source, SHARD), 0), entries)
            if fresh:
                _, before = stored_trees(tx, edge)
                self._append(tx, source, before, fresh)
        if gap is not None:
            raise gap

    def leave(self) -> None:
        """Give the database's connection back."""
        self._kept.leave()

    def _append(
        self, tx: sa.Connection, source: str, before: merkle.Tree, fresh: Sequence[JournalEntry]
    ) -> None:
        hashes = [merkle.leaf_hash(leaf(source, SHARD, e.position, e.event)) for e in fresh]
        rows = [
            (index, source, SHARD, e.position, e.event, digest, *columns(e.event))
            for index, (e, digest) in enumerate(zip(fresh, hashes, strict=True), before.size)
        ]
        _, added = merkle.extend(before, hashes)
        moved = self._put_cursor.of([(source, SHARD, fresh[-1].position)])
        finish(tx, [*self._put_entries.of(rows), *self._put_nodes.of(added), *moved])

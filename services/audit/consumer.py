"""Appends journals to the log: entries, hashes, checkpoint and cursor in one transaction."""

import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from kernel.consumer import SHARD, following
from kernel.database import Put, is_postgres
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit import merkle, store
from services.audit.domain import columns, leaf
from services.audit.note import Checkpoint, Signer, parse, parse_checkpoint, sign_checkpoint

EMPTY = Checkpoint("", 0, merkle.EMPTY_ROOT)


class Damaged(Exception):
    """The stored log differs from its last checkpoint: `luoshu audit verify` tells where."""


def system_time() -> int:
    """Return microseconds since 1970 (UTC)."""
    return time.time_ns() // 1000


class AuditSink:
    """What the audit does with the journals that it follows (`kernel.consumer.Sink`).

    It keeps nothing in memory between batches: the size, the tree's edge and the cursors are read
    in the transaction that moves them. A second active instance collides on the entry's index,
    and its batch fails as a whole.
    """

    name = "audit"

    def __init__(
        self,
        engine: sa.Engine,
        signer: Signer,
        sources: tuple[str, ...],
        now: Callable[[], int] = system_time,
    ) -> None:
        self.sources = sources
        self._engine, self._signer, self._now = engine, signer, now
        postgres = is_postgres(engine)
        self._put_entries = Put(store.entry, postgres=postgres)
        self._put_nodes = Put(store.node, postgres=postgres)
        self._put_checkpoint = Put(store.checkpoint, postgres=postgres)
        self._put_cursor = Put(store.cursor, postgres=postgres, replace=True)

    def cursors(self) -> dict[tuple[str, int], int]:
        """Return (source, shard) -> last position in the log; what is absent stands at 0."""
        with self._engine.connect() as connection:
            return _cursors(connection, sa.select(store.cursor))

    def apply(self, source: str, entries: Sequence[JournalEntry]) -> None:
        """Append what follows the cursor, in order; what the log has already is passed over.

        Raises:
            Damaged: the tables are not what was signed last; nothing more is signed.
            Gap: positions are missing. What came before the hole is in the log by then, so that
                `expected` is always the position after the cursor.
        """
        with self._engine.begin() as tx:
            cursor = self._locked_cursor(tx, source)
            fresh, gap = following(source, cursor, entries)
            if fresh:
                self._append(tx, source, fresh)
        if gap is not None:
            raise gap

    def _locked_cursor(self, tx: sa.Connection, source: str) -> int:
        """All cursors are locked, in one order: the journals share the tree's edge."""
        rows = sa.select(store.cursor).order_by(store.cursor.c.source, store.cursor.c.shard)
        return _cursors(tx, rows.with_for_update()).get((source, SHARD), 0)

    def _append(self, tx: sa.Connection, source: str, fresh: Sequence[JournalEntry]) -> None:
        before = _tree(tx)
        hashes = [merkle.leaf_hash(leaf(source, SHARD, e.position, e.event)) for e in fresh]
        rows = [
            (index, source, SHARD, e.position, e.event, digest, *columns(e.event))
            for index, (e, digest) in enumerate(zip(fresh, hashes, strict=True), before.size)
        ]
        tree, added = merkle.extend(before, hashes)
        note = sign_checkpoint(tree.size, tree.root, self._signer)
        self._put_entries(tx, rows)
        self._put_nodes(tx, added)
        self._put_checkpoint(tx, [(tree.size, note, self._now())])
        self._put_cursor(tx, [(source, SHARD, fresh[-1].position)])


def _tree(tx: sa.Connection) -> merkle.Tree:
    """Return the tree as it is stored, provided that it is the one that was signed last."""
    latest = store.latest_checkpoint(tx)
    signed = parse_checkpoint(parse(latest.text)[0]) if latest else EMPTY
    size = store.tree_size(tx)
    tree = store.with_nodes(tx, lambda nodes: merkle.load(size, nodes))
    if (tree.size, tree.root) != (signed.size, signed.root):
        raise Damaged(f"{tree.size} entries are stored, {signed.size} signed, or a hash is altered")
    return tree


def _cursors(
    connection: sa.Connection, rows: sa.Select[tuple[str, int, int]]
) -> dict[tuple[str, int], int]:
    return {(row.source, row.shard): row.position for row in connection.execute(rows)}

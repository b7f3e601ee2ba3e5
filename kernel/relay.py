"""The relay: it follows its own service's journal and publishes it. Progress is recorded after the acknowledgement.

To the rest it is a consumer like another: its cursor is in the service's database, its lag is the backlog. When the broker is
away its cursor stands still, and it starts again after it: repeats are legal on the bus, holes are not.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import sqlalchemy as sa

from kernel.consumer import SHARD
from kernel.store import Store
from luoshu.journal.v1.journal_pb2 import JournalEntry


class Publisher(Protocol):
    """Where entries are published."""

    def publish(self, source: str, entries: Sequence[JournalEntry]) -> None:
        """Return when all are acknowledged, in order; raise otherwise."""
        ...

    def close(self) -> None: ...


class RelaySink:
    """A sink whose effect is outside: so first the acknowledgement, then the cursor."""

    name = "relay"

    def __init__(self, store: Store, engine: sa.Engine, publisher: Publisher) -> None:
        self._store, self._engine, self._publisher = store, engine, publisher
        self.sources = (store.service.name,)

    def cursors(self) -> Mapping[tuple[str, int], int]:
        with self._engine.connect() as tx:
            return self._store.cursors(tx)

    def apply(self, source: str, entries: Sequence[JournalEntry]) -> None:
        self._publisher.publish(source, entries)
        with self._engine.begin() as tx:
            self._store.put_cursor(tx, source, SHARD, entries[-1].position)

    def close(self) -> None:
        self._publisher.close()

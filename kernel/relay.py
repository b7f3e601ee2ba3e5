"""The relay: it follows its own service's journal and publishes it. Progress is recorded after the acknowledgement.

To the rest it is a consumer like another: its cursor is in the service's database, its lag is the backlog. When the broker is
away its cursor stands still, and it starts again after it: repeats are legal on the bus, holes are not.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Protocol

import sqlalchemy as sa
import structlog

from kernel.consumer import SHARD
from kernel.database import Kept, Statement, finish, is_postgres
from kernel.turns import Journal, Take
from luoshu.journal.v1.journal_pb2 import JournalEntry

log = structlog.get_logger(__name__)

LOOK = 1.0  # seconds between two looks whether the process that leads has gone
LEAD = 20_736_002
"""Number of PostgreSQL's advisory lock that the process holds which relays a database's journal."""
LEAD_ACCESS = 20_736_003
"""The same for its access journal."""


class Lost(Exception):
    """The bus lacks what it acknowledged: `position` is the last that it has. What comes after is sent again."""

    def __init__(self, source: str, position: int) -> None:
        super().__init__(f"{source}: the bus has nothing above position {position}")
        self.source, self.position = source, position


class NotLeading(Exception):
    """Another process relays this journal by now."""


class Cursors(Protocol):
    """Where the relay's progress is kept, in the service's own database."""

    def cursors(self, tx: sa.Connection) -> Mapping[tuple[str, int], int]: ...

    def moved(self, source: str, shard: int, position: int) -> list[Statement]: ...


class Publisher(Protocol):
    """Where entries are published."""

    def publish(self, source: str, entries: Sequence[JournalEntry]) -> None:
        """Return when all are acknowledged, in order; raise otherwise. Raises Lost."""
        ...

    def leave(self) -> None:
        """Close, for good. To be called from any thread."""
        ...


class Lead:
    """Of the processes of one service, one relays: the others would repeat every message. Where it fails, repeats are legal.

    On SQLite everybody leads: a file has one process.
    """

    def __init__(self, engine: sa.Engine, lock: int = LEAD) -> None:
        self._engine, self._postgres, self._lock = engine, is_postgres(engine), lock
        self._connection: sa.Connection | None = None
        self._sure = 0.0  # until when, on the monotonic clock

    def taken(self) -> bool:
        """Tell whether this process leads, from now on if nobody does."""
        if not self._postgres:
            return True
        try:
            return self._holds() or self._takes()
        except sa.exc.DBAPIError:
            self.leave()
            raise

    def _holds(self) -> bool:
        """The connection is looked at once in a while: another that leads meanwhile sends repeats, which are legal."""
        if self._connection is None:
            return False
        if time.monotonic() >= self._sure:
            self._connection.execute(sa.text("SELECT 1"))
            self._sure = time.monotonic() + LOOK
        return True

    def _takes(self) -> bool:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection = connection
        if connection.execute(sa.select(sa.func.pg_try_advisory_lock(self._lock))).scalar_one():
            return True
        self.leave()
        return False

    def leave(self) -> None:
        """The lock goes with its connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


class RelaySink:
    """A sink whose effect is outside: so first the acknowledgement, then the cursor."""

    name = "relay"

    def __init__(
        self,
        cursors: Cursors,
        engine: sa.Engine,
        publisher: Publisher,
        source: str,
        lock: int = LEAD,
    ) -> None:
        self._store, self._engine, self._publisher = cursors, engine, publisher
        self._lead, self._kept = Lead(engine, lock), Kept(engine)
        self.sources = (source,)

    def leading(self, owner: Journal) -> Journal:
        """Return the journal to follow: it tells nothing while another process leads."""
        return partial(self._led, owner)

    async def _led(self, owner: Journal, after: int, take: Take) -> AsyncGenerator[int, None]:
        if not await asyncio.to_thread(self._lead.taken):
            await asyncio.sleep(LOOK)
            return  # the follower asks again, from where the other process is by then
        async with aclosing(owner(after, take)) as taken:
            async for count in taken:
                yield count

    def cursors(self) -> Mapping[tuple[str, int], int]:
        with self._engine.connect() as tx:
            return self._store.cursors(tx)

    def apply(self, source: str, entries: Sequence[JournalEntry]) -> None:
        """Raises NotLeading; Lost: the cursor went back to what the bus still has."""
        if not self._lead.taken():
            raise NotLeading(source)
        try:
            self._publisher.publish(source, entries)
        except Lost as lost:
            log.warning("bus_lost_events", source=source, after=lost.position)
            self._move(source, lost.position)
            raise
        self._move(source, entries[-1].position)

    def _move(self, source: str, position: int) -> None:
        with self._kept.transaction() as tx:
            finish(tx, self._store.moved(source, SHARD, position))

    def hurry(self) -> None:
        """Publish no more. To be called from any thread."""
        self._publisher.leave()

    def close(self) -> None:
        self._publisher.leave()
        self._kept.leave()
        self._lead.leave()

"""The access journal of a service that decides nothing itself: a writer of its own, beside what else uses its database."""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from kernel import database
from kernel.access import Access
from kernel.access_store import AccessJournal, AccessStore, AccessTables
from kernel.columns import microseconds
from kernel.errors import Silent, Unsettled
from kernel.gather import Gatherer
from kernel.outcome import Clock
from kernel.tide import Tide

T = TypeVar("T")
Said = tuple[Access, ...] | None
"""Access events that came together; None: end the minutes that are over."""


class AccessRoom:
    """Made in the event loop that serves it; the schema must be there. `secret`: the service's, for marks of requests."""

    def __init__(
        self, service: str, tables: AccessTables, url: str, secret: bytes, clock: Clock
    ) -> None:
        self.writing, self._reading = database.writing(url), database.reading(url)
        postgres = database.is_postgres(self.writing)
        self._store, self._clock = AccessStore(tables, postgres=postgres), clock
        self._key = hashlib.blake2b(b"luoshu marks", key=secret, digest_size=32).digest()
        self.access, self._tide = AccessJournal(service, self._store, self.read, Tide()), Tide()
        self._position = 0
        self._writes: Gatherer[Said, int] = Gatherer(
            self._write,
            name=f"{service}-access",
            after=lambda: self.access.rise(self._position),
        )

    async def record(self, *said: Access) -> None:
        if said:
            await self._writes.ask(said)

    async def sweep(self) -> None:
        """End the minutes of denials that are over, where there are any."""
        if await self.read(self._store.over, microseconds(self._clock())):
            await self._writes.ask(None)

    def mark(self, raw: bytes) -> bytes:
        return hashlib.blake2b(raw, key=self._key, digest_size=16).digest()

    def _write(self, asked: Sequence[Said]) -> list[int | Exception]:
        try:
            with self.writing.connect() as tx:
                self._position = self._append(tx, asked)
                tx.commit()
        except sa.exc.DBAPIError:
            return [_unsettled() for _ in asked]
        return [self._position] * len(asked)

    def _append(self, tx: sa.Connection, asked: Sequence[Said]) -> int:
        said = [access for one in asked if one for access in one]
        position = self._store.save(tx, self._clock(), said)
        return self._store.sweep(tx, self._clock()) if None in asked else position

    async def read(self, question: Callable[..., T], *args: Any) -> T:
        """Run `question(connection, *args)` in a read transaction, in a thread. Raises Silent."""

        def run() -> T:
            with database.looking(self._reading) as tx:
                return question(tx, *args)

        return await asyncio.to_thread(run)

    async def look_out(self) -> None:
        """Notice what another process wrote, such as a command beside this one."""
        while not self._tide.ended:
            with contextlib.suppress(Silent):
                self.access.rise(await self.access.head())
            await self._tide.wait(self._tide.turn())

    def end(self) -> None:
        """Let go of those who wait at the journal's end."""
        self.access.end()
        self._tide.end()

    def close(self) -> None:
        """Answer what is queued, then leave the database."""
        self._writes.close()
        self.writing.dispose()
        self._reading.dispose()


def _unsettled() -> Unsettled:
    return Unsettled(
        "the database did not answer, so the request was not recorded and is not answered; try again",
        "数据库未响应，访问未能留痕，故不予答复；请重试",
    )

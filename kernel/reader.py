"""Records of PostgreSQL by name, asked for by the event loop itself.

A thread that asks takes the interpreter from the loop, and each of the two waits for the other to wake.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import psycopg
import sqlalchemy as sa

from kernel import trip
from kernel.database import Rows, Statement, silent
from kernel.gather import LoopGatherer

A = TypeVar("A")
MOST = 256  # names asked for together
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, *trip.STALE)
"""What the next question, on a link of its own, may not meet again."""
LOOK = 1.0  # seconds between two looks at a link: uvloop tells nobody that a socket has failed


class Reader(Generic[A]):
    """What queued while the last question was under way is asked for together: `asked` says how, `found` reads the answers.

    Made in a running event loop, to which it belongs. Its connection is its own; one that fails is replaced by the next question.
    """

    def __init__(
        self,
        engine: sa.Engine,
        asked: Callable[[Iterable[str]], Sequence[Statement]],
        found: Callable[[Sequence[Rows]], Mapping[str, A]],
        *,
        name: str,
    ) -> None:
        self._engine, self._asked, self._found = engine, asked, found
        self._loop = asyncio.get_running_loop()
        self._aside = ThreadPoolExecutor(1, name)  # connects, which waits
        self._link: Link | None = None
        self._gatherer: LoopGatherer[str, A | None] = LoopGatherer(self._answers, most=MOST)
        self.ask = self._gatherer.ask

    async def _answers(self, names: Sequence[str]) -> Sequence[A | Exception | None]:
        try:
            link = await self._linked()
            found = self._found(await link.ask(self._asked(dict.fromkeys(names))))
        except BaseException as error:
            self._leave()  # it may have answers on the way, or have forgotten what was prepared
            if isinstance(error, AWAY):
                return [silent()] * len(names)
            raise
        return [found.get(name) for name in names]

    async def _linked(self) -> "Link":
        if self._link is None or self._link.cut:
            self._leave()
            connection = await self._loop.run_in_executor(self._aside, self._engine.raw_connection)
            self._link = Link(connection)
        return self._link

    def _leave(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def close(self) -> None:
        """Answer what is queued, then end. Waits for the loop, where it runs: to be called in another thread."""
        self._gatherer.close()
        if self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        else:
            self._leave()
        self._aside.shutdown()
        self._engine.dispose()

    async def _end(self) -> None:
        self._leave()


class Link:
    """One connection in libpq's pipeline mode, and the loop that waits for its socket. One question at a time."""

    def __init__(self, connection: Any) -> None:
        self._connection, driver = connection, connection.driver_connection
        self._pipe, self._wire = trip.Pipe(driver), driver.pgconn
        self._loop, self._socket = asyncio.get_running_loop(), os.dup(self._wire.socket)
        self._loop.add_reader(self._socket, self._readable)  # libpq closes its own when it is cut
        self._arrived: asyncio.Future[None] | None = None
        self.cut = self._full = False
        self._next = self._loop.call_later(LOOK, self._look)

    async def ask(self, statements: Sequence[Statement]) -> list[Rows]:
        """Return the rows that each finds. Raises psycopg.Error; the link is then to be closed."""
        if not statements:
            return []
        self._pipe.fill(statements, trip.packed(statements))
        arrived = self._arrived = self._loop.create_future()
        self._writable()
        await arrived
        return self._pipe.rows()

    def _writable(self) -> None:
        """Send what waits to be sent: mostly the socket takes it at once."""
        try:
            full = bool(self._wire.flush())
            if full and not self._full:
                self._loop.add_writer(self._socket, self._writable)
            elif self._full and not full:
                self._loop.remove_writer(self._socket)
            self._full = full
        except psycopg.Error as error:
            self._fail(error)

    def _readable(self) -> None:
        """Take in what came; where nothing was asked, it is that the link is cut."""
        try:
            self._wire.consume_input()
            if self._arrived is not None and self._pipe.complete():
                arrived, self._arrived = self._arrived, None
                arrived.set_result(None)
        except psycopg.Error as error:
            self._fail(error)

    def _look(self) -> None:
        self._readable()
        if not self.cut:
            self._next = self._loop.call_later(LOOK, self._look)

    def _fail(self, error: psycopg.Error) -> None:
        self.cut = True
        self._unwatch()
        if self._arrived is not None:
            arrived, self._arrived = self._arrived, None
            arrived.set_exception(error)

    def _unwatch(self) -> None:
        self._next.cancel()
        if self._socket >= 0:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._socket)
                self._loop.remove_writer(self._socket)
            os.close(self._socket)
            self._socket = -1

    def close(self) -> None:
        self._unwatch()
        self._connection.invalidate()

"""Waiting for PostgreSQL: in a thread of its own, or in the event loop where `kernel.database.in_loop` runs it.

The code is the same. In the loop it runs in a greenlet, which gives way to the loop at every wait, as SQLAlchemy's asyncio does.
"""

import asyncio
import os
from typing import Any

import psycopg
from psycopg.waiting import Ready, Wait
from sqlalchemy.util.concurrency import await_, in_greenlet

LOOK = 1.0  # seconds between two looks at a socket: uvloop tells nobody that one has failed


class Connection(psycopg.Connection[Any]):
    """psycopg's, which waits where its user runs. In one event loop at most."""

    _watch: "Watch | None" = None

    def wait(self, gen: Any, *arguments: Any, **said: Any) -> Any:
        if not in_greenlet():
            return super().wait(gen, *arguments, **said)
        if self._watch is None:
            self._watch = Watch(self.pgconn.socket)
        try:
            wanted = next(gen)
            while True:
                wanted = gen.send(await_(self._watch.ready(wanted)))
        except StopIteration as end:
            return end.value

    def close(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.end()
        super().close()


class Watch:
    """Tells whoever waits for a socket, one at a time, what the running loop hears of it."""

    def __init__(self, socket: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = os.dup(socket)  # libpq closes its own when it is cut
        self._told: asyncio.Future[Ready] | None = None
        self._reads = False
        self._next = self._loop.call_later(LOOK, self._look)

    def ready(self, wanted: Wait) -> "asyncio.Future[Ready]":
        """Return what becomes what the socket is ready for, or may be, for it is time to look."""
        self._told = self._loop.create_future()
        if not self._reads:  # else the loop listens still, as it did for the last who waited
            self._loop.add_reader(self._socket, self._tell, Ready.R)
            self._reads = True
        if wanted & Wait.W:
            self._loop.add_writer(self._socket, self._tell, Ready.W)
        return self._told

    def _tell(self, what: Ready) -> None:
        if what & Ready.W:
            self._loop.remove_writer(self._socket)
        if self._told is not None and not self._told.done():
            self._told.set_result(what)
        elif self._reads and what & Ready.R:  # nobody takes it in
            self._loop.remove_reader(self._socket)
            self._reads = False

    def _look(self) -> None:
        self._next = self._loop.call_later(LOOK, self._look)
        if self._told is not None and not self._told.done():
            self._told.set_result(Ready.R)  # for nothing psycopg would not look

    def end(self) -> None:
        """Let go of the socket. In any thread."""
        try:
            self._loop.call_soon_threadsafe(self._end)
        except RuntimeError:  # the loop is closed
            os.close(self._socket)

    def _end(self) -> None:
        self._next.cancel()
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        os.close(self._socket)

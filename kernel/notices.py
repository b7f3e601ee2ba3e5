"""Notices of other processes' commits: LISTEN on PostgreSQL; SQLite has none, so there one looks more often."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import sqlalchemy as sa
import structlog

from kernel.database import is_postgres
from kernel.store import channel_of

log = structlog.get_logger(__name__)

LOOK, SLOW_LOOK = 0.2, 2.0  # seconds between two looks: without notices, and behind them
WAIT = 0.3  # seconds that the listening thread waits before it sees that it should end
LULL = 0.01  # seconds after a notice in which it does not look: what comes then is told together, at most that much later


class Notices:
    """Calls `notice` from a thread of its own when another process has written. A context manager.

    `own`: the sign of this process's notices: who wrote knows it.
    """

    def __init__(
        self, engine: sa.Engine, service: str, own: str, notice: Callable[[], object]
    ) -> None:
        self._engine, self._channel, self._notice = engine, channel_of(service), notice
        self._own = own
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.pause = LOOK

    def __enter__(self) -> "Notices":
        if is_postgres(self._engine):
            self.pause = SLOW_LOOK
            self._thread = threading.Thread(target=self._run, name=self._channel, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen()
            except Exception as error:  # noqa: BLE001 - the slow look goes on; the next connection may hold
                if self._ended.is_set():
                    return
                log.warning("notices_lost", channel=self._channel, error=type(error).__name__)
                self._ended.wait(WAIT)

    def _listen(self) -> None:
        with self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute(f"LISTEN {self._channel}")
            while not self._ended.is_set():
                told = [n.payload for n in driver.notifies(timeout=WAIT, stop_after=1)]
                if any(sign != self._own for sign in told):
                    self._notice()
                if told:
                    self._ended.wait(LULL)  # most are this process's own, one a commit

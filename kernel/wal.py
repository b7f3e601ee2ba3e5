"""Copies SQLite's log (WAL) into its database beside the writer, whose commits would wait for it."""

import sqlite3
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import sqlalchemy as sa
import structlog

log = structlog.get_logger(__name__)

EVERY = 500  # journal lines: a dozen pages each where a commit carries few of them, two or three where it carries an import's
LONGEST = 8_000  # pages of the log; then the writer's own commits copy what is left
QUIET = 60.0  # seconds until a failure is told again


class WalCheckpoints:
    """Of one database, one at a time, in a thread of their own; none waits for a lock, nor the writer for it.

    While the writer goes on they do not come to the log's end, behind which it begins anew: at LONGEST a commit does, which
    then finds little left to copy.
    """

    def __init__(self, writing: sa.Engine, reading: sa.Engine, *, name: str) -> None:
        self._engine, self._thread = reading, ThreadPoolExecutor(1, name)
        self._begun, self._last = 0, Future[None]()
        self._last.set_result(None)
        self._quiet = 0.0
        sa.event.listen(writing, "connect", _seldom)

    def wrote(self, position: int) -> None:
        """Begin one if the journal has grown enough since the last. Called by the writer's thread."""
        if position - self._begun < EVERY or not self._last.done():
            return
        self._begun = position
        try:
            self._last = self._thread.submit(self._copy)
        except RuntimeError as error:  # no thread is to be had
            self._tell(error)

    def close(self) -> None:
        """Wait for the one that is under way, then leave the file."""
        self._thread.shutdown()
        self._engine.dispose()

    def _copy(self) -> None:
        try:
            with closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except (sqlite3.Error, sa.exc.SQLAlchemyError) as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """What was not copied is copied by the next, or by the writer; some succeed between others that fail."""
        now = time.monotonic()
        if now >= self._quiet:
            log.warning("wal_checkpoint_failed", error=type(error).__name__)
            self._quiet = now + QUIET


def _seldom(connection: sqlite3.Connection, _: object) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint={LONGEST}")

"""SQLite's log, copied into its database beside the writer, who else does so between two commits."""

import contextlib
import queue
import sqlite3
import threading
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

log = structlog.get_logger(__name__)

NAME = "log-copier"
"""How the threads' names end: they need the interpreter hardly ever."""
LINES = 500  # of the journal, after which what they wrote is copied
MOST = 16_000  # pages of the log from which on the writer copies too: the log begins anew only when all of it is copied
SIZE = MOST * 4096  # bytes to which a log that was longer is cut when it begins anew


def can_copy(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Tell whether a SQLite keeps its pages where one connection copies the log as another's commit begins it anew.

    Source: https://sqlite.org/wal.html#walresetbug
    """
    return (
        version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    )


class Copier:
    """Copies in a thread of its own. `engine`: the writer's, which has not connected yet; `name`: of the service.

    `reach` is called by one thread, `close` may be by another.
    """

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self._file = Path(str(engine.url.database)).absolute().as_uri()
        self._copied: int | None = None  # the journal's position at the last turn
        self._turns: queue.SimpleQueue[bool] = queue.SimpleQueue()  # False: there are no more
        sa.event.listen(engine, "connect", _let_grow)
        self._thread = threading.Thread(target=self._run, name=f"{name}-{NAME}", daemon=True)
        self._thread.start()

    def reach(self, position: int) -> None:
        """Have the log copied where the journal has grown by LINES since the last time."""
        if self._copied is None:
            self._copied = position
        if position - self._copied < LINES:
            return
        self._copied = position
        if self._turns.empty():  # else the turn that is to come finds these too
            self._turns.put(True)

    def close(self) -> None:
        """End, once what it was asked for is copied."""
        self._turns.put(False)
        self._thread.join()

    def _run(self) -> None:
        while self._turns.get():
            try:
                self._copy()
            except Exception as error:  # noqa: BLE001 - the next turn tries again, and the writer copies what stays
                log.warning("log_not_copied", error=str(error))

    def _copy(self) -> None:
        """Copy what is there, and wait for nobody: neither for readers nor for the writer."""
        link = sqlite3.connect(f"{self._file}?mode=rw", uri=True)  # makes no file that is not there
        with contextlib.closing(link):
            link.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _let_grow(connection: Any, _: Any) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint={MOST}")
    connection.execute(f"PRAGMA journal_size_limit={SIZE}")

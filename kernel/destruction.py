"""Destroying a subject's key so that no copy of it stays in the database's files.

A row that is deleted leaves its bytes in freed space, in pages that were split, and in the write-ahead log.
"""

import time
from collections.abc import Collection

import sqlalchemy as sa
import structlog

from kernel.database import is_postgres, many, one_of

log = structlog.get_logger(__name__)

PATIENCE = 5.0  # seconds in which readers of an old state may leave
PAUSE = 0.05  # seconds


def destroy(tx: sa.Connection, table: sa.Table, subjects: Collection[str]) -> None:
    """Delete keys; on SQLite rewrite the table's pages, the old ones overwritten with zeros. `table`: of keys, by subject."""
    if is_postgres(tx.engine):
        doomed = one_of(table.c.subject, postgres=True)
        tx.execute(sa.delete(table).where(doomed), many(subjects, postgres=True))
        return
    tx.exec_driver_sql("PRAGMA secure_delete=ON")
    tx.exec_driver_sql("DROP TABLE IF EXISTS temp.kept")
    tx.exec_driver_sql(
        "CREATE TEMP TABLE kept AS SELECT * FROM subject WHERE subject NOT IN (SELECT value FROM json_each(?))",
        (many(subjects, postgres=False)["many"],),
    )
    tx.exec_driver_sql("DELETE FROM subject")
    tx.exec_driver_sql("INSERT INTO subject SELECT * FROM temp.kept")
    tx.exec_driver_sql("DROP TABLE temp.kept")
    tx.exec_driver_sql("PRAGMA secure_delete=OFF")


def clean(engine: sa.Engine) -> bool:
    """Take old copies out of the database's files; return whether all of them are gone. Asked after the commit."""
    try:
        return _clean_postgres(engine) if is_postgres(engine) else _clean_sqlite(engine)
    except sa.exc.DBAPIError as error:
        log.warning("traces_left", error=type(error.orig).__name__)
        return False


def _clean_postgres(engine: sa.Engine) -> bool:
    """Write the table into a new file; the server's own write-ahead log forgets with its next recycling."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (FULL) subject")
    return True


def _clean_sqlite(engine: sa.Engine) -> bool:
    """Empty the write-ahead log, once nobody reads an older state."""
    limit = time.monotonic() + PATIENCE
    while True:
        raw = engine.raw_connection()
        try:
            (busy, *_) = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            raw.close()
        if not busy:
            return True
        if time.monotonic() > limit:
            log.warning("traces_left", error="busy")
            return False
        time.sleep(PAUSE)

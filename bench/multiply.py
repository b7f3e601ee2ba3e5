"""More of the same: a database's records and journal lines copied many times over, inside the database.

What is copied keeps its message and gets another name, title and position, so that lists, indexes and cursors are those of as
many real records. It is for measuring reads only: a record's message still names the record that it was copied from.
"""

import sqlite3
from contextlib import closing
from pathlib import Path


def multiply(file: Path, times: int) -> None:
    """Make each record of the platforms' file into `times` of them, with a journal line each."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA synchronous=OFF")
        (count,) = connection.execute("SELECT max(position) FROM journal").fetchone()
        for copy in range(1, times):
            said = {"mark": f"x{copy:04}", "shift": copy * count}
            for table, changed in CHANGED.items():
                _copy(connection, table, changed, said)
        connection.execute("UPDATE journal_head SET position = position * ?", (times,))
        connection.execute("ANALYZE")


CHANGED = {
    "platform": {
        "name": "name || :mark",
        "title": "title || :mark",
        "position": "position + :shift",
    },
    "journal": {
        "position": "position + :shift",
        "record": "record || :mark",
        "request_id": "request_id || :mark",
    },
}
"""Table → column → what a copy has there. `mark`: of the copy; `shift`: what its positions are moved by."""


def _copy(
    connection: sqlite3.Connection, table: str, changed: dict[str, str], said: dict[str, object]
) -> None:
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    chosen = ", ".join(changed.get(name, f'"{name}"') for name in names)
    connection.execute(
        f"INSERT INTO {table} SELECT {chosen} FROM {table} WHERE position <= :most",
        {**said, "most": _first(connection)},
    )


def _first(connection: sqlite3.Connection) -> int:
    """Return the last position of what was there before the copies: the head is moved at the end."""
    return int(connection.execute("SELECT position FROM journal_head").fetchone()[0])

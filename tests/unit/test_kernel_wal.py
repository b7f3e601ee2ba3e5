"""SQLite's log is copied beside the writer: it stays bounded, whoever copies it, and nothing that fails there stops anything."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa
import structlog

from kernel import database, wal
from kernel.room import Circumstances, Room
from kernel.wal import EVERY, LONGEST, WalCheckpoints
from kernel.writer import Work
from tests.unit.kernel_world import NO_PACK, SECRET, TOY, Clock, creation, schema

PAGE = 4096 + 24
"""Bytes of a page in the log, with its header."""


class Things:
    """A file with one table, and what copies its log."""

    def __init__(self, path: Path) -> None:
        self.path, url = path, f"sqlite:///{path}"
        self.writing, self.reading = database.writing(url), database.reading(url)
        self.checkpoints = WalCheckpoints(self.writing, self.reading, name="things-wal")
        self.write("CREATE TABLE thing (value TEXT)")

    def write(self, text: str) -> None:
        with self.writing.begin() as tx:
            tx.exec_driver_sql(text)

    def fill(self, pages: int) -> None:
        self.write(f"INSERT INTO thing VALUES (hex(zeroblob({pages * 2048})))")

    def settled(self) -> None:
        self.checkpoints._last.result(timeout=30)

    @property
    def copied(self) -> int:
        """Pages of the database itself, without what only the log has."""
        return self.path.stat().st_size // 4096

    @property
    def logged(self) -> int:
        return self.path.with_name(f"{self.path.name}-wal").stat().st_size // PAGE


@pytest.fixture
def things(tmp_path: Path) -> Iterator[Things]:
    made = Things(tmp_path / "things.sqlite3")
    yield made
    made.checkpoints.close()
    made.writing.dispose()


def test_the_log_is_copied_once_the_journal_has_grown_enough(things: Things) -> None:
    things.fill(100)
    things.checkpoints.wrote(EVERY - 1)
    things.settled()
    assert things.copied < 100
    things.checkpoints.wrote(EVERY)
    things.settled()
    assert things.copied > 100


def test_the_log_begins_anew_behind_what_was_copied(things: Things) -> None:
    for number in range(1, 11):
        things.fill(100)
        things.checkpoints.wrote(number * EVERY)
        things.settled()
    assert things.logged < 150


def test_a_checkpoint_waits_neither_for_a_writer_nor_for_a_reader(things: Things) -> None:
    sa.event.listen(things.reading, "connect", _patient)
    with things.writing.connect() as tx, things.reading.connect() as reading:
        reading.exec_driver_sql("SELECT * FROM thing").fetchall()
        tx.exec_driver_sql("INSERT INTO thing VALUES ('under way')")
        with structlog.testing.capture_logs() as told:
            things.checkpoints.wrote(EVERY)
            things.settled()
        tx.commit()
    assert told == []


def _patient(connection: Any, _: Any) -> None:
    """Whatever waits for a lock waits beyond what `settled` does."""
    connection.execute("PRAGMA busy_timeout=600000")


def test_the_writer_goes_on_while_one_is_under_way(things: Things) -> None:
    go_on, copy = threading.Event(), things.reading.raw_connection
    with patch.object(things.reading, "raw_connection", lambda: go_on.wait(30) and copy()):
        things.checkpoints.wrote(EVERY)
        first = things.checkpoints._last
        things.fill(100)
        things.checkpoints.wrote(2 * EVERY)
        assert things.checkpoints._last is first, "one at a time"
        go_on.set()
        things.settled()
    assert things.copied > 100


def test_the_writer_copies_the_log_itself_where_it_has_become_long(tmp_path: Path) -> None:
    with patch.object(wal, "LONGEST", 50):
        things = Things(tmp_path / "things.sqlite3")
        for _ in range(100):
            things.fill(10)
        assert things.logged < 50 + 2 * 10
        things.checkpoints.close()
        things.writing.dispose()


def test_a_writer_of_a_room_does_so_seldom_and_any_other_as_ever(things: Things) -> None:
    with things.writing.connect() as tx:
        assert tx.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == LONGEST
    with database.writing(f"sqlite:///{things.path}").connect() as tx:
        assert tx.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 4000


@pytest.mark.parametrize(("quiet", "times"), [(wal.QUIET, 1), (0.0, 3)])
def test_what_fails_is_told_once_in_a_while(things: Things, quiet: float, times: int) -> None:
    full = sa.exc.OperationalError(None, None, Exception("database or disk is full"))
    with (
        patch.object(wal, "QUIET", quiet),
        patch.object(things.reading, "raw_connection", side_effect=full),
        structlog.testing.capture_logs() as told,
    ):
        for number in range(1, 4):
            things.checkpoints.wrote(number * EVERY)
            things.settled()
    assert [line["event"] for line in told] == ["wal_checkpoint_failed"] * times
    things.fill(100)
    things.checkpoints.wrote(4 * EVERY)
    things.settled()
    assert things.copied > 100


def test_where_no_thread_is_to_be_had_the_writer_goes_on(things: Things) -> None:
    none = RuntimeError("can't start new thread")
    with (
        patch.object(things.checkpoints._thread, "submit", side_effect=none),
        structlog.testing.capture_logs() as told,
    ):
        for number in (1, 2):
            things.checkpoints.wrote(number * EVERY)
    assert [line["error"] for line in told] == ["RuntimeError"]


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("toy-")}


def files(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


def room_on(url: str) -> Room:
    async def ask(_: str) -> None: ...

    return Room(TOY, Circumstances(url, SECRET, NO_PACK, Clock(), ask))


async def test_the_log_of_a_room_stays_bounded_however_much_is_written(tmp_path: Path) -> None:
    path = tmp_path / "toy.sqlite3"
    log, longest = path.with_name("toy.sqlite3-wal"), 0
    with patch.object(wal, "EVERY", 20), patch.object(wal, "LONGEST", 300):
        room = room_on(schema(path))
        for _ in range(100):
            await room.write(Work(tuple(creation() for _ in range(10))))
            longest = max(longest, log.stat().st_size // PAGE)
        assert await room.head() == 1000
        await asyncio.to_thread(room.close)
    assert 0 < longest < 600


async def test_a_room_closes_behind_a_checkpoint_and_leaves_no_log(tmp_path: Path) -> None:
    begun, go_on, before = threading.Event(), threading.Event(), threads()
    copy: Any = WalCheckpoints._copy

    def slow(self: WalCheckpoints) -> None:
        begun.set()
        go_on.wait(30)
        copy(self)

    with patch.object(wal, "EVERY", 1), patch.object(WalCheckpoints, "_copy", slow):
        room = room_on(schema(tmp_path / "toy.sqlite3"))
        await room.write(Work((creation(),)))
        assert await asyncio.to_thread(begun.wait, 30)
        closing = asyncio.create_task(asyncio.to_thread(room.close))
        await asyncio.to_thread(room._writes._thread.join)
        assert not closing.done()
        go_on.set()
        await closing
    assert threads() <= before
    assert files(tmp_path) == ["toy.sqlite3"]

"""SQLite's log is copied beside its writer, where SQLite can."""

import asyncio
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kernel import copier, room
from kernel.copier import LINES, NAME, Copier, can_copy
from kernel.database import writing
from kernel.room import Circumstances, Room
from kernel.writer import Work
from tests.unit.kernel_world import NO_PACK, SECRET, TOY, Clock, creation, schema

PATIENCE = 20.0  # seconds; the machine may be busy
BUSY = 5.0  # seconds that a connection of Python's waits for another


class File:
    """A database with one table, and who copies its log."""

    def __init__(self, path: Path) -> None:
        self.path, self.engine = path, writing(f"sqlite:///{path}")
        self.copier = Copier(self.engine, "toy")
        with self.engine.begin() as tx:
            tx.exec_driver_sql("CREATE TABLE thing (value INTEGER PRIMARY KEY)")
        self.copier.reach(0)

    def write(self, value: int) -> None:
        with self.engine.begin() as tx:
            tx.exec_driver_sql("INSERT INTO thing VALUES (?)", (value,))

    def without_its_log(self) -> list[int]:
        """Return what stands in the file itself; empty: not even the table, or it is just being copied."""
        alone = self.path.with_suffix(".alone")
        shutil.copy(self.path, alone)
        try:
            return [value for (value,) in sqlite3.connect(alone).execute("SELECT value FROM thing")]
        except sqlite3.DatabaseError:
            return []

    def close(self) -> None:
        self.copier.close()
        self.engine.dispose()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    made = File(tmp_path / "things.sqlite3")
    yield made
    made.close()


def comes(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not holds():
        time.sleep(0.01)
    return holds()


def copying(name: str = f"toy-{NAME}") -> bool:
    return any(thread.name == name for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("version", "can"),
    [
        ((3, 40, 1), False), ((3, 44, 5), False), ((3, 44, 6), True), ((3, 45, 0), False), ((3, 46, 1), False),
        ((3, 50, 6), False), ((3, 50, 7), True), ((3, 51, 2), False), ((3, 51, 3), True), ((3, 53, 0), True),
    ],
)  # fmt: skip
def test_a_sqlite_that_may_lose_pages_copies_nothing_beside(
    version: tuple[int, ...], can: bool
) -> None:
    assert can_copy(version) is can


def test_what_many_lines_wrote_is_copied_and_what_few_wrote_waits(file: File) -> None:
    file.write(1)
    file.copier.reach(LINES - 1)
    time.sleep(0.05)
    assert file.without_its_log() == []
    file.copier.reach(LINES)
    assert comes(lambda: file.without_its_log() == [1])
    file.write(2)
    file.copier.reach(2 * LINES - 1)
    time.sleep(0.05)
    assert file.without_its_log() == [1]
    file.copier.reach(2 * LINES)
    assert comes(lambda: file.without_its_log() == [1, 2])


def test_a_journal_that_was_long_before_has_nothing_to_copy(file: File) -> None:
    late = Copier(writing(f"sqlite:///{file.path}"), "late")
    file.write(1)
    late.reach(10 * LINES)
    late.close()
    assert file.without_its_log() == []


def test_nobody_is_waited_for(file: File) -> None:
    """A reader of an older state keeps back what came after it, a writer nothing; both go on."""
    reader, writer = (sqlite3.connect(file.path, isolation_level=None) for _ in range(2))
    with closing(reader), closing(writer):
        file.write(1)
        reader.execute("BEGIN")
        assert reader.execute("SELECT value FROM thing").fetchall() == [(1,)]
        file.write(2)
        writer.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        file.copier._copy()
        assert time.monotonic() - began < BUSY / 2  # who waits gives up after BUSY
        assert file.without_its_log() == []
        reader.execute("COMMIT")
        file.copier._copy()
        assert time.monotonic() - began < BUSY / 2
        assert file.without_its_log() == [1, 2]
        writer.execute("INSERT INTO thing VALUES (3)")
        writer.execute("COMMIT")


def test_turns_that_nobody_has_taken_yet_are_one(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, count = threading.Event(), threading.Event(), list[int]()

    def copy() -> None:
        count.append(1)
        begun.set()
        assert go_on.wait(PATIENCE)

    monkeypatch.setattr(file.copier, "_copy", copy)
    file.copier.reach(LINES)
    assert begun.wait(PATIENCE)
    for turn in range(2, 6):
        file.copier.reach(turn * LINES)
    go_on.set()
    file.copier.close()
    assert len(count) == 2


@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk I/O error"), ValueError("odd")])
def test_what_fails_is_told_and_the_next_turn_tries_again(
    file: File, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail() -> None:
        raise error

    file.write(1)
    with capture_logs() as said, monkeypatch.context() as once:
        once.setattr(file.copier, "_copy", fail)
        file.copier.reach(LINES)
        assert comes(lambda: bool(said))
    assert said == [{"event": "log_not_copied", "error": str(error), "log_level": "warning"}]
    file.copier.reach(2 * LINES)
    assert comes(lambda: file.without_its_log() == [1])


def test_a_file_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    gone = tmp_path / "gone.sqlite3"
    lost = Copier(writing(f"sqlite:///{gone}"), "lost")
    lost.reach(0)
    with capture_logs() as said:
        lost.reach(LINES)
        lost.close()
    assert [line["event"] for line in said] == ["log_not_copied"]
    assert not gone.exists()


@pytest.mark.skipif(not can_copy(), reason="this SQLite may lose pages")
def test_nothing_is_lost_of_what_is_written_meanwhile(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copier, "LINES", 1)
    for value in range(1, 501):
        file.write(value)
        file.copier.reach(value)
    file.copier.close()
    with sqlite3.connect(file.path) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert other.execute("SELECT count(*), sum(value) FROM thing").fetchall() == [
            (500, 125_250)
        ]


@pytest.mark.parametrize(("can", "limits"), [(True, (16_000, 65_536_000)), (False, (4000, -1))])
async def test_a_service_has_it_done_where_it_can_be_and_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can: bool, limits: tuple[int, int]
) -> None:
    async def ask(_: str) -> None: ...

    def limits_of(room: Room) -> tuple[int, int]:
        with room.writing.connect() as tx:
            pages = tx.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one()
            return pages, tx.exec_driver_sql("PRAGMA journal_size_limit").scalar_one()

    monkeypatch.setattr(room, "can_copy", lambda: can)
    monkeypatch.setattr(copier, "LINES", 1)
    turns = list[Copier]()
    monkeypatch.setattr(Copier, "_copy", lambda self: turns.append(self))
    url = schema(tmp_path / "toy.sqlite3")
    made = Room(TOY, Circumstances(url, SECRET, NO_PACK, Clock(), ask))
    try:
        assert copying() is can
        for _ in range(2):
            await made.write(Work((creation(),)))
        await asyncio.sleep(0)
        assert await asyncio.to_thread(limits_of, made) == limits
    finally:
        await asyncio.to_thread(made.close)
    assert len(turns) == can
    assert not copying()

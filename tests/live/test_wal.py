"""SQLite's log is copied at every moment of a process that is killed: what it acknowledged is there, and the file is whole."""

import subprocess
import sys
from pathlib import Path

from app.settings import ROOT
from kernel import database
from tests.unit.kernel_world import schema

KILLS, WRITES = 10, 40
WRITER = """
import asyncio, sys
from kernel import wal
from kernel.room import Circumstances, Room
from kernel.writer import Work
from tests.unit.kernel_world import NO_PACK, SECRET, TOY, Clock, creation

wal.EVERY, wal.LONGEST = 1, 50

async def main(url, life):
    room = Room(TOY, Circumstances(url, SECRET, NO_PACK, Clock(), None))
    for number in range(1_000_000):
        name = f"platforms/p{life}-{number}"
        await room.settle(creation(name=name, request_id=name))
        print(name, flush=True)

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def acknowledged(url: str, life: int) -> list[str]:
    """Return what a process acknowledged until it was killed, in the middle of what it was at."""
    command = (sys.executable, "-c", WRITER, url, str(life))
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        names = [process.stdout.readline().strip() for _ in range(WRITES)]
        process.kill()
        return names + process.stdout.read().split()


def test_whatever_is_copied_when_a_process_is_killed_nothing_acknowledged_is_lost(
    tmp_path: Path,
) -> None:
    url = schema(tmp_path / "toy.sqlite3")
    names = [name for life in range(KILLS) for name in acknowledged(url, life)]
    with database.reading(url).connect() as tx:
        assert tx.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        kept = {row[0] for row in tx.exec_driver_sql("SELECT record FROM journal")}
    assert len(names) >= KILLS * WRITES
    assert set(names) <= kept

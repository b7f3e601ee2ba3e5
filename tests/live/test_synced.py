"""No answer leaves before what it acknowledges is on the disk: kill -9 does not show it, the system calls do."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from app.cluster.ports import Missing
from tests.flow.province import APPLICANT, platform
from tests.flow.separate import MAIN, Separate, addresses, until
from tests.live import engines
from tests.live.spread.size import measured

WRITES = 40
CALLS = "fdatasync,fsync,pwrite64,write,sendmsg,sendto"
CALL = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. \w+ resumed>|(?P<name>\w+)\(\d+<(?P<path>[^>]*)>)")
NAME = re.compile(r"platforms/synced-\d+")
UNSYNCED = f"""
from kernel import database
pragmas = [p.replace("synchronous=FULL", "synchronous=NORMAL") for p in database.SQLITE_PRAGMAS]
database.SQLITE_PRAGMAS = tuple(pragmas)
{MAIN}
"""
"""A service with a planted fault: it acknowledges before it syncs."""


class Seen(NamedTuple):
    """A system call that has returned. `names`: of the records that its bytes tell of."""

    name: str
    path: str
    names: frozenset[str]

    @property
    def is_answer(self) -> bool:
        return self.name in ("sendmsg", "sendto")


def seen(trace: Path) -> Iterator[Seen]:
    """Yield the calls in the order in which they returned; an answer, in the order in which it was begun."""
    begun: dict[str, Seen] = {}
    for line in trace.read_text("utf-8", errors="replace").splitlines():
        call = CALL.match(line)
        if call is None:
            continue
        if call["name"] is None:
            found = begun.pop(call["thread"], None)
        else:
            found = Seen(call["name"], call["path"], frozenset(NAME.findall(line)))
            if line.endswith("<unfinished ...>") and not found.is_answer:
                begun[call["thread"]] = found
                continue
        if found is not None:
            yield found


def demand_synced(trace: Path) -> int:
    """Return how many records were answered for, each after its bytes were synced."""
    written, synced, answered = set[str](), set[str](), set[str]()
    for call in seen(trace):
        if call.path.endswith("platforms.sqlite3-wal"):
            if call.name in ("fdatasync", "fsync"):
                synced |= written
            else:
                written |= call.names
        elif call.is_answer:
            assert call.names <= synced, f"answered before it was synced: {call.names - synced}"
            answered |= call.names
    return len(answered)


@contextmanager
def traced(folder: Path, main: str) -> Iterator[tuple[Separate, Path]]:
    """A service on SQLite whose writes, syncs and answers are written down."""
    with engines.demanded():
        if shutil.which("strace") is None:
            raise Missing(
                "no strace: apt-get install strace", "没有 strace：apt-get install strace"
            )
    service = Separate(("platforms",), folder, addresses(["platforms"]), main)
    service.start()
    trace = folder / "trace"
    command = ["strace", "-f", "-yy", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(trace)]
    tracer = subprocess.Popen([*command, "-p", str(service.pid)], stderr=subprocess.DEVNULL)
    try:
        until(trace.exists, "strace")
        yield service, trace
    finally:
        tracer.terminate()
        tracer.wait(30)
        service.stop()


def write(service: Separate) -> None:
    for number in range(WRITES):
        said = {"platform": platform(f"平台 {number}"), "platform_id": f"synced-{number}"}
        service.call("CreatePlatform", APPLICANT, **said)


def all_answered(trace: Path) -> bool:
    return len({name for call in seen(trace) if call.is_answer for name in call.names}) == WRITES


def test_every_answer_comes_after_its_sync(tmp_path: Path) -> None:
    with traced(tmp_path, MAIN) as (service, trace):
        write(service)
        until(lambda: all_answered(trace), "the trace to be written")
        assert demand_synced(trace) == WRITES
    measured("answers before their sync (strace, SQLite)", writes=WRITES, found=0)


def test_a_service_that_acknowledges_before_it_syncs_is_found(tmp_path: Path) -> None:
    with traced(tmp_path, UNSYNCED) as (service, trace):
        write(service)
        until(lambda: all_answered(trace), "the trace to be written")
        with pytest.raises(AssertionError, match="answered before it was synced"):
            demand_synced(trace)

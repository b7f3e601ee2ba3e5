"""What a process asks of the disk, and what it answers to callers, as strace sees it; and faults put in between."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from app.cluster.ports import Missing
from tests.flow.separate import until

CALLS = "fdatasync,fsync,pwrite64,pwritev,write,sendmsg"
CALL = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. \w+ resumed>|(?P<name>\w+)\(\d+<(?P<path>[^>]*)>)")
NAME = re.compile(r"platforms/synced-\d+")
FAILED = re.compile(r"= -1 E")
SQLITE, POSTGRES = "platforms.sqlite3-wal", "/pg_wal/"
INJECTED = "(INJECTED)"


class Seen(NamedTuple):
    """A system call that has returned. `names`: of the records that its bytes tell of."""

    name: str
    path: str
    names: frozenset[str]
    failed: bool = False

    @property
    def is_answer(self) -> bool:
        return self.name == "sendmsg"  # gRPC's; libpq and PostgreSQL send by `sendto`

    @property
    def is_sync(self) -> bool:
        return self.name in ("fdatasync", "fsync")


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
            yield found._replace(failed=FAILED.search(line) is not None)


def demand_synced(trace: Path, log: str = SQLITE) -> int:
    """Return how many records were answered for, each after its bytes were synced. `log`: part of its file's path."""
    written, synced, answered = set[str](), set[str](), set[str]()
    for call in seen(trace):
        if log in call.path:
            if call.failed:
                # SQLite must write all of it again; PostgreSQL's recovery syncs what it finds.
                written -= written if call.is_sync and log == SQLITE else call.names
            elif call.is_sync:
                synced |= written
            else:
                written |= call.names
        elif call.is_answer:
            assert call.names <= synced, f"answered before it was synced: {call.names - synced}"
            answered |= call.names
    return len(answered)


@contextmanager
def traced(pids: Sequence[int], trace: Path, fault: str = "") -> Iterator[None]:
    """Write down what some processes do while the block runs. `fault`: as for `strace -e inject=`. Raises Missing."""
    if shutil.which("strace") is None:
        raise Missing("no strace: apt-get install strace", "没有 strace：apt-get install strace")
    command = ["strace", "-f", "-yy", "-s", "65536", "-e", f"trace={CALLS}", "-o", str(trace)]
    if fault:
        command += ["-e", f"inject={fault}"]
    who = [part for pid in pids for part in ("-p", str(pid))]
    said = trace.with_suffix(".strace")
    with said.open("wb") as out:
        tracer = subprocess.Popen([*command, *who], stderr=out)
    try:
        until(lambda: said.read_text().count("attached") >= len(pids), "strace to be attached")
        yield
    finally:
        tracer.terminate()
        tracer.wait(30)

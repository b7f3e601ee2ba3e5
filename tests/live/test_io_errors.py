"""Each write and each sync of a change fails once, or is the process's last: what was acknowledged is there, once."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cluster.ports import Broken
from app.cluster.postgres import Postgres
from tests.flow.separate import ClientJournal, Separate, addresses, until
from tests.live import engines
from tests.live.caller import Caller
from tests.live.on_postgres import alone_on_postgres, children
from tests.live.spread.size import IO_CREATES, measured
from tests.live.syscalls import INJECTED, POSTGRES, SQLITE, demand_synced, seen, traced

FAULTS = ("error=EIO", "error=ENOSPC", "signal=KILL")


def restarted(service: Separate) -> None:
    """Start a process again that an injected signal has ended."""
    assert service.process is not None
    if service.process.poll() is not None:
        service._leave()
        service.start()


def points(trace: Path, log: str) -> list[tuple[str, int]]:
    """Return each write and sync of a change: the system call, and which of its kind."""
    found, counted = [], dict[str, int]()
    for call in seen(trace):
        if log in call.path:
            counted[call.name] = counted.get(call.name, 0) + 1
            found.append((call.name, counted[call.name]))
    return found


def fault_at(call: str, number: int, fault: str) -> str:
    return f"{call}:{fault}:when={number}"


def hit(trace: Path, fault: str) -> bool:
    text = trace.read_text("utf-8", errors="replace")
    return ("killed by SIGKILL" if fault == "signal=KILL" else INJECTED) in text


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Caller]:
    with Separate(("platforms",), tmp_path, addresses(["platforms"])) as service:
        journal = ClientJournal(tmp_path / "client.jsonl")
        caller = Caller(service, journal, lambda: restarted(service))
        caller.create(1)
        yield caller


def test_whatever_write_or_sync_fails_on_sqlite_what_was_acknowledged_is_kept(
    on_sqlite: Caller, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    with engines.demanded(), traced([on_sqlite.service.pid], trace):
        on_sqlite.create(IO_CREATES)
    where, made = points(trace, SQLITE), 0
    for fault in FAULTS:
        for call, number in where:
            with traced([on_sqlite.service.pid], trace, fault_at(call, number, fault)):
                on_sqlite.create(IO_CREATES)
                until(lambda f=fault: hit(trace, f), "the fault to be there")
            demand_synced(trace, SQLITE)
            made += 1
        on_sqlite.demand(on_sqlite.service.database())
    measured(
        "I/O errors, SQLite", faults=made, points=len(where), acknowledged=on_sqlite.number, lost=0, twice=0,
        unknown_answers=on_sqlite.unknown, answers_before_their_sync=0,
    )  # fmt: skip


def test_whatever_write_or_sync_of_postgresql_fails_what_was_acknowledged_is_kept(
    tmp_path: Path,
) -> None:
    """Its own answer to an error is to stop all of it and to recover."""
    places = [*(("pwrite64", n) for n in range(1, IO_CREATES + 2)), ("fdatasync", 1)]
    trace = tmp_path / "trace"
    with alone_on_postgres() as (service, server):
        journal = ClientJournal(tmp_path / "client.jsonl")
        caller = Caller(service, journal, lambda: recovered(server))
        for fault, (call, number) in itertools.product(FAULTS, places):
            caller.create(2)
            who = [service.pid, *children(server)]
            with engines.demanded(), traced(who, trace, fault_at(call, number, fault)):
                caller.fill(most=10 + number)
                until(lambda f=fault: hit(trace, f), "the fault to be there")
            demand_synced(trace, POSTGRES)
            caller.create(2)
            caller.demand(service.database())
    measured(
        "I/O errors, PostgreSQL", faults=len(FAULTS) * len(places), acknowledged=caller.number, lost=0, twice=0,
        unknown_answers=caller.unknown, answers_before_their_sync=0,
    )  # fmt: skip


def recovered(server: Postgres) -> None:
    """Start PostgreSQL again where it gave up, as an operator would."""
    if server.process is not None and server.process.poll() is not None:
        try:
            server.start()
        except Broken:
            return  # a child of the old one has not gone yet

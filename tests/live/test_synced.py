"""No answer leaves before what it acknowledges is on the disk: kill -9 does not show it, the system calls do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.flow.province import APPLICANT, platform
from tests.flow.separate import MAIN, Separate, addresses, until
from tests.live import engines
from tests.live.on_postgres import alone_on_postgres, children
from tests.live.spread.size import measured
from tests.live.syscalls import POSTGRES, SQLITE, demand_synced, seen, traced

WRITES = 40
UNSYNCED = f"""
from kernel import database
pragmas = [p.replace("synchronous=FULL", "synchronous=NORMAL") for p in database.SQLITE_PRAGMAS]
database.SQLITE_PRAGMAS = tuple(pragmas)
{MAIN}
"""
"""A service with a planted fault: it acknowledges before it syncs."""


def write(service: Separate) -> None:
    for number in range(WRITES):
        said = {"platform": platform(f"平台 {number}"), "platform_id": f"synced-{number}"}
        service.call("CreatePlatform", APPLICANT, **said)


def all_answered(trace: Path) -> bool:
    return len({name for call in seen(trace) if call.is_answer for name in call.names}) == WRITES


@contextmanager
def written_on_sqlite(folder: Path, main: str) -> Iterator[Path]:
    """Yield the trace of a service at work on SQLite."""
    trace = folder / "trace"
    with Separate(("platforms",), folder, addresses(["platforms"]), main) as service:
        with engines.demanded(), traced([service.pid], trace):
            write(service)
            until(lambda: all_answered(trace), "the trace to be written")
        yield trace


@contextmanager
def written_on_postgres(*options: str) -> Iterator[Path]:
    """Yield the trace of a service at work, and of its PostgreSQL."""
    with alone_on_postgres(*options) as (service, server):
        trace = service.folder / "trace"
        service.call(
            "CreatePlatform", APPLICANT, platform=platform("先")
        )  # its connections are there, and so traced
        with engines.demanded(), traced([service.pid, *children(server)], trace):
            write(service)
            until(lambda: all_answered(trace), "the trace to be written")
        yield trace


def test_every_answer_comes_after_its_sync_on_sqlite(tmp_path: Path) -> None:
    with written_on_sqlite(tmp_path, MAIN) as trace:
        assert demand_synced(trace, SQLITE) == WRITES
    measured("answers before their sync (strace, SQLite)", writes=WRITES, found=0)


def test_a_service_that_acknowledges_before_it_syncs_is_found(tmp_path: Path) -> None:
    with (
        written_on_sqlite(tmp_path, UNSYNCED) as trace,
        pytest.raises(AssertionError, match="answered before it was synced"),
    ):
        demand_synced(trace, SQLITE)


def test_every_answer_comes_after_its_sync_on_postgresql() -> None:
    with written_on_postgres() as trace:
        assert demand_synced(trace, POSTGRES) == WRITES
    measured("answers before their sync (strace, PostgreSQL)", writes=WRITES, found=0)


def test_a_postgresql_that_acknowledges_before_it_syncs_is_found() -> None:
    with (
        written_on_postgres("synchronous_commit=off") as trace,
        pytest.raises(AssertionError, match="answered before it was synced"),
    ):
        demand_synced(trace, POSTGRES)

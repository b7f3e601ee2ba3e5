"""Real engines for tests: each on free ports, in a folder of its own, gone when the test has ended."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.cluster import kafka
from app.cluster.kafka import Broker
from app.cluster.ports import Missing, free_port
from app.cluster.postgres import Postgres, _account

STRICT = os.environ.get("CI") == "true"
"""Where this is so, a missing engine is a failure: a lane that did not run has shown nothing."""


MAY_SKIP = Path(__file__).with_name("may_skip.txt")


def may_skip() -> set[str]:
    """Return the names of the tests that may be left out everywhere."""
    lines = MAY_SKIP.read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


@contextmanager
def folder() -> Iterator[Path]:
    """A folder under the system's temporary one that other accounts can enter: PostgreSQL may not run as root."""
    made = Path(tempfile.mkdtemp(prefix="luoshu-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def demanded() -> Iterator[None]:
    """Where an engine is missing: fail in CI, skip elsewhere; one that breaks fails everywhere."""
    try:
        yield
    except Missing as missing:
        if STRICT:
            pytest.fail(f"engine missing: {missing}", pytrace=False)
        pytest.skip(f"engine missing: {missing}")


@contextmanager
def a_postgres(
    *options: str, home: Path | None = None, before: Callable[[Postgres], None] | None = None
) -> Iterator[Postgres]:
    """A PostgreSQL with nothing in it, or what `before` its start puts there.

    `options`: as for `postgres -c`; `home`: where it keeps its data.
    """
    with folder() as made:
        server = Postgres((home or made) / "postgres", free_port(), options)
        if before is not None:
            before(server)
        try:
            with demanded():
                server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def some_brokers(count: int = 1) -> Iterator[list[Broker]]:
    """A Kafka of so many nodes, without topics."""
    with folder() as home:
        nodes = kafka.brokers(home, count)
        try:
            with demanded():
                kafka.start(nodes)
            yield nodes
        finally:
            kafka.stop(nodes)


def folder_owner() -> tuple[int, int]:
    """Return user and group that PostgreSQL's files belong to here."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    account = _account()
    return account.pw_uid, account.pw_gid


def new_database(server: Postgres, name: str) -> str:
    """Return the address of a new, empty database whose name begins so."""
    whole = f"{name}_{uuid.uuid4().hex[:8]}"
    server.create(whole)
    return server.url(whole)

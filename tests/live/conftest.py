"""Tests with real engines: one PostgreSQL and one Kafka broker a session, started when the first test asks."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop

from app.cluster.kafka import Broker
from app.cluster.postgres import Postgres
from tests.live import engines
from tests.live.engines import STRICT

HERE = Path(__file__).parent
SECONDS = 60.0  # until a story gives up; the machine may be busy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("live")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Where engines are demanded a test that is left out fails, unless the list names it."""
    report: Any = yield
    if STRICT and report.skipped and item.name not in engines.may_skip():
        report.outcome, report.longrepr = "failed", f"left out: {report.longrepr[2]}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud what was left out; a skip is easily overlooked."""
    skipped = terminalreporter.stats.get("skipped", ())
    reasons = [r.longrepr[2] for r in skipped if isinstance(r.longrepr, tuple)]
    for reason, count in Counter(reasons).items():
        told = f"LIVE TESTS LEFT OUT · 未运行的测试 ({count}): {reason}"
        terminalreporter.write_line(told, red=True, bold=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The session's PostgreSQL; take a database of your own from `database`."""
    with engines.a_postgres("max_connections=300") as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Callable[[str], str]:
    """Makes a new, empty database whose name begins so, and returns its address."""
    return partial(engines.new_database, postgres)


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """The session's Kafka; whoever kills it, or needs topics of the real names, takes `engines.some_brokers()`."""
    with engines.some_brokers() as nodes:
        yield nodes[0]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Plays a story in a loop of each kind."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield lambda story: runner.run(asyncio.wait_for(story, SECONDS))

"""All services in one process, with a broker that goes away: nobody waits for it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.catalogue import JOURNALS, NAMES
from app.cluster.kafka import Broker
from kernel import kafka
from tests.flow.separate import until
from tests.live import engines
from tests.live.spread.size import measured
from tests.live.spread.spread import SERVICES
from tests.running import MovableClock, Running
from tests.service.registry_suite import SAMPLES, furnish

SECONDS = 15.0  # longer than a relay waits for its acknowledgements
PROMPT = 3.0  # seconds that a call may take on a busy machine; a relay holds its thread for more than twice as long


@pytest.fixture
def node() -> Iterator[Broker]:
    with engines.some_brokers() as (node,):
        kafka.make_topics(node.address, list(JOURNALS))
        yield node


@pytest.fixture
def process(node: Broker, tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path, NAMES, MovableClock(), {"LUOSHU_KAFKA": node.address}).start()
    furnish(running)
    yield running
    running.stop()


def is_relayed(process: Running) -> bool:
    asked = "SELECT position FROM consumer_cursor WHERE source = ?"
    return all(process.rows(s, asked, s) == [(process.head(s),)] for s in SERVICES)


def test_no_call_of_any_service_waits_for_a_broker_that_is_away(
    process: Running, node: Broker
) -> None:
    until(lambda: is_relayed(process), "the first events to be relayed")
    node.kill()
    longest, calls, end = 0.0, 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        for sample in SAMPLES:
            for ask in (sample.create, sample.page):
                began = time.monotonic()
                ask(process)
                longest, calls = max(longest, time.monotonic() - began), calls + 1
    assert longest < PROMPT
    assert not is_relayed(process)
    node.start()
    until(lambda: is_relayed(process), "all to be relayed")
    measured(
        "calls while the broker is away, one process",
        calls=calls,
        longest_seconds=round(longest, 2),
    )

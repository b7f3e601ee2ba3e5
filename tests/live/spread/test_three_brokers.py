"""Of three brokers one is killed, paused or stopped, again and again: the two others go on without it."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient

from app.cluster.kafka import Broker
from tests.flow.separate import ClientJournal, until
from tests.live.spread.load import Code, Load
from tests.live.spread.size import THREE, measured
from tests.live.spread.spread import Spread, spread

PAUSE = 8.0  # seconds; a broker is missed after 3
STALL = 30.0  # seconds that events may lie before they are relayed


@pytest.fixture
def on_three() -> Iterator[Spread]:
    if not THREE:
        pytest.skip("in the long version only: make soak")
    with spread(brokers=3) as province:
        yield province


@contextmanager
def killed(node: Broker) -> Iterator[None]:
    node.kill()
    yield
    node.start()


@contextmanager
def stopped(node: Broker) -> Iterator[None]:
    node.stop()
    yield
    node.start()


@contextmanager
def paused(node: Broker) -> Iterator[None]:
    assert node.process is not None
    node.process.send_signal(signal.SIGSTOP)
    time.sleep(PAUSE)
    yield
    node.process.send_signal(signal.SIGCONT)


FAULTS = [killed] * THREE + [paused] * max(1, THREE * 3 // 10) + [stopped] * 3


def stall(province: Spread) -> float:
    """Return how many seconds it takes until what is written now is relayed."""
    head, began = province.head("platforms"), time.monotonic()
    until(lambda: province.cursor("platforms", "platforms") >= head, "the relay to go on", 120)
    return time.monotonic() - began


def suffered(province: Spread, fault: Any, number: int) -> float:
    """Return the stall; afterwards every broker has every copy again, and another may go."""
    with fault(province.nodes[number]):
        seconds = stall(province)
    in_step(province)
    return seconds


async def test_two_brokers_of_three_go_on_without_the_third(
    on_three: Spread, tmp_path: Path
) -> None:
    load = Load([on_three["platforms"].address], ClientJournal(tmp_path / "client.jsonl"), pace=0.1)
    stalls = []
    async with load.running():
        for number, fault in enumerate(FAULTS):
            stalls.append(await asyncio.to_thread(suffered, on_three, fault, number % 3))
            await load.more(50)
    await asyncio.to_thread(on_three.drained)
    found = await asyncio.to_thread(on_three.demand_all)
    load.demand(found["platforms"].lines)
    assert set(load.codes) == {Code.OK, Code.INVALID_ARGUMENT}, load.codes
    assert max(stalls) <= STALL
    measured(
        "three brokers", kills=THREE, pauses=FAULTS.count(paused), stops=FAULTS.count(stopped),
        acknowledged=len(load.acknowledged), lost=0, longest_stall_seconds=round(max(stalls), 1),
    )  # fmt: skip


def in_step(province: Spread) -> None:
    """Wait until every broker has every copy."""

    def all_in_step() -> bool:
        admin = KafkaAdminClient(bootstrap_servers=[node.address for node in province.nodes])
        try:
            told = admin.describe_topics([f"luoshu.{name}.v1" for name in province.sources])
        finally:
            admin.close()
        return all(len(part["isr_nodes"]) == 3 for topic in told for part in topic["partitions"])

    until(all_in_step, "all three in step")

"""Planted faults that only the engines show: each is put into a service, or its consumer, and found.

`synchronous=NORMAL` and its like are in test_synced.py.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import OffsetOutOfRangeError

from app.catalogue import JOURNALS
from app.cluster.kafka import Broker
from kernel import kafka
from kernel.cloudevents import topic_of
from kernel.kafka import KafkaPublisher, Topic
from services.platforms.store import PLATFORMS
from tests import invariants
from tests.bus_suite import entries
from tests.flow.separate import MAIN, ClientJournal, Separate, addresses, until
from tests.live import engines
from tests.live.caller import Caller
from tests.live.spread.topic import demand_topic

HASTY = f"""
from kernel.relay import RelaySink
def apply(self, source, entries):
    self._move(source, entries[-1].position)
    self._publisher.publish(source, entries)
RelaySink.apply = apply
{MAIN}
"""
"""A service with a planted fault: its relay moves its cursor before the broker has acknowledged."""
COUNT = 10


@contextmanager
def relaying(folder: Path, main: str) -> Iterator[tuple[Caller, Broker]]:
    """A service whose relay was killed while the broker was away, and both are back."""
    with engines.some_brokers() as (node,):
        kafka.make_topics(node.address, list(JOURNALS))
        settings = {**addresses(["platforms"]), "LUOSHU_KAFKA": node.address}
        with Separate(("platforms",), folder, settings, main) as service:
            caller = Caller(service, ClientJournal(folder / "client.jsonl"))
            caller.create(1)
            until(lambda: relayed(service) == written(service), "the first to be relayed")
            node.kill()
            caller.create(COUNT)
            time.sleep(1)
            service.kill()
            node.start()
            service.start()
            until(lambda: relayed(service) == written(service), "the relay to be through")
            yield caller, node


def relayed(service: Separate) -> int:
    found = service.rows("SELECT position FROM consumer_cursor WHERE source = 'platforms'")
    return int(found[0][0]) if found else 0


def written(service: Separate) -> int:
    return int(service.rows("SELECT position FROM journal_head")[0][0])


def demand_told(caller: Caller, node: Broker) -> None:
    lines = invariants.demand_sound(caller.service.database(), PLATFORMS).lines
    demand_topic(node.address, "platforms", lines)


def test_a_relay_killed_while_the_broker_is_away_tells_everything_afterwards(
    tmp_path: Path,
) -> None:
    with relaying(tmp_path, MAIN) as (caller, node):
        demand_told(caller, node)


def test_a_relay_that_moves_before_the_acknowledgement_is_found(tmp_path: Path) -> None:
    with (
        relaying(tmp_path, HASTY) as (caller, node),
        pytest.raises(AssertionError, match=r"follows|the topic ends"),
    ):
        demand_told(caller, node)


# What a consumer is configured with.


@pytest.fixture
def source(broker: Broker) -> str:
    name = f"test-{uuid.uuid4().hex[:8]}"
    kafka.make_topics(broker.address, [name])
    KafkaPublisher(broker.address).publish(name, entries(name, 1, COUNT))
    return name


def planted(monkeypatch: pytest.MonkeyPatch, **wrong: Any) -> None:
    """Let every consumer be made with wrong settings."""

    def made(**settings: Any) -> Any:
        return KafkaConsumer(**{**settings, **wrong})

    monkeypatch.setattr(kafka, "KafkaConsumer", made)


def told_after_a_deletion(broker: Broker, source: str) -> None:
    """Read a topic from where its messages have been deleted. Raises OffsetOutOfRangeError."""
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.delete_records({TopicPartition(topic_of(source), 0): COUNT - 2})
    admin.close()
    topic = Topic(broker.address, source)
    topic.open()
    topic._consumer.seek(topic._partition, 2)
    end = time.monotonic() + 5
    try:
        while time.monotonic() < end:
            topic.poll()
    finally:
        topic.close()


def test_a_consumer_whose_messages_were_deleted_is_told_so(broker: Broker, source: str) -> None:
    with pytest.raises(OffsetOutOfRangeError):
        told_after_a_deletion(broker, source)


def test_a_consumer_that_resets_to_the_latest_is_found(
    broker: Broker, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(monkeypatch, auto_offset_reset="latest")
    told_after_a_deletion(broker, source)  # and nobody was told


def groups_after_reading(broker: Broker, source: str) -> set[str]:
    """Return the groups for which the broker keeps offsets after a topic was read."""
    topic = Topic(broker.address, source)
    topic.open_after(0)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        topic.poll()
    topic.close()
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    found = {group["group_id"] for group in admin.list_groups()}
    admin.close()
    return found


def test_the_broker_keeps_no_offsets_of_a_consumer(broker: Broker, source: str) -> None:
    assert not any(source in group for group in groups_after_reading(broker, source))


def test_a_consumer_that_commits_by_itself_is_found(
    broker: Broker, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = f"group-{source}"
    planted(monkeypatch, group_id=own, enable_auto_commit=True, auto_commit_interval_ms=200)
    assert own in groups_after_reading(broker, source)

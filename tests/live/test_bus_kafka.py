"""Kafka does what every bus must."""

import time
from dataclasses import dataclass
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from app.cluster.kafka import Broker
from app.cluster.ports import free_port
from kernel import kafka
from kernel.cloudevents import Message, topic_of
from kernel.consumer import Journal
from kernel.relay import RelaySink
from kernel.store import Store
from tests.bus_suite import BusContract, entries, publish, relay, source

__all__ = ["publish", "relay", "source"]


@dataclass(frozen=True)
class KafkaBus:
    """A broker as the suite sees it. Its topics are read without the kernel's code."""

    address: str

    def publisher(self) -> kafka.KafkaPublisher:
        return kafka.KafkaPublisher(self.address)

    def journal(self, source: str) -> Journal:
        return kafka.journal_of(self.address, source)

    def remake(self, source: str) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.address)
        if topic_of(source) in admin.list_topics():
            admin.delete_topics([topic_of(source)])
        admin.close()
        while not kafka.make_topics(self.address, [source]):  # a deleted topic takes its time
            time.sleep(0.1)

    def messages(self, source: str) -> list[Message]:
        consumer: Any = KafkaConsumer(
            bootstrap_servers=self.address, enable_auto_commit=False, auto_offset_reset="none"
        )
        partition = TopicPartition(topic_of(source), 0)
        consumer.assign([partition])
        end = consumer.end_offsets([partition])[partition]
        consumer.seek(partition, 0)
        found: list[Message] = []
        while len(found) < end:
            records = [r for batch in consumer.poll(300).values() for r in batch]
            found += [Message(r.key, r.value, list(r.headers)) for r in records]
        consumer.close()
        return found


@pytest.fixture
def bus(broker: Broker) -> KafkaBus:
    return KafkaBus(broker.address)


class TestKafka(BusContract):
    pass


def test_a_topic_is_made_once_with_one_partition_that_keeps_everything(bus: KafkaBus) -> None:
    assert kafka.make_topics(bus.address, ["kept"]) == ["luoshu.kept.v1"]
    assert kafka.make_topics(bus.address, ["kept"]) == []
    consumer: Any = KafkaConsumer(bootstrap_servers=bus.address)
    assert consumer.partitions_for_topic("luoshu.kept.v1") == {0}
    consumer.close()


def test_progress_stands_still_while_no_broker_answers(
    relay: RelaySink, source: str, broker: Broker
) -> None:
    nowhere = kafka.KafkaPublisher(f"127.0.0.1:{free_port()}")
    store: Store = relay._store
    cut_off = RelaySink(store, relay._engine, nowhere, store.service.name)
    began = time.monotonic()
    with pytest.raises(Exception, match="bootstrap"):
        cut_off.apply(source, entries(source, 1, 3))
    assert time.monotonic() - began < 10
    assert relay.cursors() == {}
    relay.apply(source, entries(source, 1, 3))
    assert list(relay.cursors().values()) == [3]

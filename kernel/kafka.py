"""The bus on Apache Kafka, or any broker that speaks its protocol: the only module that knows kafka-python."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from kernel.cloudevents import entry_of, message_of, topic_of
from luoshu.journal.v1.journal_pb2 import JournalEntry

PATIENCE = 5_000  # ms that a broker has to answer when one connects
DELIVERY = 15_000  # ms until an unacknowledged message is an error
WAIT = 300  # ms that a fetch waits for more
MOST = 2_000  # messages a poll
FOR_EVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}


class KafkaPublisher:
    """Sends entries in order, and returns when the broker has acknowledged all of them. Used by one thread at a time."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: Any = None

    def publish(self, source: str, entries: Sequence[JournalEntry]) -> None:
        """Raise whatever went wrong; then nothing is known of the entries, and the next call has a new producer."""
        try:
            producer = self._producer = self._producer or self._connected()
            sent = [self._send(producer, source, entry) for entry in entries]
            producer.flush(timeout=DELIVERY / 1000)
            for future in sent:
                future.get(timeout=DELIVERY / 1000)
        except BaseException:
            self.close()
            raise

    def _connected(self) -> Any:
        return KafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            batch_size=256 * 1024,
            max_block_ms=PATIENCE,
            delivery_timeout_ms=DELIVERY,
            request_timeout_ms=DELIVERY // 2,
            bootstrap_timeout_ms=PATIENCE,
        )

    @staticmethod
    def _send(producer: Any, source: str, entry: JournalEntry) -> Any:
        key, value, headers = message_of(entry)
        return producer.send(topic_of(source), key=key, value=value, headers=headers, partition=0)

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=1)


async def journal(bootstrap: str, source: str, after: int) -> AsyncIterator[list[JournalEntry]]:
    """Tell a source's topic from a position on, for ever.

    Positions are dense and sent in order, so the first of position p lies at offset p - 1 or later: starting at offset `after`
    misses nothing, and repeats are passed over by their positions. A topic that is shorter than that was lost and made anew:
    it is read from its beginning.
    """
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix=f"{source}-topic") as thread:
        consumer = await loop.run_in_executor(thread, _subscribed, bootstrap, source, after)
        try:
            while True:
                yield await loop.run_in_executor(thread, _polled, consumer, source)
        finally:
            thread.submit(consumer.close)


def _subscribed(bootstrap: str, source: str, after: int) -> Any:
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        allow_auto_create_topics=False,
        fetch_max_wait_ms=WAIT,
        max_poll_records=MOST,
        bootstrap_timeout_ms=PATIENCE,
        request_timeout_ms=DELIVERY,
    )
    partition = TopicPartition(topic_of(source), 0)
    consumer.assign([partition])
    end = consumer.end_offsets([partition])[partition]
    consumer.seek(partition, after if after <= end else 0)
    return consumer


def _polled(consumer: Any, source: str) -> list[JournalEntry]:
    records = consumer.poll(timeout_ms=WAIT)
    return [entry_of(source, r.value, r.headers) for batch in records.values() for r in batch]


def make_topics(bootstrap: str, services: Sequence[str], *, brokers: int = 1) -> list[str]:
    """Make the topics that are not there yet, and return their names. Three brokers keep three copies, two of them in step."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=PATIENCE)
    try:
        there = set(admin.list_topics())
        missing = [topic_of(service) for service in services if topic_of(service) not in there]
        copies = min(3, brokers)
        configs = {**FOR_EVER, "min.insync.replicas": str(max(1, copies - 1))}
        for topic in missing:
            try:
                admin.create_topics([NewTopic(topic, 1, copies, topic_configs=configs)])
            except TopicAlreadyExistsError:
                continue
        return missing
    finally:
        admin.close()


def journal_of(bootstrap: str, source: str) -> Any:
    """Return a source's topic as what a follower reads."""
    return partial(journal, bootstrap, source)

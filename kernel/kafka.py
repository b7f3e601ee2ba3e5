"""The bus on Apache Kafka, or any broker that speaks its protocol: the only module that knows kafka-python."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket
from kafka.net.selector import NetworkSelector

from kernel.cloudevents import entry_of, message_of, topic_of
from kernel.errors import Stopping
from kernel.relay import Lost
from kernel.turns import Journal, Take
from luoshu.journal.v1.journal_pb2 import JournalEntry

PATIENCE = 5_000  # ms that a broker has to answer when one connects
DELIVERY = 10_000  # ms until an unacknowledged message is an error
WAIT = 1_000  # ms that a fetch waits for the next message
MOST = 2_000  # messages a poll
FOR_EVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}


class _Direct(KafkaNetSocket):  # type: ignore[misc]
    """The way to a broker without a proxy. What cannot connect is closed: the library leaves it to Python's collector, which
    comes to a process that has little to do when that has no descriptors left.
    """

    SCHEMES = ("direct",)

    async def sock_connect(self, net: Any, sock: Any, *to: Any, **until: Any) -> Any:
        try:
            return await super().sock_connect(net, sock, *to, **until)
        except BaseException:
            sock.close()
            raise


CLIENT = {
    "proxy_url": "direct://",
    "bootstrap_timeout_ms": PATIENCE,
    "reconnect_backoff_ms": 50,
    # kafka-python's own 30 s would outlast a broker's restart by as much.
    "reconnect_backoff_max_ms": 1_000,
}


class KafkaPublisher:
    """Sends entries in order, and returns when the broker has acknowledged all of them. Used by one thread at a time."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: Any = None
        self._ends: dict[str, int] = {}  # source → offset after the last acknowledged message
        self._left = False

    def publish(self, source: str, entries: Sequence[JournalEntry]) -> None:
        """Raise whatever went wrong; then nothing is known of the entries, and the next call has a new producer.

        Raises:
            Lost: the topic lacks what it acknowledged before.
            Stopping: `leave` was called.
        """
        try:
            self._demand_here()
            if source not in self._ends:
                self._ends[source] = self._end(source, entries[0].position)
                self._demand_here()
            producer = self._producer = self._producer or self._connected()
            self._demand_here()
            sent = [self._send(producer, source, entry) for entry in entries]
            offsets = [future.get(timeout=DELIVERY / 1000).offset for future in sent]
            self._ends[source] = self._checked(source, offsets)
        except BaseException:
            self.close()
            raise

    def _demand_here(self) -> None:
        if self._left:
            raise Stopping.now()

    def _end(self, source: str, first: int) -> int:
        """Return where the topic ends. Raises Lost: what goes before the first position to be sent is not in it."""
        with _reading(self._bootstrap, source) as topic:
            end = topic.end()
            held = topic.position_at(end - 1) if end else 0
        if held is None:  # kept for a time only, and it is over
            return end
        # Position p is never before offset p - 1: a shorter topic was made anew, and lacks its beginning.
        held = held if end >= held else 0
        if first > held + 1:
            raise Lost(source, held)
        return end

    def _checked(self, source: str, offsets: Sequence[int]) -> int:
        """Return where the topic ends. Raises Lost: what was just acknowledged lies where an earlier message was.

        `offsets`: of the messages; -1 where the broker had the message already and does not tell where.
        """
        end = self._ends[source]
        told = [offset for offset in offsets if offset >= 0]
        first = min(told, default=end)
        if first >= end:
            return max((end, *(offset + 1 for offset in told)))
        with _reading(self._bootstrap, source) as topic:
            raise Lost(source, topic.position_at(first - 1) or 0 if first else 0)

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
            metrics_enabled=False,
            **CLIENT,
        )

    @staticmethod
    def _send(producer: Any, source: str, entry: JournalEntry) -> Any:
        key, value, headers = message_of(entry)
        return producer.send(topic_of(source), key=key, value=value, headers=headers, partition=0)

    def leave(self) -> None:
        """Close, for good: who waits for an acknowledgement is told that nothing is known; who connects leaves in PATIENCE."""
        self._left = True
        self.close()

    def close(self) -> None:
        """Drop what is not acknowledged yet: it is sent again, by a new producer."""
        producer, self._producer = self._producer, None
        self._ends.clear()
        if producer is not None:
            # Its own `close` raises while messages are unacknowledged, and leaves the sending thread at work for ever.
            producer._sender.force_close()  # noqa: SLF001
            with contextlib.suppress(Exception):
                producer.close(timeout=1)


class _Alone(NetworkSelector):  # type: ignore[misc]
    """The client's loop, run by whoever polls: a thread of its own costs two changes of threads a message, and their signals."""

    def start(self) -> None:
        pass

    def wakeup(self) -> None:
        pass


class Topic:
    """A source's topic, read by hand: no group, no offsets kept by the broker. Used by one thread at a time."""

    def __init__(self, bootstrap: str, source: str) -> None:
        self._bootstrap, self._source = bootstrap, source
        self._partition = TopicPartition(topic_of(source), 0)
        self._client: Any = None
        self._consumer: Any = None

    def open(self) -> None:
        self._consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            fetch_max_wait_ms=WAIT,
            max_poll_records=MOST,
            request_timeout_ms=DELIVERY,
            metrics_enabled=False,
            kafka_client=self._alone,
            **CLIENT,
        )
        self._consumer.assign([self._partition])

    def _alone(self, **settings: Any) -> KafkaNetClient:
        """Return the consumer's client, and remember it: a consumer that cannot be made leaves its own open."""
        self._client = KafkaNetClient(net=_Alone(**settings), **settings)
        return self._client

    def open_after(self, position: int) -> None:
        """Stand where everything above a position is still to come.

        The first message of position p lies at offset p - 1 or later, and what is told grows by one at most: so behind a
        message at or below the position nothing is missed. Behind a higher one the topic was made anew: from its beginning.
        """
        self.open()
        begin, end = self.begin(), self.end()
        offset = min(position, end)
        if offset > begin and (self.position_at(offset - 1) or 0) > position:
            offset = begin
        self._consumer.seek(self._partition, max(offset, begin))

    def begin(self) -> int:
        return int(self._consumer.beginning_offsets([self._partition])[self._partition])

    def end(self) -> int:
        return int(self._consumer.end_offsets([self._partition])[self._partition])

    def position_at(self, offset: int) -> int | None:
        """Return the position that the message at an offset tells; None: there is none any more."""
        if offset < self.begin():
            return None
        self._consumer.seek(self._partition, offset)
        limit = time.monotonic() + PATIENCE / 1000
        while not (entries := self.poll(most=1)):
            if time.monotonic() > limit:
                raise TimeoutError(f"{topic_of(self._source)}: no message at {offset}")
        return entries[0].position

    def poll(self, most: int = MOST) -> list[JournalEntry]:
        """Return what came within a moment; nothing while the broker is away."""
        told = self._consumer.poll(timeout_ms=WAIT, max_records=most)
        return [
            entry_of(self._source, r.value, r.headers) for batch in told.values() for r in batch
        ]

    def close(self) -> None:
        opened = self._consumer or self._client
        if opened is not None:
            opened.close()


@contextmanager
def _reading(bootstrap: str, source: str) -> Iterator[Topic]:
    topic = Topic(bootstrap, source)
    try:
        topic.open()
        yield topic
    finally:
        topic.close()


def messages(bootstrap: str, source: str) -> int:
    """Return how many messages a source's topic holds."""
    with _reading(bootstrap, source) as topic:
        return topic.end() - topic.begin()


def told_until(bootstrap: str, source: str, after: int, last: int) -> Iterator[list[JournalEntry]]:
    """Tell a source's topic above a position, until one is reached or nothing more comes."""
    topic = Topic(bootstrap, source)
    try:
        topic.open_after(after)
        limit = time.monotonic() + DELIVERY / 1000
        while after < last and time.monotonic() < limit:
            if entries := topic.poll():
                yield entries
                after = max(after, *(entry.position for entry in entries))
                limit = time.monotonic() + DELIVERY / 1000
    finally:
        topic.close()


async def journal(bootstrap: str, source: str, after: int, take: Take) -> AsyncGenerator[int, None]:
    """Have a source's topic taken from a position on, for ever, by the thread that reads it: to hand a message on to another
    would take as long again as to read it.
    """
    loop, topic = asyncio.get_running_loop(), Topic(bootstrap, source)
    thread = ThreadPoolExecutor(1, thread_name_prefix=f"{source}-topic")
    try:
        await loop.run_in_executor(thread, topic.open_after, after)
        while True:
            yield await loop.run_in_executor(thread, _taken, topic, take)
    finally:
        thread.submit(topic.close)
        thread.shutdown(wait=False)  # the loop does not wait for a broker that is away


def _taken(topic: Topic, take: Take) -> int:
    entries = topic.poll()
    take(entries)
    return len(entries)


def journal_of(bootstrap: str, source: str) -> Journal:
    """Return a source's topic as what a follower reads."""
    return partial(journal, bootstrap, source)


def make_topics(bootstrap: str, services: Sequence[str], *, brokers: int = 1) -> list[str]:
    """Make the topics that are not there yet, and return their names. Three brokers keep three copies, two of them in step."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap, **CLIENT)
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

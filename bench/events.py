"""From the answer to the effect, through Kafka, beside the bare way of kafka-python; and how fast a consumer reads again."""

import contextlib
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import sqlalchemy as sa
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from app.cluster import plan
from app.cluster.supervisor import Cluster
from bench.results import Line, at_least, at_most
from bench.rows import platform
from bench.serving import APPLICANT
from kernel import database
from kernel.cloudevents import topic_of
from kernel.kafka import Topic
from luoshu.platforms.v1 import platforms_pb2 as pb
from luoshu.platforms.v1 import platforms_pb2_grpc

COUNT, ROUNDS, REPLAYED = 150, 5, 30_000
READERS = {"audit": "cursor", "reports": "consumer_cursor"}
SOURCE = "platforms"


def lines() -> Iterator[Line]:
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        Path(folder).chmod(0o755)
        cluster = Cluster(plan.make(Path(folder) / "cluster", usual=False))
        cluster.up()
        try:
            yield from _effects(cluster)
            yield _replayed(cluster.plan.bootstrap)
        finally:
            cluster.down()


def _effects(cluster: Cluster) -> Iterator[Line]:
    address, brokers = cluster.plan.address(SOURCE), cluster.plan.bootstrap
    with grpc.insecure_channel(address) as channel:
        stub = platforms_pb2_grpc.PlatformServiceStub(channel)
        watched = {
            name: _Cursor(cluster.plan.database(name), table) for name, table in READERS.items()
        }
        bare, found = list[float](), {name: list[float]() for name in READERS}
        for _ in range(ROUNDS):
            bare += _bare(brokers, COUNT // ROUNDS)
            for _ in range(COUNT // ROUNDS):
                for name, seconds in _effect(stub, watched).items():
                    found[name].append(seconds)
        loaded = _under_load(stub, watched, address)
    for name, seconds in found.items():
        ratio = statistics.median(seconds) / statistics.median(bare)
        yield at_most(
            f"answer to effect in {name}, p50, against bare produce-to-consume", ratio, 3,
            f"{_ms(seconds, 0.5)} ms against {_ms(bare, 0.5)} ms; p99 {_ms(seconds, 0.99)} ms against {_ms(bare, 0.99)} ms",
        )  # fmt: skip
    for name, seconds in loaded.items():
        yield at_most(
            f"answer to effect in {name}, p99 under load", float(_ms(seconds, 0.99)), 100, "", " ms"
        )


def _ms(seconds: list[float], share: float) -> str:
    ordered = sorted(seconds)
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000:.1f}"


class _Cursor:
    """How far a reader is, looked at all the time in a thread of its own."""

    def __init__(self, url: str, table: str) -> None:
        self._engine = database.reading(url)
        self._asked = sa.text(f"SELECT position FROM {table} WHERE source = '{SOURCE}'")
        self.times: dict[int, float] = {}
        self._at = 0
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        with self._engine.connect() as tx:
            while True:
                at, now = tx.execute(self._asked).scalar() or 0, time.perf_counter()
                for position in range(self._at + 1, at + 1):
                    self.times[position] = now
                self._at = max(self._at, at)
                time.sleep(0.0005)

    def seen(self, position: int) -> float:
        """Return when it had a position. Raises TimeoutError."""
        limit = time.monotonic() + 20
        while position not in self.times:
            if time.monotonic() > limit:
                raise TimeoutError(position)
            time.sleep(0.0005)
        return self.times[position]


def _create(stub: Any) -> tuple[int, float]:
    """Return the position of a new platform, and when the answer came."""
    made = stub.CreatePlatform(pb.CreatePlatformRequest(platform=platform(1)), metadata=APPLICANT)
    answered = time.perf_counter()
    event = next(
        iter(
            stub.WatchPlatforms(
                pb.WatchPlatformsRequest(name=made.name), metadata=APPLICANT, timeout=10
            )
        )
    )
    return event.change.position, answered


def _effect(stub: Any, watched: dict[str, _Cursor]) -> dict[str, float]:
    position, answered = _create(stub)
    return {name: max(0.0, cursor.seen(position) - answered) for name, cursor in watched.items()}


def _under_load(stub: Any, watched: dict[str, _Cursor], address: str) -> dict[str, list[float]]:
    """The same while four callers write without a pause, which is about half of what the cluster can do here."""
    stopped, found = threading.Event(), {name: list[float]() for name in watched}

    def write() -> None:
        with grpc.insecure_channel(address) as channel:
            other = platforms_pb2_grpc.PlatformServiceStub(channel)
            while not stopped.is_set():
                request = pb.CreatePlatformRequest(
                    platform=platform(1), request_id=uuid.uuid4().hex
                )
                other.CreatePlatform(request, metadata=APPLICANT)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(COUNT):
            for name, seconds in _effect(stub, watched).items():
                found[name].append(seconds)
    finally:
        stopped.set()
        for writer in writers:
            writer.join()
    return found


def _bare(brokers: str, count: int) -> list[float]:
    """Send single messages as the relay's producer does, and read them as the consumers do: seconds from sending to reading."""
    with _topic(brokers) as (topic, producer, consumer):
        found = []
        for _ in range(count + 5):
            began = time.perf_counter()
            producer.send(topic, b"x" * 900).get(10)
            while not consumer.poll(timeout_ms=300):
                pass
            found.append(time.perf_counter() - began)
        return found[5:]


@contextlib.contextmanager
def _topic(brokers: str) -> Iterator[tuple[str, Any, Any]]:
    """A topic of its own with a producer, and a consumer at its beginning."""
    name = f"bench.{uuid.uuid4().hex}"
    admin = KafkaAdminClient(bootstrap_servers=brokers)
    admin.create_topics([NewTopic(name, 1, 1)])
    admin.close()
    producer: Any = KafkaProducer(
        bootstrap_servers=brokers, acks="all", enable_idempotence=True, linger_ms=0
    )
    consumer = _reader(brokers, name)
    try:
        yield name, producer, consumer
    finally:
        producer.close()
        consumer.close()


def _reader(brokers: str, topic: str, offset: int = 0) -> Any:
    consumer: Any = KafkaConsumer(
        bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="none",
        fetch_max_wait_ms=300, max_poll_records=2000,
    )  # fmt: skip
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek(partition, offset)
    return consumer


def _replayed(brokers: str) -> Line:
    """Read a topic again, as a consumer of ours does and with kafka-python alone."""
    count = _lengthened(brokers)
    rounds = [
        (_rate(lambda: _ours(brokers, count), count), _rate(lambda: _alone(brokers, count), count))
        for _ in range(ROUNDS)
    ]
    ratio = statistics.median(ours / alone for ours, alone in rounds)
    ours, alone = (statistics.median(column) for column in zip(*rounds, strict=True))
    return at_least(
        "consumer replay against bare kafka-python",
        ratio,
        0.3,
        f"{ours:,.0f} against {alone:,.0f} messages/s, {count:,} messages",
    )


def _lengthened(brokers: str) -> int:
    """Repeat the topic's last message until there are enough to read: repeats are legal. Return how many there are."""
    topic = Topic(brokers, SOURCE)
    topic.open()
    end = topic.end()
    topic.close()
    name = topic_of(SOURCE)
    consumer = _reader(brokers, name, end - 1)
    last = None
    while last is None:
        for records in consumer.poll(300).values():
            last = records[0]
    consumer.close()
    producer: Any = KafkaProducer(bootstrap_servers=brokers, acks="all")
    for _ in range(max(0, REPLAYED - end)):
        producer.send(name, key=last.key, value=last.value, headers=list(last.headers))
    producer.flush()
    producer.close()
    return max(REPLAYED, end)


def _rate(read: Callable[[], None], count: int) -> float:
    began = time.perf_counter()
    read()
    return count / (time.perf_counter() - began)


def _ours(brokers: str, count: int) -> None:
    topic = Topic(brokers, SOURCE)
    topic.open_after(0)
    got = 0
    while got < count:
        got += len(topic.poll())
    topic.close()


def _alone(brokers: str, count: int) -> None:
    consumer = _reader(brokers, topic_of(SOURCE))
    got = 0
    while got < count:
        got += sum(map(len, consumer.poll(timeout_ms=300).values()))
    consumer.close()

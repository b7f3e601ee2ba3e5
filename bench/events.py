"""From the answer to the effect, through Kafka, beside the bare way of kafka-python; and how fast a consumer reads again."""

import contextlib
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import psycopg
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from app.cluster import plan
from app.cluster.supervisor import Cluster
from bench.results import Line, at_least, at_most
from bench.rows import platform
from bench.serving import APPLICANT
from kernel.cloudevents import topic_of
from kernel.kafka import Topic
from luoshu.platforms.v1 import platforms_pb2 as pb
from luoshu.platforms.v1 import platforms_pb2_grpc

COUNT, ROUNDS, REPLAYED = 600, 5, 30_000
CALLERS, FULL, HALF = 4, 5.0, 10.0  # callers; seconds at full and at half load
LOOK = 0.00025  # seconds between two looks at a cursor
PATIENCE = 60.0  # seconds that a reader gets
READERS = {"audit": "cursor", "reports": "consumer_cursor"}
SOURCE = "platforms"


def lines() -> Iterator[Line]:
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        Path(folder).chmod(0o755)
        cluster = Cluster(plan.make(Path(folder) / "cluster", usual=False))
        cluster.up()
        try:
            with _circumstances(cluster) as here:
                yield from _effects(here)
            yield _replayed(cluster.plan.bootstrap)
        finally:
            cluster.down()


class _Here:
    """A cluster under measurement: a caller, the registry's journal, and how far the readers are."""

    def __init__(self, cluster: Cluster, journal: Any, stub: Any) -> None:
        self.brokers, self.address = cluster.plan.bootstrap, cluster.plan.address(SOURCE)
        self.readers = {n: _Cursor(cluster.plan.database(n), table) for n, table in READERS.items()}
        self.stub, self._journal = stub, journal

    def positions(self, names: Sequence[str]) -> dict[str, int]:
        """Return name → position of its creation."""
        asked = "SELECT record, position FROM journal WHERE record = ANY(%s) AND revision = 1"
        return dict(self._journal.execute(asked, (list(names),)).fetchall())

    def create(self) -> tuple[str, float]:
        """Return the name of a new platform, and when the answer came."""
        request = pb.CreatePlatformRequest(platform=platform(1), request_id=uuid.uuid4().hex)
        made = self.stub.CreatePlatform(request, metadata=APPLICANT)
        return made.name, time.perf_counter()

    def told(self) -> tuple[int, float]:
        """Write, and return the event's position, and when the answer came. Nobody else writes.

        Whoever asked for the position behind the answer would take processors from what is measured.
        """
        row = self._journal.execute("SELECT position + 1 FROM journal_head").fetchone()
        return int(row[0]), self.create()[1]

    def effect(self) -> dict[str, float]:
        """Write, and return the seconds from the answer until each reader had it."""
        position, answered = self.told()
        return {n: max(0.0, c.seen(position) - answered) for n, c in self.readers.items()}

    def commit(self) -> float:
        """Return the seconds of a synced commit of one row, beside nothing else."""
        began = time.perf_counter()
        self._journal.execute("INSERT INTO bench_commit VALUES (1)")
        return time.perf_counter() - began


@contextlib.contextmanager
def _circumstances(cluster: Cluster) -> Iterator[_Here]:
    url = cluster.plan.database(SOURCE)
    with (
        grpc.insecure_channel(cluster.plan.address(SOURCE)) as channel,
        psycopg.connect(url, autocommit=True) as journal,
    ):
        journal.execute("CREATE TABLE bench_commit (one int)")
        here = _Here(cluster, journal, platforms_pb2_grpc.PlatformServiceStub(channel))
        try:
            yield here
        finally:
            for reader in here.readers.values():
                reader.stop()


class _Cursor:
    """How far a reader is: its database looks, so that to measure takes little of what is measured."""

    def __init__(self, url: str, table: str) -> None:
        self.times: dict[int, float] = {}
        self._url, self._stopped = url, threading.Event()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_WATCHED.format(table=table, source=SOURCE))
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        at = 0
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._stopped.is_set():
                row = connection.execute("SELECT bench_reached(%s, %s)", (at, LOOK)).fetchone()
                now, before, at = time.perf_counter(), at, row[0] if row else at
                self.times |= dict.fromkeys(range(before + 1, at + 1), now)

    def seen(self, position: int) -> float:
        """Return when it had a position. Raises TimeoutError."""
        limit = time.monotonic() + PATIENCE
        while position not in self.times:
            if time.monotonic() > limit:
                raise TimeoutError(position)
            time.sleep(LOOK)
        return self.times[position]

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()


_WATCHED = """
CREATE FUNCTION bench_reached(behind bigint, pause float) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE reached bigint;
BEGIN
  FOR look IN 1 .. (1 / pause)::int LOOP  -- a second; each SELECT sees what is committed by then
    SELECT position INTO reached FROM {table} WHERE source = '{source}';
    EXIT WHEN reached > behind;
    PERFORM pg_sleep(pause);
  END LOOP;
  RETURN coalesce(reached, behind);
END $$
"""


Seconds = Mapping[str, Sequence[float]]
"""Reader → seconds from an answer to its effect."""


def _effects(here: _Here) -> Iterator[Line]:
    bare, found = list[float](), {name: list[float]() for name in READERS}
    _round(here)  # not counted: the broker compiles its code when it has run for a while
    for _ in range(ROUNDS):
        alone, effects = _round(here)
        bare += alone
        for name, seconds in found.items():
            seconds += [effect[name] for effect in effects]
    way = _way(here)
    for name, seconds in found.items():
        ratio = statistics.median(seconds) / statistics.median(bare)
        yield at_most(
            f"answer to effect in {name}, p50, against bare produce-to-consume", ratio, 3,
            f"{_ms(seconds, 0.5)} ms against {_ms(bare, 0.5)} ms; p99 {_ms(seconds, 0.99)} ms against {_ms(bare, 0.99)} ms",
            why=way[name],
        )  # fmt: skip
    full, _ = _loaded(here, FULL, float("inf"))
    rate, loaded = _loaded(here, HALF, full / 2)
    for name, each in loaded.items():
        yield at_most(
            f"answer to effect in {name}, p99 under half load", float(_ms(each, 0.99)), 100,
            f"p50 {_ms(each, 0.5)} ms; {rate:,.0f} changes/s, where {CALLERS} callers without a pause reach {full:,.0f}/s",
            " ms", why=way[name],
        )  # fmt: skip


def _round(here: _Here) -> tuple[list[float], list[dict[str, float]]]:
    """Return the seconds of the bare way, and each reader's, one after the other."""
    count = COUNT // ROUNDS
    return _bare(here.brokers, count), [here.effect() for _ in range(count)]


def _ms(seconds: Sequence[float], share: float) -> str:
    ordered = sorted(seconds)
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000:.1f}"


def _way(here: _Here) -> dict[str, str]:
    """Return how the time divides: until a bare consumer has the message, from there until each reader has committed."""
    on_topic, after = list[float](), {name: list[float]() for name in READERS}
    with _arrivals(here.brokers) as arrived:
        for _ in range(COUNT // ROUNDS):
            position, answered = here.told()
            seen = {n: c.seen(position) for n, c in here.readers.items()}
            on_topic.append(arrived(position) - answered)
            for reader, at in seen.items():
                after[reader].append(at - arrived(position))
    commit = _ms([here.commit() for _ in range(COUNT // ROUNDS)], 0.5)
    return {
        name: f"of the median, {_ms(on_topic, 0.5)} ms until another consumer has the message (journal read, acknowledged by the "
        f"broker, fetched), {_ms(seconds, 0.5)} ms from there until the effect is committed; a synced commit of one row takes "
        f"{commit} ms here with nothing beside it, and audit, reports and relay commit in the same moment on {_CORES}"
        for name, seconds in after.items()
    }  # fmt: skip


_CORES = "two cores that they share with the broker, the database and the measurement"


@contextlib.contextmanager
def _arrivals(brokers: str) -> Iterator[Callable[[int], float]]:
    """A reader of the topic beside the others, which does nothing with it; gives when it had a position."""
    times, stopped = dict[int, float](), threading.Event()
    topic = Topic(brokers, SOURCE)
    topic.open_after(2**62)  # at its end

    def read() -> None:
        while not stopped.is_set():
            for entry in topic.poll():
                times.setdefault(entry.position, time.perf_counter())

    def at(position: int) -> float:
        limit = time.monotonic() + PATIENCE
        while position not in times and time.monotonic() < limit:
            time.sleep(LOOK)
        return times[position]

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield at
    finally:
        stopped.set()
        thread.join()
        topic.close()


def _loaded(here: _Here, seconds: float, rate: float) -> tuple[float, Seconds]:
    """Write for some seconds, so many changes a second at most; return how many it were, and how long each took."""
    answered, door = dict[str, float](), threading.Lock()
    began = time.perf_counter()

    def write(number: int) -> None:
        with grpc.insecure_channel(here.address) as channel:
            stub, turn = platforms_pb2_grpc.PlatformServiceStub(channel), began
            turn += number / rate
            while (now := time.perf_counter()) < began + seconds:
                time.sleep(max(0.0, turn - now))
                request = pb.CreatePlatformRequest(
                    platform=platform(1), request_id=uuid.uuid4().hex
                )
                name = stub.CreatePlatform(request, metadata=APPLICANT).name
                with door:
                    answered[name] = time.perf_counter()
                turn += CALLERS / rate

    writers = [threading.Thread(target=write, args=(n,)) for n in range(CALLERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    taken, positions = time.perf_counter() - began, here.positions(list(answered))
    found = {
        reader: [max(0.0, cursor.seen(positions[n]) - at) for n, at in answered.items()]
        for reader, cursor in here.readers.items()
    }
    return len(answered) / taken, found


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

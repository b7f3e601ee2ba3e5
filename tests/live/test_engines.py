"""The engines themselves: they come up, keep what they have acknowledged, and take the schemas."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from app import migrate
from app.catalogue import NAMES
from app.cluster.kafka import Broker, bootstrap
from app.cluster.plan import load
from app.cluster.postgres import VERSION, Postgres
from app.cluster.supervisor import SERVING, Cluster
from app.settings import ROOT
from kernel import database as databases
from tests.live import engines

SECONDS = 180.0  # until a test gives up; the machine may be busy
Database = Callable[[str], str]


@contextmanager
def opened(url: str) -> Iterator[sa.Connection]:
    engine = databases.writing(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def a_topic(address: str, copies: int = 1) -> str:
    name = f"test.{uuid.uuid4().hex}"
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic(name, 1, copies)])
    admin.close()
    return name


def send(address: str, topic: str, value: bytes) -> int:
    """Return the offset of an acknowledged message."""
    producer = KafkaProducer(bootstrap_servers=address, acks="all", enable_idempotence=True)
    try:
        return int(producer.send(topic, value).get(SECONDS).offset)
    finally:
        producer.close(timeout=1)


def read(address: str, topic: str, count: int) -> list[bytes]:
    """Return the first messages of a topic."""
    consumer: Any = KafkaConsumer(
        bootstrap_servers=address, enable_auto_commit=False, auto_offset_reset="none"
    )
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek(partition, 0)
    found: list[bytes] = []
    limit = time.monotonic() + SECONDS
    while len(found) < count and time.monotonic() < limit:
        found += [r.value for batch in consumer.poll(500).values() for r in batch]
    consumer.close()
    return found


def test_a_message_is_read_as_it_was_sent(broker: Broker) -> None:
    topic = a_topic(broker.address)
    assert send(broker.address, topic, "洛书".encode()) == 0
    assert read(broker.address, topic, 1) == ["洛书".encode()]


def test_a_killed_broker_has_what_it_acknowledged() -> None:
    with engines.some_brokers() as (node,):
        topic = a_topic(node.address)
        send(node.address, topic, b"before")
        node.kill()
        node.start()
        send(node.address, topic, b"after")
        assert read(node.address, topic, 2) == [b"before", b"after"]


def test_two_of_three_brokers_go_on_without_the_third() -> None:
    with engines.some_brokers(3) as nodes:
        topic = a_topic(bootstrap(nodes), copies=3)
        send(bootstrap(nodes), topic, b"of three")
        nodes[0].kill()
        send(bootstrap(nodes[1:]), topic, b"of two")
        nodes[0].start()
        assert read(nodes[0].address, topic, 2) == [b"of three", b"of two"]


def test_postgresql_is_of_the_version_that_is_deployed(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url()) as connection:
        assert connection.info.server_version // 10_000 == VERSION
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_a_killed_postgresql_has_what_was_committed() -> None:
    with engines.a_postgres() as server:
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        server.kill()
        server.start()
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]


@pytest.mark.parametrize("service", NAMES)
def test_the_migrations_make_exactly_the_tables_that_the_code_has(
    service: str, database: Database
) -> None:
    url = database(service)
    migrate.upgrade(service, url)
    assert migrate.is_newest(service, url)
    with opened(url) as connection:
        command.check(migrate.config_of(service, connection))  # raises where they differ


@pytest.mark.parametrize("service", NAMES)
def test_every_step_can_be_taken_back(service: str, database: Database) -> None:
    url = database(service)
    migrate.upgrade(service, url)
    with opened(url) as connection:
        command.downgrade(migrate.config_of(service, connection), "base")
    with opened(url) as connection:
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]


def test_the_command_brings_up_a_whole_cluster_and_leaves_nothing_behind(
    postgres: Postgres, broker: Broker
) -> None:
    """The engines of the session are there to skip where there are none."""
    with engines.folder() as home:
        log = home / "up.log"
        path = os.pathsep.join((str(ROOT), str(ROOT / "sdk")))
        asked = [sys.executable, "-m", "app.cli", "cluster", "up", "--dir", str(home / "cluster")]
        with log.open("wb") as out:
            up = subprocess.Popen(
                asked, stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": path}
            )
        try:
            await_text(up, log, "all serve after")
            cluster = Cluster(load(home / "cluster"))
            assert {one.state for one in cluster.status()} == {SERVING}
            running = [cluster.running(name) for name in cluster.servers]
            up.send_signal(signal.SIGINT)
            assert up.wait(SECONDS) == 0, log.read_text("utf-8")
        finally:
            up.terminate()
            up.wait(SECONDS)
        assert None not in running
        assert not any(cluster.running(name) for name in cluster.servers)
        assert cluster.left() == []


def await_text(process: "subprocess.Popen[bytes]", log: Path, text: str) -> None:
    limit = time.monotonic() + SECONDS
    while text not in log.read_text("utf-8"):
        assert process.poll() is None, log.read_text("utf-8")
        assert time.monotonic() < limit, log.read_text("utf-8")
        time.sleep(0.1)

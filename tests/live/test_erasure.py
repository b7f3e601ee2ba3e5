"""Erasing a person on PostgreSQL and Kafka: no byte of the person is in databases, topics, logs and exports."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import migrate
from app.catalogue import JOURNALS, NAMES
from app.cluster.kafka import Broker
from app.cluster.postgres import Postgres
from kernel import database as databases
from kernel import kafka
from luoshu.journal.v1.journal_pb2 import Person
from tests.flow.separate import until
from tests.live import engines
from tests.live.spread.topic import positions, read
from tests.running import MovableClock, Running
from tests.service.registry_suite import OFFICER, PERSONAL, furnish
from tests.service.test_erasure import (
    AUDIT_ADMIN,
    CANARY,
    SECURITY,
    VALUES,
    S,
    ask,
    haystack,
    journal,
    planted,
    refused,
    verified,
    wrapped,
)

MARK = "寻得见的标题"
"""A title: what is searched for is found where it is."""
CHECKPOINTS = "pg_wal"
"""PostgreSQL's own log, which forgets when the server recycles it: docs/audit-questions.md says so."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Postgres, Broker]]:
    """A process of all services with engines of its own, whose files are searched."""
    with engines.a_postgres() as server, engines.some_brokers() as (node,):
        server.create(*NAMES)
        said = {f"LUOSHU_{name.upper()}_DATABASE": server.url(name) for name in NAMES}
        for name in NAMES:
            migrate.upgrade(name, server.url(name))
        kafka.make_topics(node.address, list(JOURNALS))
        said["LUOSHU_KAFKA"] = node.address
        folder = tmp_path_factory.mktemp("erasure")
        running = Running(folder, NAMES, MovableClock(), said, server.home).start()
        furnish(running)
        yield running, server, node
        running.stop()


def test_after_an_erasure_nothing_of_the_person_is_anywhere(
    alone: tuple[Running, Postgres, Broker], tmp_path: Path
) -> None:
    running, server, node = alone
    subjects = plant(running)
    until(lambda: all(relayed(running, node, service) for service in subjects), "the topics")
    flush(server)
    assert all(MARK.encode() in everything(folder) for folder in (server.data, node.data))
    keys = [key for s, subject in subjects.items() for key in wrapped(running, s, subject)]
    assert len(keys) == len(PERSONAL)
    assert all(key in everything(server.data / "base") for key in keys)
    journals = {service: journal(running, service) for service in subjects}
    for service, subject in subjects.items():
        ask(running, SECURITY, service, subject, "canary")
        done = ask(running, AUDIT_ADMIN, service, subject, "canary")
        assert (done.state, done.traces) == (S.STATE_ERASED, False)
    until(lambda: all(relayed(running, node, s) for s in (*subjects, *map(access, subjects))), "the topics")  # fmt: skip
    flush(server)
    files = ((str(path), path.read_bytes()) for path in node.home.rglob("*") if path.is_file())
    for where, content in (*haystack(running, tmp_path), *files, *told(node)):
        assert [value for value in VALUES if value.encode() in content] == [], where
        assert CHECKPOINTS in where or [key for key in keys if key in content] == [], where
    assert {service: journal(running, service) for service in subjects} == journals
    verified(running)


def plant(running: Running) -> dict[str, str]:
    """Register the canary everywhere, change its records, let some be refused; return its pseudonyms."""
    subjects = {}
    for sample in PERSONAL:
        record, subject = planted(running, sample, CANARY)
        for title in ("第二次", MARK):
            sample.retitle(running, record, title)
        sample.act(running, record)
        sample.page(running, OFFICER)
        bad = sample.record(**{sample.person: Person(name=CANARY.name * 30)})
        refused(
            lambda s=sample, b=bad: running.call(f"Create{s.noun}", s.author, **{s.singular: b})
        )
        subjects[sample.service.name] = subject
    return subjects


def access(service: str) -> str:
    return f"{service}_access"


def relayed(running: Running, node: Broker, source: str) -> bool:
    """Tell whether the topic has the whole journal."""
    service, table = source.removesuffix("_access"), "access_head" if "_access" in source else "journal_head"  # fmt: skip
    ((head,),) = running.rows(service, f"SELECT position FROM {table}")
    return len(set(positions(node.address, source))) >= head


def told(node: Broker) -> Iterator[tuple[str, bytes]]:
    """Yield every message of every topic, as a consumer gets it."""
    for source in JOURNALS:
        yield from ((f"topic of {source}", message.value) for message in read(node.address, source))


def flush(server: Postgres) -> None:
    """Let PostgreSQL write what it holds in memory."""
    engine: Any = databases.writing(server.url())
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CHECKPOINT")
    engine.dispose()


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())

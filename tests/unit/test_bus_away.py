"""A broker that is not there: whoever tries it for days keeps nothing open."""

import gc
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka.errors import KafkaError

from kernel import kafka
from kernel.errors import Stopping
from luoshu.journal.v1.journal_pb2 import JournalEntry


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return an address where nobody listens; who tries it gives up soon."""
    monkeypatch.setitem(kafka.CLIENT, "bootstrap_timeout_ms", 150)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def no_collector() -> Iterator[None]:
    """It comes seldom to a process that has little to do."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def a_reader(address: str) -> None:
    topic = kafka.Topic(address, "toys")
    try:
        topic.open_after(0)
    finally:
        topic.close()


def a_relay(address: str) -> None:
    kafka.KafkaPublisher(address).publish("toys", [JournalEntry(source="toys", position=1)])


@pytest.mark.parametrize("tried", [a_reader, a_relay])
@pytest.mark.usefixtures("no_collector")
def test_what_did_not_connect_is_closed(nowhere: str, tried: Callable[[str], None]) -> None:
    open_before = descriptors()
    for _ in range(3):
        with pytest.raises(KafkaError):
            tried(nowhere)
    assert descriptors() <= open_before  # threads of other tests may have closed some


def test_a_publisher_that_was_left_tries_no_broker_again(
    nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = kafka.KafkaPublisher(nowhere)
    publisher.leave()
    with pytest.raises(Stopping):
        publisher.publish("toys", [JournalEntry(source="toys", position=1)])

    def end(*_: object) -> int:
        left_meanwhile.leave()
        return 0

    left_meanwhile = kafka.KafkaPublisher(nowhere)
    monkeypatch.setattr(left_meanwhile, "_end", end)
    with pytest.raises(Stopping):
        left_meanwhile.publish("toys", [JournalEntry(source="toys", position=1)])

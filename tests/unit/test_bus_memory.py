"""The bus in memory does what every bus must; a relay moves its cursor only for what was acknowledged."""

import pytest

from kernel.cloudevents import entry_of
from kernel.relay import RelaySink
from tests.bus_suite import BusContract, entries, publish, relay, source
from tests.memory_bus import Away, MemoryBus

__all__ = ["publish", "relay", "source"]


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


class TestMemoryBus(BusContract):
    pass


def test_progress_stands_still_while_the_bus_is_away(
    bus: MemoryBus, source: str, relay: RelaySink
) -> None:
    bus.away = True
    with pytest.raises(Away):
        relay.apply(source, entries(source, 1, 3))
    assert relay.cursors() == {}
    bus.away = False
    relay.apply(source, entries(source, 1, 3))
    assert list(relay.cursors().values()) == [3]


def test_a_topic_that_lost_its_newest_messages_gets_them_again(
    bus: MemoryBus, source: str, relay: RelaySink
) -> None:
    relay.apply(source, entries(source, 1, 9))
    del bus.messages(source)[6:]
    with pytest.raises(Exception, match="nothing above position 6"):
        relay.apply(source, entries(source, 10, 10))
    assert list(relay.cursors().values()) == [6]


def test_a_message_without_a_sequence_is_no_event() -> None:
    with pytest.raises(ValueError, match="without ce_sequence"):
        entry_of("platforms", b"", [("ce_id", b"1")])

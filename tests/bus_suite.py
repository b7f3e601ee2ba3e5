"""What every bus must do: one suite, run over memory and over Kafka.

A class that takes it has a fixture `bus`; each test has topics of its own.
"""

import asyncio
import dataclasses
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Protocol

import pytest

from kernel import database
from kernel.cloudevents import Message
from kernel.consumer import SHARD, Follower, following
from kernel.relay import Lost, Publisher, RelaySink
from kernel.store import Store
from kernel.turns import Journal, Turns
from luoshu.journal.v1.journal_pb2 import EventHead, JournalEntry
from tests.unit.kernel_world import TOY, schema

PATIENCE = 60.0  # seconds; the machine may be busy
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Bus(Protocol):
    """A bus, and what a test needs to see behind it."""

    def publisher(self) -> Publisher: ...
    def journal(self, source: str) -> Journal: ...
    def messages(self, source: str) -> list[Message]:
        """Return everything that a topic holds."""
        ...

    def remake(self, source: str) -> None:
        """Make a topic, or lose it and make it anew."""
        ...


def entry(source: str, position: int) -> JournalEntry:
    head = EventHead()
    change = head.change
    change.record, change.action, change.position = f"toys/{position % 3}", "submit", position
    change.commit_time.FromSeconds(1_800_000_000 + position)
    change.traceparent = TRACE if position % 2 else ""
    return JournalEntry(source=source, position=position, event=head.SerializeToString())


def entries(source: str, first: int, last: int) -> list[JournalEntry]:
    return [entry(source, position) for position in range(first, last + 1)]


async def heard(bus: Bus, source: str, after: int, last: int) -> list[JournalEntry]:
    """Return what a reader takes from above a position to the last one; a hole that stays is an error."""
    taken: list[JournalEntry] = []

    def take(some: list[JournalEntry]) -> None:
        ahead, _ = following(source, after + len(taken), some)
        taken.extend(ahead)

    async def read() -> None:
        async with aclosing(bus.journal(source)(after, take)) as told:
            async for _ in told:
                if after + len(taken) >= last:
                    return

    if last > after:
        await asyncio.wait_for(read(), PATIENCE)
    return taken


class Cursors:
    """A sink that keeps what it was given in memory."""

    name = "kept"

    def __init__(self, source: str) -> None:
        self.sources, self.kept = (source,), list[JournalEntry]()

    def cursors(self) -> Mapping[tuple[str, int], int]:
        return {(self.sources[0], SHARD): len(self.kept)}

    def apply(self, source: str, entries: Sequence[JournalEntry]) -> None:
        ahead, gap = following(source, len(self.kept), entries)
        assert gap is None
        self.kept.extend(ahead)

    async def has(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.kept) < count:  # noqa: ASYNC110 - it is moved by a thread
                await asyncio.sleep(0.02)


def nothing(_after: int, _take: Any) -> Any:
    raise AssertionError("the owner was asked, so the bus had a hole")


@pytest.fixture
def source() -> str:
    return f"toy{uuid.uuid4().hex[:8]}"


@pytest.fixture
def relay(bus: Bus, source: str, tmp_path: Path) -> RelaySink:
    """A relay of a service of that name, with its own database."""
    bus.remake(source)
    service = dataclasses.replace(TOY, name=source)
    engine = database.writing(schema(tmp_path / "toy.sqlite3", service))
    return RelaySink(Store(service, engine), engine, bus.publisher(), service.name)


Publish = Callable[[int, int], None]


@pytest.fixture
def publish(bus: Bus, source: str) -> Publish:
    """Publishes the entries of a source from one position to another."""
    bus.remake(source)
    publisher = bus.publisher()
    return lambda first, last: publisher.publish(source, entries(source, first, last))


class BusContract:
    """Inherited by a test class of each bus."""

    async def test_entries_are_told_in_order_with_their_exact_bytes(
        self, bus: Bus, source: str, publish: Publish
    ) -> None:
        publish(1, 40)
        publish(41, 50)
        assert await heard(bus, source, 0, 50) == entries(source, 1, 50)

    async def test_what_was_published_is_kept_when_publish_returns(
        self, bus: Bus, source: str, publish: Publish
    ) -> None:
        publish(1, 20)
        assert [m.value for m in bus.messages(source)] == [e.event for e in entries(source, 1, 20)]

    async def test_a_start_at_any_position_misses_nothing_though_messages_were_repeated(
        self, bus: Bus, source: str, publish: Publish
    ) -> None:
        for first, last in ((1, 9), (4, 9), (2, 12), (13, 15), (15, 15), (9, 18)):
            publish(first, last)
        for after in (0, 1, 5, 9, 12, 15, 17):
            assert await heard(bus, source, after, 18) == entries(source, after + 1, 18)

    async def test_a_reader_waits_at_the_end_for_what_is_published_later(
        self, bus: Bus, source: str, publish: Publish
    ) -> None:
        publish(1, 5)
        reading = asyncio.create_task(heard(bus, source, 5, 8))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(publish, 6, 8)
        assert await reading == entries(source, 6, 8)

    async def test_a_message_is_a_cloud_event_in_binary_mode(
        self, bus: Bus, source: str, publish: Publish
    ) -> None:
        publish(1, 2)
        first, second = bus.messages(source)
        assert first.key == b"toys/1"
        assert dict(first.headers) == {
            "ce_specversion": b"1.0",
            "ce_id": f"{source}-0-1".encode(),
            "ce_source": f"/luoshu/{source}/shards/0".encode(),
            "ce_type": f"luoshu.{source}.v1.submit".encode(),
            "ce_subject": b"toys/1",
            "ce_time": b"2027-01-15T08:00:01Z",
            "ce_sequence": b"0000000000000000001",
            "ce_traceparent": TRACE.encode(),
            "content-type": b"application/protobuf",
        }
        assert dict(second.headers).keys() == dict(first.headers).keys() - {"ce_traceparent"}

    # A topic that was lost.

    async def test_a_publisher_says_what_a_topic_made_anew_lacks(
        self, bus: Bus, source: str, publish: Publish
    ) -> None:
        publish(1, 10)
        bus.remake(source)
        for _ in range(2):  # the first may be told only by the acknowledgement
            with pytest.raises(Lost) as lost:
                publish(11, 12)
            assert lost.value.position == 0
        publish(1, 12)
        assert await heard(bus, source, 0, 12) == entries(source, 1, 12)

    async def test_a_start_in_a_topic_made_anew_misses_nothing(
        self, bus: Bus, source: str, publish: Publish
    ) -> None:
        publish(1, 10)
        bus.remake(source)
        with pytest.raises(Lost):
            publish(11, 12)  # Kafka takes them, and tells by their offset that they are the first
        publish(1, 30)
        for after in (0, 1, 7, 10, 11, 25):
            assert await heard(bus, source, after, 30) == entries(source, after + 1, 30)

    async def test_a_reader_at_work_goes_on_when_the_topic_is_made_anew(
        self, bus: Bus, source: str, publish: Publish
    ) -> None:
        sink = Cursors(source)
        follower = Follower(sink, source, bus.journal(source), nothing, Turns(source))
        running = asyncio.create_task(follower.run())
        await asyncio.to_thread(publish, 1, 10)
        await sink.has(10)
        await asyncio.to_thread(bus.remake, source)
        with pytest.raises(Lost):
            await asyncio.to_thread(publish, 11, 12)
        await asyncio.to_thread(publish, 1, 12)
        await sink.has(12)
        running.cancel()
        assert sink.kept == entries(source, 1, 12)

    # The relay.

    def test_a_relay_records_what_was_acknowledged(
        self, bus: Bus, source: str, relay: RelaySink
    ) -> None:
        relay.apply(source, entries(source, 1, 6))
        assert relay.cursors() == {(source, SHARD): 6}
        assert len(bus.messages(source)) == 6

    def test_a_relay_starts_again_with_what_the_bus_lost(
        self, bus: Bus, source: str, relay: RelaySink
    ) -> None:
        relay.apply(source, entries(source, 1, 6))
        bus.remake(source)
        with pytest.raises(Lost):
            relay.apply(source, entries(source, 7, 8))
        assert relay.cursors() == {(source, SHARD): 0}
        relay.apply(source, entries(source, 1, 8))
        assert relay.cursors() == {(source, SHARD): 8}
        relay.close()

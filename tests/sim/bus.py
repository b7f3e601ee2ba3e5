"""The bus in memory: topics that keep what was appended, lose acknowledgements, deliver late and twice."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from kernel.cloudevents import SEQUENCE, Message, entry_of, message_of
from kernel.relay import Lost
from luoshu.journal.v1.journal_pb2 import JournalEntry
from tests.sim.points import Points

POLLS = 3  # of a follower before its connection ends
MOST = 4  # messages a poll


class BusError(Exception):
    """The broker did not answer: what was sent may be there or not."""


@dataclass
class Bus:
    """Topics by source. `points`: of the run. `pass_time`: called with seconds whenever somebody waits."""

    points: Points
    pass_time: Callable[[float], None]
    topics: dict[str, list[Message]] = field(default_factory=dict)
    shortened: set[str] = field(default_factory=set)

    def topic(self, source: str) -> list[Message]:
        return self.topics.setdefault(source, [])

    def publisher(self, process: str) -> "Publisher":
        return Publisher(self, process)

    def lose(self, source: str, count: int) -> None:
        """Drop the newest messages of a topic, as a broker without its disk would."""
        topic = self.topic(source)
        self.shortened.add(source)
        del topic[max(0, len(topic) - count) :]

    async def journal(self, source: str, after: int) -> AsyncIterator[list[JournalEntry]]:
        """As `kernel.kafka.Topic.open_after`: begin at offset `after`, or at the beginning where what lies before it is newer."""
        topic = self.topic(source)
        offset = min(after, len(topic))
        if _position(topic[:offset]) > after:
            offset = 0
        polls = POLLS
        while polls or offset < len(topic):
            polls = max(0, polls - 1)
            end = min(offset + MOST, len(topic))
            if self.points.chance(self.points.rates.late):
                end = offset + (end - offset) // 2
            start = offset
            if self.points.chance(self.points.rates.repeated):
                start = max(0, offset - self.points.random.randint(1, MOST))
            yield [entry_of(source, m.value, m.headers) for m in topic[start:end]]
            offset = end
            self.pass_time(0.3)


@dataclass
class Publisher:
    """As `kernel.kafka.KafkaPublisher`: in order, and returns when all is acknowledged."""

    bus: Bus
    process: str
    ends: dict[str, int] = field(default_factory=dict)

    def publish(self, source: str, entries: Sequence[JournalEntry]) -> None:
        """Raises BusError; Lost: the topic lacks what it acknowledged before. Then the next call knows of nothing."""
        try:
            self._publish(source, entries)
        except BaseException:
            self.ends.clear()
            raise

    def _publish(self, source: str, entries: Sequence[JournalEntry]) -> None:
        points, topic = self.bus.points, self.bus.topic(source)
        if source not in self.ends:
            held = _position(topic)
            held = (
                held if len(topic) >= held else 0
            )  # as it is there: a shorter topic lacks something
            if entries[0].position > held + 1:
                raise Lost(source, held)
        for entry in entries:
            points.reach(self.process, "before produce")
            if points.chance(points.rates.lost / 2):
                raise BusError("not appended")
            topic.append(message_of(entry))
            points.reach(self.process, "after produce")
        if points.chance(points.rates.lost):
            raise BusError("appended, the acknowledgement is lost")
        points.reach(self.process, "after acknowledgement")
        first = len(topic) - len(entries)
        if first < self.ends.get(source, 0):
            raise Lost(source, _position(topic[:first]))
        self.ends[source] = len(topic)

    def leave(self) -> None: ...


def _position(topic: Sequence[Message]) -> int:
    return int(dict(topic[-1].headers)[SEQUENCE]) if topic else 0

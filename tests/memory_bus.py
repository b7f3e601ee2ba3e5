"""The bus in memory: what the contract of the bus says, in few lines, for tests without a broker."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from functools import partial

from kernel.cloudevents import Message, entry_of, message_of
from kernel.relay import Lost
from kernel.turns import Journal, Turns
from luoshu.journal.v1.journal_pb2 import JournalEntry

PAUSE = 0.01  # seconds between two looks
MOST = 7  # messages that are told together


class Away(Exception):
    """The bus does not answer."""


@dataclass
class MemoryBus:
    """Topics by source. `away`: it takes nothing and tells nothing."""

    topics: dict[str, list[Message]] = field(default_factory=dict)
    away: bool = False

    def publisher(self) -> "MemoryPublisher":
        return MemoryPublisher(self)

    def journal(self, source: str) -> Journal:
        return Turns(source).taking(partial(self._tell, source))

    def messages(self, source: str) -> list[Message]:
        return self.topics.setdefault(source, [])

    def remake(self, source: str) -> None:
        """Lose a topic, and make it anew."""
        self.topics[source] = []

    def position_at(self, source: str, offset: int) -> int:
        """Return what position the message at an offset tells; 0 before the first."""
        if offset < 0:
            return 0
        message = self.messages(source)[offset]
        return entry_of(source, message.value, message.headers).position

    async def _tell(self, source: str, after: int) -> AsyncGenerator[list[JournalEntry], None]:
        offset = min(after, len(self.messages(source)))
        if self.position_at(source, offset - 1) > after:
            offset = 0
        while True:
            messages = self.messages(source)
            if offset > len(messages):
                raise Away(f"{source} ends before {offset}")
            some = [] if self.away else messages[offset : offset + MOST]
            offset += len(some)
            yield [entry_of(source, m.value, m.headers) for m in some]
            await asyncio.sleep(0 if some else PAUSE)


@dataclass
class MemoryPublisher:
    """Looks at a topic's end before it sends, as a publisher does that has just connected."""

    bus: MemoryBus

    def publish(self, source: str, entries: Sequence[JournalEntry]) -> None:
        if self.bus.away:
            raise Away(source)
        topic = self.bus.messages(source)
        held = self.bus.position_at(source, len(topic) - 1)
        held = held if len(topic) >= held else 0
        if entries[0].position > held + 1:
            raise Lost(source, held)
        topic.extend(message_of(entry) for entry in entries)

    def leave(self) -> None: ...

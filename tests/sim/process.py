"""Processes as `app.serve` composes them, of the real parts: Room, Writer, Servicer, Follower and the sinks.

What a process holds in memory is made anew after a crash. Left out: gRPC, threads and asyncio's loop.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import kernel.database
import kernel.relay
import kernel.room
import kernel.writer
import services.audit.consumer
import services.reports.consumer
from app.catalogue import FOLLOWING, own_behaviours, registry
from app.upkeep import Upkeep
from kernel.access import access_source
from kernel.consumer import Follower, RoomSink, Sink
from kernel.journal import entries_of
from kernel.outcome import Clock
from kernel.pack import Pack
from kernel.relay import RelaySink
from kernel.room import Circumstances, Room
from kernel.rpc import Behaviour
from kernel.servicer import Servicer
from kernel.turns import Turns
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit.consumer import AuditSink
from services.audit.keys import Signer
from services.audit.sealing import Sealer
from services.reports.consumer import ReportsSink
from tests.sim.bus import Bus
from tests.sim.disk import Disk, store_of
from tests.sim.together import Ask, Queue

SECRET = bytes(range(32))
SIGNER = Signer("luoshu.example/audit", bytes(32))


class Still:
    """Stands for the Tide: nobody sleeps here."""

    ended = False

    def rise(self) -> None: ...

    def turn(self) -> None: ...


class Glances(kernel.database.Glances):
    """Keeps no connection: what a crash drops must not hold on to the file."""

    def row(self, text: str, value: str) -> tuple[Any, ...] | None:
        try:
            return super().row(text, value)
        finally:
            self.leave()


KEEPING: tuple[Any, ...] = (
    kernel.writer,
    kernel.relay,
    services.audit.consumer,
    services.reports.consumer,
)
"""Who keeps a connection from one transaction to the next."""


def opened(name: str, label: str, around: "Surroundings") -> Room:
    """Return a service's Room. Its queues answer at once, and its engines are the disk's."""
    service = registry(name)
    assert service is not None
    engines = SimpleNamespace(
        writing=lambda _: around.disk.engine(name, "writing", label),
        reading=lambda _: around.disk.engine(name, "reading", label),
    )
    stands: dict[str, Any] = {
        "database": engines,
        "Store": lambda *_: store_of(name),
        "Gatherer": lambda work, **_: Queue(work),
        "Tide": Still,
        "Glances": Glances,
    }
    with patch.multiple(kernel.room, **stands):
        return Room(service, Circumstances("", SECRET, around.pack, around.clock, around.ask))


def behaviours_of(room: Room) -> dict[str, Behaviour]:
    """Return the code of every RPC of a room's service."""
    servicers = (Servicer(room, resource) for resource in room.service.resources)
    common = {rpc: code for servicer in servicers for rpc, code in servicer.behaviours().items()}
    return common | own_behaviours(room)


@dataclass(frozen=True)
class Surroundings:
    """What a process is given. `journal`: a source's own journal, wherever it is; `ask`: as `Others.ask`."""

    disk: Disk
    bus: Bus
    pack: Pack
    clock: Clock
    journal: Callable[[str, int], AsyncIterator[list[JournalEntry]]]
    ask: Ask


@dataclass
class Process:
    """One service alone. `sources`: of the registries, those that run; `bus`: whether there is one."""

    name: str
    label: str
    sources: Sequence[str]
    around: Surroundings
    through_bus: bool = False
    room: Room | None = None
    sealer: Sealer | None = None
    followers: list[Follower] = field(default_factory=list)

    def start(self) -> "Process":
        """Make what is in memory: nothing is read from the disk yet."""
        with ExitStack() as stack:
            for module in KEEPING:
                stack.enter_context(patch.object(module, "Kept", self.around.disk.keep))
            self._make()
        return self

    def _make(self) -> None:
        if registry(self.name) is not None:
            self.room = opened(self.name, self.label, self.around)
            self._relay(self.room)
        sink = self._sink()
        if sink is not None:
            for source in sink.sources:
                self._follow(sink, source)

    def _sink(self) -> Sink | None:
        if self.name == "audit":
            reading = self.around.disk.engine(self.name, "reading", self.label)
            self.sealer = Sealer(self._writing, reading, SIGNER, self._microseconds)
            sources = (*self.sources, *map(access_source, self.sources))
            return AuditSink(self._writing, sources)
        if self.name == "reports":
            return ReportsSink(self._writing, self.around.pack, self.sources)
        reactions = {s: r for s, r in FOLLOWING.get(self.name, {}).items() if s in self.sources}
        return RoomSink(self.room, self.name, reactions, None) if reactions else None  # type: ignore[arg-type]

    @property
    def _writing(self) -> Any:
        return self.around.disk.engine(self.name, "writing", self.label)

    def _microseconds(self) -> int:
        return self.around.clock().ToMicroseconds()

    def _relay(self, room: Room) -> None:
        if self.through_bus:
            for journal, cursors in ((room, room.store), (room.access, room.store.access)):
                publisher = self.around.bus.publisher(self.label)
                sink = RelaySink(cursors, room.writing, publisher, journal.source)  # type: ignore[arg-type]
                turns = Turns(journal.source)
                owner = turns.taking(partial(entries_of, journal, follow=False))
                led = sink.leading(owner)
                self.followers.append(Follower(sink, journal.source, led, owner, turns))

    def _follow(self, sink: Sink, source: str) -> None:
        turns = Turns(sink.name)
        owner = turns.taking(partial(self.around.journal, source))
        bus = turns.taking(partial(self.around.bus.journal, source))
        journal = bus if self.through_bus else owner
        self.followers.append(Follower(sink, source, journal, owner, turns))

    async def lines(self, source: str, after: int, limit: int) -> list[JournalEntry]:
        """Tell a source's journal, as `Others.lines` does."""
        told = list[JournalEntry]()
        async for some in self.around.journal(source, after):
            told += some
        return told[:limit]

    @cached_property
    def behaviours(self) -> dict[str, Behaviour]:
        assert self.room is not None
        return behaviours_of(self.room)

    @cached_property
    def upkeep(self) -> Upkeep:
        assert self.room is not None
        rooms = {self.name: self.room}
        return Upkeep(rooms, self.followers, {}, self.around.clock, None, recorders=rooms)  # type: ignore[arg-type]

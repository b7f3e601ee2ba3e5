"""Processes as `app.serve` composes them, of the real parts: Room, Writer, Servicer, Follower and the sinks.

What a process holds in memory is made anew after a crash. Left out: gRPC, threads and asyncio's loop.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from app.catalogue import FOLLOWING, registry
from app.upkeep import Upkeep
from kernel.commands import Commands
from kernel.consumer import Follower, RoomSink, Sink
from kernel.journal import entries_of
from kernel.lists import Lists
from kernel.outcome import Clock
from kernel.pack import Pack
from kernel.pages import Tokens
from kernel.personal import Vault
from kernel.relay import RelaySink
from kernel.room import Room
from kernel.rpc import Behaviour
from kernel.servicer import Servicer
from kernel.writer import Writer
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit.consumer import AuditSink
from services.audit.note import Signer
from services.reports.consumer import ReportsSink
from tests.sim.bus import Bus
from tests.sim.disk import Disk, store_of
from tests.sim.together import Ask, Queue, Turn

SECRET = bytes(range(32))
SIGNER = Signer("luoshu.example/audit", bytes(32))
Journal = Callable[[int], AsyncIterator[list[JournalEntry]]]


class Still:
    """Stands for the Tide: nobody sleeps here."""

    ended = False

    def rise(self) -> None: ...

    def turn(self) -> None: ...


class SimRoom(Room):
    """A Room whose queues answer at once. Everything but its `__init__`, `look_out` and `close` is the real one."""

    def __init__(self, name: str, disk: Disk, process: str, pack: Pack, clock: Clock, ask: Ask):
        service = registry(name)
        assert service is not None
        self.service, self.pack, self._ask = service, pack, ask
        self.writing = disk.engine(name, "writing", process)
        self._reading = disk.engine(name, "reading", process)
        self.store, self.vault = store_of(name), Vault(SECRET)
        self.tide, self.tokens, self.commands = Still(), Tokens(SECRET), Commands(SECRET)  # type: ignore[assignment]
        self.lists = Lists(self.store, self.tokens)
        self.writer = Writer(self.store, self.writing, pack, self.vault, clock)
        self._writes = Queue(self.writer.write)  # type: ignore[assignment]
        self._reads = Queue(self._find)  # type: ignore[assignment]

    @cached_property
    def behaviours(self) -> dict[str, Behaviour]:
        found: dict[str, Behaviour] = {}
        for resource in self.service.resources:
            found |= Servicer(self, resource).behaviours()
        return found


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
    room: SimRoom | None = None
    followers: list[Follower] = field(default_factory=list)

    def start(self) -> "Process":
        """Make what is in memory: nothing is read from the disk yet."""
        around = self.around
        if registry(self.name) is not None:
            self.room = SimRoom(
                self.name, around.disk, self.label, around.pack, around.clock, around.ask
            )
            self._relay(self.room)
        sink = self._sink()
        if sink is not None:
            for source in sink.sources:
                self._follow(sink, source)
        return self

    def _sink(self) -> Sink | None:
        if self.name == "audit":
            return AuditSink(self._writing, SIGNER, tuple(self.sources), self._microseconds)
        if self.name == "reports":
            return ReportsSink(self._writing, self.around.pack, self.sources)
        reactions = {s: r for s, r in FOLLOWING.get(self.name, {}).items() if s in self.sources}
        return RoomSink(self.room, self.name, reactions, None) if reactions else None  # type: ignore[arg-type]

    @property
    def _writing(self) -> Any:
        return self.around.disk.engine(self.name, "writing", self.label)

    def _microseconds(self) -> int:
        return self.around.clock().ToMicroseconds()

    def _relay(self, room: SimRoom) -> None:
        if self.through_bus:
            sink = RelaySink(room.store, room.writing, self.around.bus.publisher(self.label))
            owner = partial(entries_of, room, follow=False)
            journal = sink.leading(owner)  # type: ignore[arg-type]
            self.followers.append(Follower(sink, self.name, journal, owner, Turn()))  # type: ignore[arg-type]

    def _follow(self, sink: Sink, source: str) -> None:
        owner = partial(self.around.journal, source)
        journal = partial(self.around.bus.journal, source) if self.through_bus else owner
        self.followers.append(Follower(sink, source, journal, owner, Turn()))  # type: ignore[arg-type]

    @cached_property
    def upkeep(self) -> Upkeep:
        assert self.room is not None
        return Upkeep({self.name: self.room}, self.followers, self.around.clock, None)  # type: ignore[arg-type]

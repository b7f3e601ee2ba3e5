"""What surrounds the processes of a run: time, borders that break when a process dies, and a look from outside."""

import datetime
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.exc import OperationalError

from app.catalogue import homes, registry
from app.others import Others
from app.settings import ROOT
from kernel.access import service_of
from kernel.columns import microseconds
from kernel.consumer import SHARD, TRANSIENT, Follower, Gap
from kernel.dates import business_date
from kernel.errors import OwnerSilent, Silent
from kernel.journal import entries_of
from kernel.pack import Pack, load
from kernel.relay import Lost
from kernel.writer import Displaced
from luoshu.journal.v1.journal_pb2 import JournalEntry
from tests.sim.bus import Bus, BusError
from tests.sim.disk import disk
from tests.sim.points import Crash, Points, Rates
from tests.sim.process import Process, Surroundings
from tests.sim.script import Scenario
from tests.sim.together import alone, together

WAIT = 31.0  # seconds a poll after healing: longer than a hole may stay open
EXPECTED = (Gap, BusError, OperationalError, Silent, Displaced, Lost, *TRANSIENT)
"""What may stop a follower for a while."""


class Gone(Exception):
    """The process that was called died, or cannot be reached: the outcome is unknown."""


UNKNOWN = (Gone, Silent, *TRANSIENT)


@cache
def pack() -> Pack:
    """Return the province's policy."""
    return load(ROOT / "packs" / "henan")


@dataclass
class Outside:
    """`crash_at`, `break_at`: numbers of points; `rates`: faults by chance. The same arguments give the same run."""

    scenario: Scenario
    seed: int = 1
    crash_at: frozenset[int] = frozenset()
    break_at: frozenset[int] = frozenset()
    rates: Rates = field(default_factory=Rates)

    def __post_init__(self) -> None:
        self.random = Random(f"{self.scenario.name} {self.seed}")
        self.points = Points(self.random, self.crash_at, self.break_at, self.rates)
        self.time, self.seconds = self.scenario.began, 0.0
        self.bus = Bus(self.points, self.pass_time)
        self.outcomes: dict[str, Any] = {}
        self.answers: dict[str, list[Any]] = {}
        self.stage = 0
        self.checkpoints: dict[int, str] = {}
        self._others = Others(None, {n: _Owner(self, n) for n in self._journaled}, {})  # type: ignore[arg-type,misc]
        around = Surroundings(disk(), self.bus, pack(), self.clock, self.journal, self._others.ask)
        self._processes = {
            n: Process(n, n, self._journaled, around, self.scenario.bus)
            for n in self.scenario.services
        }
        self.processes: dict[str, Process] = {}

    @property
    def _journaled(self) -> tuple[str, ...]:
        return tuple(n for n in self.scenario.services if registry(n) is not None)

    # What the processes are given.

    def clock(self) -> Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(self.time)
        return stamp

    @property
    def today(self) -> datetime.date:
        return business_date(self.clock())

    def pass_time(self, seconds: float) -> None:
        self.seconds += WAIT if self.points.calm else seconds
        self.time += datetime.timedelta(seconds=seconds)

    async def journal(self, source: str, after: int) -> AsyncIterator[list[JournalEntry]]:
        """A source's own journal, read over a connection that breaks when its process dies."""
        name = service_of(source)
        room = self.processes[name].room
        assert room is not None
        told = entries_of(room if name == source else room.access, after, follow=False)
        while entries := self._next(name, told):
            yield entries

    def _next(self, source: str, told: AsyncIterator[list[JournalEntry]]) -> list[JournalEntry]:
        """Cross the border to the process that tells. Raises Gone."""
        try:
            entries: list[JournalEntry] = alone(_anext(told))
        except Crash as crash:
            if crash.process != source:
                raise
            self._start(source)
            raise Gone(source) from None
        return entries

    # The processes.

    def _furnish(self) -> None:
        """Put the databases on the disk as the scenario finds them."""
        image = self.scenario.furnished()  # may itself be played
        disk().current.now, self.points.off = self.points, True
        disk().write(image)
        for name in self.scenario.services:
            disk().make(name)
        self.points.off = False

    def _start(self, name: str) -> None:
        """Start a process, or start it again with nothing in its memory."""
        disk().close(name)
        self.points.dead.discard(name)
        given = self._processes[name]
        self.processes[name] = Process(
            given.name, name, given.sources, given.around, given.through_bus
        ).start()

    def _called(self, name: str, calls: list[Coroutine[Any, Any, Any]]) -> list[Any]:
        """Cross a process's border: if it dies, its callers know nothing."""
        try:
            outcomes = together(calls)
            self.points.reach(name, "before the answer")
        except Crash as crash:
            if crash.process != name:
                raise
            self._start(name)
            return [Gone(name)] * len(calls)
        return outcomes

    # A look from outside.

    def quietly(self, question: Callable[[], Any]) -> Any:
        """Look at something without a point being reached."""
        self.points.off, before = True, self.points.off
        try:
            return question()
        finally:
            self.points.off = before

    def behind(self) -> list[str]:
        """Return what has not come to rest."""
        return list(self.quietly(lambda: list(self._behind())))

    def _behind(self) -> Iterator[str]:
        if self.stage < len(self.scenario.stages):
            yield f"the client, at stage {self.stage}"
        for name, process in self.processes.items():
            if process.room is not None and process.upkeep._told.get(process.name) != self.today:
                yield f"{name}, which has not told {self.today}"
            if process.sealer is not None and process.sealer.unsigned() is not None:
                yield f"{name}, which has not signed all"
            if process.room is not None and self._due(process.room):
                yield f"{name}, where something is due"
            if process.room is not None and self._uncounted(process.room):
                yield f"{name}, where denials are counted whose minute is over"
            for follower in process.followers:
                cursor, head = _cursor(follower), self.head(follower.source)
                if cursor != head:
                    yield f"{name} after {follower.source}: {cursor} of {head}"

    def _due(self, room: Any) -> int:
        return int(room.read_here(room.store.pending, self.today.isoformat())[1])

    def _uncounted(self, room: Any) -> bool:
        return bool(room.read_here(room.store.access.over, microseconds(self.clock())))

    def head(self, source: str) -> int:
        room = self.processes[service_of(source)].room
        assert room is not None
        store = room.store if source == room.source else room.store.access
        return room.read_here(store.head)

    def record(self, name: str) -> Any:
        """Return a record as it stands, or None."""
        home = homes()[name.split("/", 1)[0]]
        room = self.processes[home.service.name].room
        assert room is not None
        assert room._file is not None
        found = room.store.found_at_once(room._file, name)
        return None if found is None else home.resource.record.FromString(found.record)


def _cursor(follower: Follower) -> int:
    return follower.sink.cursors().get((follower.source, SHARD), 0)


async def _anext(told: AsyncIterator[list[JournalEntry]]) -> list[JournalEntry]:
    return await anext(told, [])


class _Owner:
    """Another process's room, as `Others` asks it."""

    def __init__(self, world: Outside, name: str) -> None:
        self._world, self._name = world, name

    async def find(self, name: str) -> Any:
        room = self._world.processes[self._name].room
        assert room is not None
        (found,) = self._world._called(self._name, [room.find(name)])
        if isinstance(found, Exception):
            raise OwnerSilent("no answer", "未响应")
        return found

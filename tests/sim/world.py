"""One run: a scenario's processes, its client, faults at their points, then healing and the demand of quiescence."""

import datetime
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.exc import OperationalError

from app.catalogue import registry
from app.others import Others
from app.settings import ROOT
from kernel.consumer import SHARD, TRANSIENT, Follower, Gap
from kernel.dates import business_date
from kernel.errors import DomainError, OwnerSilent, Silent
from kernel.journal import entries_of
from kernel.pack import Pack, load
from kernel.relay import Lost
from kernel.writer import Displaced
from luoshu.journal.v1.journal_pb2 import JournalEntry
from tests.sim.bus import Bus, BusError
from tests.sim.disk import disk
from tests.sim.points import Crash, Points, Rates
from tests.sim.process import Process, Surroundings
from tests.sim.script import OK, Call, Pass, Scenario, Until
from tests.sim.shims import simulated
from tests.sim.together import alone, together

STEPS = 14  # a stage, and as many before the client begins to be waited for
ROUNDS = 40  # after healing, in which everything has to come to rest
LOSS = 0.02  # of a step
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
class World:
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
        self._others = Others(None, {n: _Owner(self, n) for n in self._journaled})  # type: ignore[arg-type]
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
        room = self.processes[source].room
        assert room is not None
        told = entries_of(room, after, follow=False)
        while entries := self._next(source, told):
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

    # Running.

    def run(self) -> "World":
        """Play the scenario to its end. Raises AssertionError: it did not come to rest, or a call ended in a bug."""
        image = self.scenario.furnished()
        disk().current.now, self.points.off = self.points, True
        disk().write(image)
        for name in self.scenario.services:
            disk().make(name)
        self.points.off = False
        with simulated(self.random, lambda: self.seconds, self.pass_time):
            for name in self.scenario.services:
                self._start(name)
            self._play()
            self._heal()
        self.points.off = True
        disk().close()
        return self

    def _start(self, name: str) -> None:
        """Start a process, or start it again with nothing in its memory."""
        disk().close(name)
        self.points.dead.discard(name)
        given = self._processes[name]
        self.processes[name] = Process(
            given.name, name, given.sources, given.around, given.through_bus
        ).start()

    def _play(self) -> None:
        for _ in range(STEPS * (len(self.scenario.stages) + 1)):
            if self.stage == len(self.scenario.stages) and self.random.random() < 0.2:
                return
            self.random.choice(list(self._actors()))()
            self._lose()
            self.pass_time(0.05)

    def _lose(self) -> None:
        """A topic loses its end, as long as more is to come: the relay learns of it when it publishes again."""
        source = self.scenario.loses
        if source and self.stage < len(self.scenario.stages) - 1 and self.points.chance(LOSS):
            self.bus.lose(source, self.random.randint(1, 4))

    def _heal(self) -> None:
        """Chance does no more harm; whatever was begun has to end. Crashes at numbered points still happen."""
        self.points.calm = True
        for _ in range(ROUNDS):
            for step in list(self._actors()):
                step()
            if not self.behind():
                return
        raise AssertionError(f"I4: not at rest: {self.behind()}")

    def _actors(self) -> Iterator[Callable[[], None]]:
        yield self._step_client
        for name, process in list(self.processes.items()):
            for index in range(len(process.followers)):
                yield lambda name=name, index=index: self._step_follower(name, index)  # type: ignore[misc]
            if process.room is not None:
                yield lambda name=name: self._step_upkeep(name)  # type: ignore[misc]

    # The client.

    def _step_client(self) -> None:
        if self.stage == len(self.scenario.stages):
            return
        stage = self.scenario.stages[self.stage]
        if isinstance(stage, Pass):
            self.time += datetime.timedelta(days=stage.days)
        elif isinstance(stage, Until):
            if not self.quietly(lambda: stage.condition(self)):
                return
        else:
            waiting = [c for c in stage if self._waits(c)]
            for service in dict.fromkeys(c.service for c in waiting):
                self._make([c for c in waiting if c.service == service])
            if any(self._waits(c) for c in stage):
                return
        self.stage += 1

    def _waits(self, call: Call) -> bool:
        return len(self.answers.get(call.id, ())) <= call.again

    def _make(self, calls: list[Call], twin: str = "") -> None:
        """Make calls of one service at once and keep what was answered."""
        name = calls[0].service + twin
        behaviours = self.processes[name].behaviours
        outcomes = self._called(name, [_answer(behaviours[c.rpc], c) for c in calls])
        for call, outcome in zip(calls, outcomes, strict=True):
            if isinstance(outcome, UNKNOWN):
                continue
            self._keep(call, outcome)

    def _keep(self, call: Call, outcome: Any) -> None:
        if isinstance(outcome, Exception) and not isinstance(outcome, DomainError):
            raise AssertionError(f"{call.id} ended in {outcome!r}") from outcome
        code = outcome.code if isinstance(outcome, DomainError) else OK
        assert code in call.expected, f"{call.id} ended in {code or 'OK'}: {outcome}"
        self.outcomes.setdefault(call.id, outcome)
        self.answers.setdefault(call.id, []).append(outcome)

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

    # The rest.

    def _step_follower(self, name: str, index: int) -> None:
        self._guarded(name, lambda: alone(self.processes[name].followers[index]._follow()))
        if self.processes[name].name == "audit":
            self._witness()

    def _step_upkeep(self, name: str) -> None:
        self._guarded(name, lambda: alone(self.processes[name].upkeep._tick()))

    def _guarded(self, name: str, step: Callable[[], Any]) -> None:
        """One step of what tries again for ever."""
        try:
            step()
        except Crash as crash:
            assert crash.process == name, f"{crash.process} died within {name}"
            self._start(name)
        except (*EXPECTED, Gone):
            return

    def _witness(self) -> None:
        """Somebody keeps each checkpoint that is published: sizes only grow, and a size has one root."""
        from tests.sim.demands import newest_checkpoint

        newest = self.quietly(newest_checkpoint)
        if newest is None:
            return
        size, note = newest
        before = max(self.checkpoints, default=0)
        assert size >= before, f"I5: the log shrank from {before} to {size}"
        kept = self.checkpoints.setdefault(size, note)
        assert kept == note, f"I5: two checkpoints of size {size}"

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
            for follower in process.followers:
                cursor, head = _cursor(follower), self.head(follower.source)
                if cursor != head:
                    yield f"{name} after {follower.source}: {cursor} of {head}"

    def head(self, source: str) -> int:
        room = self.processes[source].room
        assert room is not None
        return room.read_here(room.store.head)

    def record(self, name: str) -> Any:
        """Return a record as it stands, or None."""
        home = _home(name)
        room = self.processes[home.service.name].room
        assert room is not None
        found = room._find([name])[0]
        return None if found is None else home.resource.record.FromString(found.record)  # type: ignore[union-attr]


def _cursor(follower: Follower) -> int:
    return follower.sink.cursors().get((follower.source, SHARD), 0)


def _home(name: str) -> Any:
    from app.catalogue import homes

    return homes()[name.split("/", 1)[0]]


async def _answer(behaviour: Any, call: Call) -> Any:
    """Make one call of a servicer, with a request of its own."""
    request = type(call.request)()
    request.CopyFrom(call.request)
    if call.rpc.startswith("Import"):
        return [answer async for answer in behaviour(_rows(request), call.who)]
    return await behaviour(request, call.who)


async def _rows(request: Any) -> AsyncIterator[Any]:
    yield request, {}


async def _anext(told: AsyncIterator[list[JournalEntry]]) -> list[JournalEntry]:
    return await anext(told, [])


class _Owner:
    """Another process's room, as `Others` asks it."""

    def __init__(self, world: World, name: str) -> None:
        self._world, self._name = world, name

    async def find(self, name: str) -> Any:
        room = self._world.processes[self._name].room
        assert room is not None
        (found,) = self._world._called(self._name, [room.find(name)])
        if isinstance(found, Exception):
            raise OwnerSilent("no answer", "未响应")
        return found

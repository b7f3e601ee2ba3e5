"""Two of every process at work on the same databases, statement by statement in an order that a seed draws.

Each is a thread, but only the one that holds the baton runs: at every point it may pass to another. So the same seed gives the
same interleaving. Who is not chosen for long is a process that was stopped and goes on later, a zombie.
"""

import datetime
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import IntegrityError

from tests.sim.disk import disk
from tests.sim.outside import EXPECTED, Gone
from tests.sim.points import Crash, Points
from tests.sim.process import Process
from tests.sim.script import Call, Pass, Until
from tests.sim.shims import MINE, simulated
from tests.sim.together import Queue
from tests.sim.world import World

TWIN = "-2"
STAY = 0.6  # how probable it is that whoever holds the baton keeps it
LAPS, MOST = 6, 400  # of a process, in which it does each of its steps once: at least, and at most


class Abandoned(BaseException):
    """Another thread failed: this one ends as well."""


@dataclass(eq=False)
class Actor:
    """A thread that runs when it holds the baton."""

    name: str
    work: Callable[[], None]
    turn: threading.Event = field(default_factory=threading.Event)
    done: bool = False


class Baton(Points):
    """Points at which another actor may go on."""

    actors: Sequence[Actor] = ()
    running: Actor | None = None
    failure: BaseException | None = None

    def reach(self, process: str, what: str) -> None:
        super().reach(process, what)
        if not self.off and self.running is not None and self.random.random() > STAY:
            self.switch()

    def switch(self, *_: object) -> None:
        """Give the baton to somebody, perhaps to oneself."""
        me = self.running
        if me is None:
            return
        self._to(self.random.choice([actor for actor in self.actors if not actor.done]))
        self._wait(me)

    def _to(self, actor: Actor) -> None:
        self.running = actor
        actor.turn.set()

    def _wait(self, me: Actor) -> None:
        assert me.turn.wait(60), f"{me.name} never gets its turn"
        me.turn.clear()
        if self.failure is not None:
            raise Abandoned

    def play(self, actors: Sequence[Actor]) -> None:
        """Run all actors to their ends. Raises what one of them raised."""
        self.actors = actors
        threads = [
            threading.Thread(target=self._run, args=(a,), name=f"{MINE} {a.name}", daemon=True)
            for a in actors
        ]
        for thread in threads:
            thread.start()
        self._to(self.random.choice(list(actors)))
        for thread in threads:
            thread.join()
        self.running = None
        if self.failure is not None:
            raise self.failure

    def _run(self, me: Actor) -> None:
        try:
            self._wait(me)
            me.work()
        except Abandoned:
            pass
        except BaseException as failure:  # noqa: BLE001 - the thread that waits for all raises it
            self.failure = failure
        me.done = True
        left = [actor for actor in self.actors if not actor.done]
        if left:
            self._to(self.random.choice(left))


class Twins(World):
    """A world in which every process runs twice, and two clients make the same calls, each of its own instances."""

    points: Baton

    def __post_init__(self) -> None:
        super().__post_init__()
        self.points = self.bus.points = Baton(self.random, self.crash_at, self.break_at, self.rates)
        for name, given in list(self._processes.items()):
            twin = Process(name, name + TWIN, given.sources, given.around, given.through_bus)
            self._processes[name + TWIN] = twin

    def pass_time(self, seconds: float) -> None:
        super().pass_time(seconds)
        self.points.switch()  # whoever sleeps lets others go on

    def run(self) -> "Twins":
        self._furnish()
        with simulated(self.random, lambda: self.seconds, self.pass_time):
            for name in self._processes:
                self._start(name)
            self.points.play(list(self._threads()))
            self.stage = len(self.scenario.stages)
            self._heal()
        self.points.off = True
        disk().close()
        return self

    def _threads(self) -> Iterator[Actor]:
        yield Actor("client", lambda: self._client("", lambda calls: calls))
        yield Actor("client-2", lambda: self._client(TWIN, lambda calls: calls[::-1]))
        for name in self._processes:
            yield Actor(name, lambda name=name: self._process(name))  # type: ignore[misc]

    def _start(self, name: str) -> None:
        super()._start(name)
        room = self.processes[name].room
        if room is not None:
            room._writes = OneByOne(room.writer.write, self.points.switch)  # type: ignore[assignment]

    # The actors.

    def _client(self, twin: str, order: Callable[[Sequence[Call]], Sequence[Call]]) -> None:
        passed = datetime.timedelta()
        for stage in self.scenario.stages:
            if isinstance(stage, Pass):
                passed += datetime.timedelta(days=stage.days)
                self._reach(passed, twin)
            elif isinstance(stage, Until):
                while not self.quietly(lambda stage=stage: stage.condition(self)):  # type: ignore[misc]
                    self.points.switch()
            else:
                for call in order(stage):
                    self._settle(call, twin)

    def _reach(self, passed: datetime.timedelta, twin: str) -> None:
        """The first client makes days pass, the other waits for it."""
        if not twin:
            self.time = self.scenario.began + passed
        while self.time < self.scenario.began + passed:
            self.points.switch()

    def _settle(self, call: Call, twin: str) -> None:
        before = len(self.answers.get(call.id, ()))
        while len(self.answers.get(call.id, ())) <= before:
            self._make([call], twin)

    @property
    def _clients_done(self) -> bool:
        return all(a.done for a in self.points.actors if a.name.startswith("client"))

    def _process(self, name: str) -> None:
        laps = 0
        while laps < LAPS or not self._clients_done:
            laps += 1
            assert laps < MOST, f"I4: {name} waits for the clients"
            for index in range(len(self.processes[name].followers)):
                self._step_follower(name, index)
            if self.processes[name].room is not None:
                self._step_upkeep(name)
            self.points.switch()

    def _guarded(self, name: str, step: Callable[[], Any]) -> None:
        """A second instance that comes too late collides, and its work fails as a whole."""
        try:
            step()
        except Crash as crash:
            self._died(crash, name)
        except (*EXPECTED, Gone, IntegrityError):
            return


class OneByOne(Queue):
    """The queue of one writer: whoever comes while it works waits."""

    def __init__(self, work: Callable[[Sequence[Any]], Sequence[Any]], wait: Callable[[], None]):
        busy: list[bool] = []

        def alone(questions: Sequence[Any]) -> Sequence[Any]:
            while busy:
                wait()
            busy.append(True)
            try:
                return work(questions)
            finally:
                busy.clear()

        super().__init__(alone)

"""One run: a scenario's processes, its client, faults at their points, then healing and the demand of quiescence."""

import datetime
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from kernel.errors import DomainError
from kernel.rpc import Rows
from services.audit.sealing import seal_next
from tests.sim.disk import disk
from tests.sim.kept import newest_checkpoint
from tests.sim.outside import EXPECTED, UNKNOWN, Gone, Outside
from tests.sim.points import Crash
from tests.sim.script import OK, Call, Pass, Until, answer_of
from tests.sim.shims import simulated
from tests.sim.together import alone

STEPS = 14  # a stage, and as many before the client begins to be waited for
ROUNDS = 40  # after healing, in which everything has to come to rest
LOSS = 0.02  # of a step


class World(Outside):
    """A scenario under faults, from its beginning until everything is at rest."""

    # Running.

    def run(self) -> "World":
        """Play the scenario to its end. Raises AssertionError: it did not come to rest, or a call ended in a bug."""
        self._furnish()
        with simulated(self.random, lambda: self.seconds, self.pass_time):
            for name in self._processes:
                self._start(name)
            self._play()
            self._heal()
        self.points.off = True
        disk().close()
        return self

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
            if process.sealer is not None:
                yield lambda name=name: self._step_sealing(name)  # type: ignore[misc]
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

    # The rest.

    def _step_follower(self, name: str, index: int) -> None:
        self._guarded(name, lambda: alone(self.processes[name].followers[index]._follow()))

    def _step_sealing(self, name: str) -> None:
        process = self.processes[name]
        assert process.sealer is not None
        sealer = process.sealer
        self._guarded(name, lambda: alone(seal_next(sealer, process.lines)))
        self._witness()

    def _step_upkeep(self, name: str) -> None:
        self._guarded(name, lambda: alone(self.processes[name].upkeep.mind()))

    def _guarded(self, name: str, step: Callable[[], Any]) -> None:
        """One step of what tries again for ever."""
        try:
            step()
        except Crash as crash:
            self._died(crash, name)
        except (*EXPECTED, Gone):
            return

    def _died(self, crash: Crash, name: str) -> None:
        assert crash.process == name, f"{crash.process} died within {name}"
        self._start(name)

    def _witness(self) -> None:
        """Somebody keeps each checkpoint that is published: sizes only grow, and a size has one root."""
        newest = self.quietly(newest_checkpoint)
        if newest is None:
            return
        size, note = newest
        before = max(self.checkpoints, default=0)
        assert size >= before, f"I5: the log shrank from {before} to {size}"
        kept = self.checkpoints.setdefault(size, note)
        assert kept == note, f"I5: two checkpoints of size {size}"


async def _answer(behaviour: Any, call: Call) -> Any:
    """Make one call of a servicer, with a request of its own."""
    request = type(call.request)()
    request.CopyFrom(call.request)
    if call.rpc.startswith("Import"):
        return [answer async for answer in behaviour(_rows(request), call.who)]
    answer = await behaviour(request, call.who)
    return answer_of(call.rpc, answer) if isinstance(answer, bytes) else answer


async def _rows(request: Any) -> AsyncIterator[Rows]:
    yield Rows(request, request.rows, {})

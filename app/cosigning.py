"""Keeps asking the witnesses for as long as the process runs, and says how old the oldest unsettled entry is."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

import structlog

from kernel import metrics
from services.audit.cosigning import Collector, Outcome, Progress

log = structlog.get_logger(__name__)

PAUSE = 1.0  # seconds between two rounds
ALARMING = {Outcome.AHEAD: "ahead", Outcome.FORKED: "forked"}


@dataclass(slots=True)
class Waiting:
    """What of one log is not settled: (its size, when that was first seen), the oldest first."""

    seen: deque[tuple[int, float]] = field(default_factory=deque)

    def age(self, progress: Progress, now: float) -> float:
        """Return the seconds for which the oldest unsettled entry has been seen."""
        if not self.seen or self.seen[-1][0] < progress.size:
            self.seen.append((progress.size, now))
        while self.seen and self.seen[0][0] <= progress.settled:
            self.seen.popleft()
        return now - self.seen[0][1] if self.seen else 0.0


class Cosigning:
    """`collectors`: one a log. What is told is the worst of all of them."""

    def __init__(self, *collectors: Collector) -> None:
        self._collectors = [(collector, Waiting()) for collector in collectors]
        self._told = dict[tuple[str, str], Outcome]()

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(PAUSE)

    async def look(self) -> None:
        """One round."""
        try:
            ages = [await self._round(*each) for each in self._collectors]
        except Exception as error:  # noqa: BLE001 - the database is away; the next round may succeed
            log.warning("audit_not_cosigned", error=type(error).__name__)
            return
        metrics.AUDIT_UNSETTLED.set(max(ages, default=0.0))

    async def _round(self, collector: Collector, waiting: Waiting) -> float:
        """Ask the witnesses for one log; return the age of its oldest unsettled entry."""
        for witness, outcome in (await asyncio.to_thread(collector.round)).items():
            self._tell(collector.log.suite.name, witness, outcome)
        return waiting.age(await asyncio.to_thread(collector.progress), time.monotonic())

    def _tell(self, suite: str, witness: str, outcome: Outcome) -> None:
        metrics.AUDIT_ANSWERS.labels(witness, outcome).inc()
        if self._told.get((suite, witness)) != outcome and outcome is not Outcome.COSIGNED:
            log.warning("audit_witness", witness=witness, outcome=outcome, log=suite)
        self._told[suite, witness] = outcome
        for kind, reason in ALARMING.items():
            metrics.AUDIT_ALARM.labels(reason).set(int(kind in self._told.values()))

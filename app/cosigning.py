"""Keeps asking the witnesses for as long as the process runs, and says how old the oldest unsettled entry is."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

import structlog

from kernel import metrics
from services.audit.cosigning import Collector, Outcome

log = structlog.get_logger(__name__)

PAUSE = 1.0  # seconds between two rounds
ALARMING = {Outcome.AHEAD: "ahead", Outcome.FORKED: "forked"}


@dataclass(slots=True)
class Cosigning:
    """`_seen`: (size of the log, when it was first seen), the oldest first, of what is not settled."""

    collector: Collector
    _seen: deque[tuple[int, float]] = field(default_factory=deque)
    _told: dict[str, Outcome] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(PAUSE)

    async def look(self) -> None:
        """One round."""
        try:
            for witness, outcome in (await asyncio.to_thread(self.collector.round)).items():
                self._tell(witness, outcome)
            progress = await asyncio.to_thread(self.collector.progress)
        except Exception as error:  # noqa: BLE001 - the database is away; the next round may succeed
            log.warning("audit_not_cosigned", error=type(error).__name__)
            return
        metrics.AUDIT_UNSETTLED.set(self._age(progress.size, progress.settled, time.monotonic()))

    def _tell(self, witness: str, outcome: Outcome) -> None:
        metrics.AUDIT_ANSWERS.labels(witness, outcome).inc()
        if self._told.get(witness) != outcome and outcome is not Outcome.COSIGNED:
            log.warning("audit_witness", witness=witness, outcome=outcome)
        self._told[witness] = outcome
        for kind, reason in ALARMING.items():
            metrics.AUDIT_ALARM.labels(reason).set(int(kind in self._told.values()))

    def _age(self, size: int, settled: int, now: float) -> float:
        """Return the seconds for which the oldest unsettled entry has been seen."""
        if not self._seen or self._seen[-1][0] < size:
            self._seen.append((size, now))
        while self._seen and self._seen[0][0] <= settled:
            self._seen.popleft()
        return now - self._seen[0][1] if self._seen else 0.0

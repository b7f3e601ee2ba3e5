"""Keeps signing what the audit stored, for as long as the process runs; damage is said, and said again.

Nothing is signed at the first difference, in no log. The alarm comes when a second reading finds it too: a source that stops
ends its journal early, and that is no damage.
"""

import asyncio

import structlog

from kernel import metrics
from services.audit.sealing import MOST, Damaged, Lines, Sealer, seal_next

log = structlog.get_logger(__name__)

PAUSE = 0.5  # seconds in which what comes is gathered, to be signed together
AFTER_ERROR = 3.0  # seconds


class Sealing:
    """`lines`: tells a source's journal, wherever it is; `sealers`: one a log."""

    def __init__(self, lines: Lines, *sealers: Sealer) -> None:
        self._lines, self._sealers, self._seen = lines, sealers, ""

    async def run(self) -> None:
        while True:
            pause = await self.look()
            await asyncio.sleep(pause)

    async def look(self) -> float:
        """Sign what can be signed; return the seconds to wait before the next look."""
        try:
            signed = [await seal_next(sealer, self._lines) for sealer in self._sealers]
        except Damaged as damage:
            self._tell(damage)
            return AFTER_ERROR
        except Exception as error:  # noqa: BLE001 - a source or the database is away; it is tried again
            log.warning("audit_not_signed", error=type(error).__name__)
            return AFTER_ERROR
        self._seen = ""
        metrics.AUDIT_ALARM.labels("damaged").set(0)
        return 0.0 if max(signed, default=0) >= MOST else PAUSE

    def _tell(self, damage: Damaged) -> None:
        if str(damage) != self._seen:
            self._seen = str(damage)
            return
        metrics.AUDIT_ALARM.labels("damaged").set(1)
        log.error("audit_damaged", index=damage.index, text=str(damage))

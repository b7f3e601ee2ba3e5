"""What a process does by itself: tell the day in its journals, measure how far its consumers are, count what is overdue."""

import asyncio
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from kernel import metrics
from kernel.consumer import SHARD, Follower
from kernel.dates import business_date
from kernel.decide import Clock
from kernel.room import Room

log = structlog.get_logger(__name__)

PAUSE = 1.0  # seconds between two looks


@dataclass(slots=True)
class Upkeep:
    rooms: Mapping[str, Room]
    followers: Sequence[Follower]
    clock: Clock
    _told: dict[str, datetime.date] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - the next look may succeed; the services go on
                log.warning("upkeep_failed", error=type(error).__name__)
            await asyncio.sleep(PAUSE)

    async def look(self) -> None:
        """One round of everything."""
        await self._tick()
        for follower in self.followers:
            await self._measure(follower)
        if "coordination" in self.rooms:
            await self._count_overdue(self.rooms["coordination"])

    async def _tick(self) -> None:
        today = business_date(self.clock())
        for name, room in self.rooms.items():
            if self._told.get(name) != today:
                await room.tick()
                self._told[name] = today

    async def _measure(self, follower: Follower) -> None:
        room = self.rooms.get(follower.source)
        if room is None:
            return  # another process has the head; the follower's own count stands
        cursors = await asyncio.to_thread(follower.sink.cursors)
        head = await room.read(room.store.head)
        metrics.journal_position(follower.source).set(head)
        behind = head - cursors.get((follower.source, SHARD), 0)
        metrics.LAG.labels(follower.sink.name, follower.source).set(max(behind, 0))

    async def _count_overdue(self, room: Room) -> None:
        from services.coordination.overdue import overdue_opinions

        today = business_date(self.clock())
        metrics.OVERDUE.set(await room.read(overdue_opinions, room.store.tables, today))

"""What a process does by itself: tell the day in its journals, let happen what is due, measure how far its consumers are."""

import asyncio
import contextlib
import datetime
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from kernel import metrics
from kernel.access import service_of
from kernel.access_room import AccessRoom
from kernel.consumer import Follower
from kernel.dates import business_date
from kernel.erasure import due_now
from kernel.errors import OwnerSilent
from kernel.events import measure
from kernel.outcome import Clock
from kernel.parking import Parks
from kernel.relay import RelaySink
from kernel.retention import term_of
from kernel.room import Room
from kernel.timekeeper import Timekeeper

log = structlog.get_logger(__name__)

PAUSE = 1.0  # seconds between two looks
FAR = 5.0  # seconds between two questions to another process, each of which is a line in its log


@dataclass(slots=True)
class Upkeep:
    """`parking`: consumers that put events aside, by name. `head`: a service's last journal position, wherever it runs."""

    rooms: Mapping[str, Room]
    followers: Sequence[Follower]
    parking: Mapping[str, Parks]
    clock: Clock
    head: Callable[[str], Awaitable[int]]
    recorders: Mapping[str, Room | AccessRoom] = field(default_factory=dict)
    _told: dict[str, datetime.date] = field(default_factory=dict)
    _keepers: dict[str, Timekeeper] = field(init=False)
    _asked: float = float("-inf")

    def __post_init__(self) -> None:
        self._keepers = {
            name: Timekeeper(room, self.clock)
            for name, room in self.rooms.items()
            if room.store.tables.deadline is not None
        }

    async def run(self) -> None:
        while True:
            for look in (self.mind, self.look):
                try:
                    await look()
                except asyncio.CancelledError:
                    raise
                except Exception as error:  # noqa: BLE001 - the next look may succeed; the services go on
                    log.warning("upkeep_failed", error=type(error).__name__)
            await asyncio.sleep(PAUSE)

    async def mind(self) -> None:
        """Tell the day, and let happen what is due on it."""
        await self._tick()
        for recorder in self.recorders.values():
            await recorder.sweep()
        for keeper in self._keepers.values():
            await keeper.look()

    async def look(self) -> None:
        """Measure."""
        heads = await self._heads()
        for follower in self.followers:
            if follower.source in heads:
                _measure(follower, heads[follower.source])
        await asyncio.to_thread(measure, self.parking.values())
        for name in self._keepers:
            await self._count_deadlines(name, self.rooms[name])
        if "coordination" in self.rooms:
            await self._count_overdue(self.rooms["coordination"])

    async def _tick(self) -> None:
        today = business_date(self.clock())
        for name, room in self.rooms.items():
            if self._told.get(name) != today:
                await room.tick()
                await self._count_due(name, room)
                self._told[name] = today

    async def _count_due(self, name: str, room: Room) -> None:
        """Tell operators, once a day, how many persons' values are due for erasure."""
        term = term_of(room.pack, business_date(self.clock()))
        due = await room.read(due_now, room.store, term) if term else 0
        metrics.RETENTION_DUE.labels(name).set(due)
        if due:
            log.info("retention_due", service=name, persons=due)

    async def _heads(self) -> dict[str, int]:
        """Return how far the journals that are followed are. Of one that is left out the last figure stands: its owner is silent,
        or in another process and was asked a moment ago.
        """
        heads: dict[str, int] = {}
        for source in self._due():
            with contextlib.suppress(OwnerSilent):
                heads[source] = await self.head(source)
                if self._is_here(source):
                    metrics.journal_position(source).set(heads[source])
        return heads

    def _is_here(self, source: str) -> bool:
        return service_of(source) in self.recorders

    def _due(self) -> set[str]:
        """Return the sources whose heads are asked for in this look."""
        sources, now = {follower.source for follower in self.followers}, time.monotonic()
        if now - self._asked < FAR:
            return {source for source in sources if self._is_here(source)}
        self._asked = now
        return sources

    async def _count_deadlines(self, name: str, room: Room) -> None:
        today = business_date(self.clock()).isoformat()
        pending, reached = await room.read(room.store.pending, today)
        metrics.PENDING.labels(name).set(pending)
        metrics.UNFIRED.labels(name).set(reached)

    async def _count_overdue(self, room: Room) -> None:
        from services.coordination.overdue import overdue_opinions

        today = business_date(self.clock())
        metrics.OVERDUE.set(await room.read(overdue_opinions, room.store.tables, today))


def _measure(follower: Follower, head: int) -> None:
    """Asks no database of the consumer's: one that its own keeps waiting is behind."""
    behind = head - follower.position
    metrics.LAG.labels(follower.sink.name, follower.source).set(max(behind, 0))
    if follower.sink.name == RelaySink.name:
        metrics.BACKLOG.labels(follower.source).set(max(behind, 0))
    if behind <= 0:  # a stream that broke at the journal's end holds nothing up
        metrics.STALLED.labels(follower.sink.name, follower.source).set(0)

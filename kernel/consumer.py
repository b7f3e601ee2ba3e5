"""Following other services' journals: a cursor that lives with its effects."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
import structlog

from kernel import metrics
from kernel.case import Caller, Role
from kernel.errors import (
    DomainError,
    Overloaded,
    OwnerSilent,
    Silent,
    Stopping,
    TooLate,
    Unsettled,
)
from kernel.outcome import Command
from kernel.room import Room
from kernel.writer import Displaced, Work
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry

log = structlog.get_logger(__name__)

T = TypeVar("T")

SHARD = 0
"""The only shard that a source has so far; cursors are keyed by it from the start."""
PAUSE, LONGEST_PAUSE = 0.2, 3.0  # seconds after a failure; doubles until something is applied
HOLE = 30.0  # seconds that a hole may stay open before its owner is asked
TRANSIENT = (Unsettled, Overloaded, OwnerSilent, Silent, Stopping, TooLate)


class Gap(Exception):
    """Positions were skipped: what lies between has to be read from the source's journal."""

    def __init__(self, source: str, expected: int, got: int) -> None:
        super().__init__(f"{source}: expected position {expected}, got {got}")
        self.source, self.expected, self.got = source, expected, got


class Sink(Protocol):
    """What a consumer does with entries. All calls come from one thread at a time."""

    @property
    def name(self) -> str: ...

    @property
    def sources(self) -> tuple[str, ...]: ...

    def cursors(self) -> Mapping[tuple[str, int], int]:
        """Return (source, shard) -> last position applied; what is absent stands at 0."""
        ...

    def apply(self, source: str, entries: Sequence[JournalEntry]) -> None:
        """Apply entries and move the cursor in one transaction.

        Raises:
            Gap: the first entry that is not yet applied does not follow the cursor.
        """
        ...


def following(
    source: str, cursor: int, entries: Sequence[JournalEntry]
) -> tuple[list[JournalEntry], Gap | None]:
    """Return what follows the cursor without a hole, and the hole that remains after it, if any.

    A restarted relay sends entries again, also in the middle of a batch, and so may fill a hole.
    Of two entries at one position the first counts, as it does between batches.
    """
    ahead = list[JournalEntry]()
    for entry in sorted(entries, key=attrgetter("position")):
        if entry.position > cursor + 1:
            return ahead, Gap(source, cursor + 1, entry.position)
        if entry.position == cursor + 1:
            ahead.append(entry)
            cursor = entry.position
    return ahead, None


def fresh(source: str, cursor: int, entries: Sequence[JournalEntry]) -> list[JournalEntry]:
    """Return the entries above the cursor, dense from cursor + 1. Raises Gap."""
    ahead, gap = following(source, cursor, entries)
    if gap is not None:
        raise gap
    return ahead


Journal = Callable[[int], AsyncIterator[list[JournalEntry]]]
"""Tells a source's journal from a position on, for as long as it runs."""


@asynccontextmanager
async def _closing(entries: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """What it reads from is closed at once, not when memory is tidied."""
    try:
        yield entries
    finally:
        if isinstance(entries, AsyncGenerator):
            await entries.aclose()


@dataclass(slots=True)
class Follower:
    """One consumer following one source, for ever: an error is logged, waited out and tried again.

    `journal`: where it reads, in order or with repeats and holes, as a bus may have them. `owner`: the source's own journal,
    which fills a hole that stays open. `turn`: of the followers that share a sink.
    `position`: the last one applied, as far as this process knows.
    """

    sink: Sink
    source: str
    journal: Journal
    owner: Journal
    turn: asyncio.Lock
    position: int = 0
    _hole: Gap | None = None
    _hole_since: float = 0.0
    _pause: float = PAUSE

    async def run(self) -> None:
        while True:
            await self._attempt()
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    async def _attempt(self) -> None:
        try:
            await self._follow()
            self._pause = PAUSE
        except Exception as error:  # noqa: BLE001 - whatever it was is said and tried again
            self._stalled(type(error).__name__, self._pause)

    async def _follow(self) -> None:
        """Read on until a hole had to be filled from its owner: what lay behind it was left, and is read again."""
        cursors = await asyncio.to_thread(self.sink.cursors)
        self.position, self._hole = cursors.get((self.source, SHARD), 0), None
        async with _closing(self.journal(self.position)) as told:
            async for entries in told:
                await self._take(entries)
                if self._hole is None:
                    metrics.STALLED.labels(self.sink.name, self.source).set(0)
                elif time.monotonic() - self._hole_since >= HOLE:
                    self._stalled("Gap", HOLE)
                    await self._fill(self._hole)
                    return

    async def _take(self, entries: Sequence[JournalEntry]) -> None:
        """Apply what follows the cursor; what comes after a hole is left: a restarted relay sends it again, the hole's too."""
        ahead, gap = following(self.source, self.position, entries)
        if ahead:
            async with self.turn:  # a sink is used by one at a time
                await asyncio.to_thread(self.sink.apply, self.source, ahead)
            self.position, self._pause = ahead[-1].position, PAUSE
        if self._hole is not None and self.position >= self._hole.expected:
            self._hole = None
        if self._hole is None and gap is not None:
            self._hole, self._hole_since = gap, time.monotonic()

    async def _fill(self, hole: Gap) -> None:
        async with _closing(self.owner(self.position)) as told:
            async for entries in told:
                await self._take(entries)
                if self.position >= hole.got - 1:
                    return

    def _stalled(self, error: str, pause: float) -> None:
        metrics.STALLED.labels(self.sink.name, self.source).set(1)
        log.warning(
            "consumer_stalled",
            consumer=self.sink.name,
            source=self.source,
            error=error,
            after=self.position,
            pause=pause,
        )


@dataclass(frozen=True, slots=True)
class Reaction:
    """What an entry means to a service: commands for its own records, and what to remember of the source's record.

    `known`: (name, state, title, position) of the record that the entry tells of.
    """

    commands: tuple[Command, ...] = ()
    known: tuple[tuple[str, str, str, int], ...] = ()


React = Callable[[JournalEntry], Reaction]


@dataclass(slots=True)
class RoomSink:
    """A consumer that is itself a service with a journal: its effects are commands, its cursor is in their transaction."""

    room: Room
    name: str
    reactions: Mapping[str, React]
    loop: asyncio.AbstractEventLoop

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(self.reactions)

    def cursors(self) -> Mapping[tuple[str, int], int]:
        return self.room.read_here(self.room.store.cursors)

    def apply(self, source: str, entries: Sequence[JournalEntry]) -> None:
        cursor = self.cursors().get((source, SHARD), 0)
        ahead = fresh(source, cursor, entries)
        if ahead:
            asyncio.run_coroutine_threadsafe(self._apply(source, cursor, ahead), self.loop).result()

    async def _apply(self, source: str, cursor: int, entries: Sequence[JournalEntry]) -> None:
        react = self.reactions[source]
        reactions = [react(entry) for entry in entries]
        commands = tuple(command for reaction in reactions for command in reaction.commands)
        known = [row for reaction in reactions for row in reaction.known]
        last = entries[-1].position

        def effects(tx: sa.Connection) -> None:
            store = self.room.store
            if store.cursors(tx).get((source, SHARD), 0) != cursor:
                raise Displaced(source)
            store.put_known(tx, known)
            store.put_cursor(tx, source, SHARD, last)

        outcomes = await self.room.write(Work(commands, effects=effects))
        for command, outcome in zip(commands, outcomes, strict=True):
            self._judge(command, outcome)

    def _judge(self, command: Command, outcome: Any) -> None:
        """A refusal is final: the record has moved on. Anything else must be tried again."""
        if isinstance(outcome, DomainError) and not isinstance(outcome, TRANSIENT):
            log.warning(
                "reaction_refused",
                consumer=self.name,
                action=command.action,
                record=command.name,
                code=outcome.code,
            )
        elif isinstance(outcome, Exception):
            raise outcome


def remembered(entry: JournalEntry, change: Change, record: Any) -> Reaction:
    """Return the reaction that keeps a record's name, state and title, so that it can be referred to."""
    return Reaction(known=((record.name, change.to_state, record.title, entry.position),))


def command_of(
    consumer: str, entry: JournalEntry, action: str, name: str, request: Any, given: Any = None
) -> Command:
    """Return the command that an entry leads to; its request id follows from the entry, so that it is done once."""
    request_id = f"{consumer}~{entry.source}~{entry.position}~{action}"
    caller = Caller(consumer, "SYSTEM", frozenset({Role.SYSTEM}))
    return Command(action, name, request, request_id, request_id.encode(), caller, given=given)

"""Following other services' journals: a cursor that lives with its effects."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Protocol

import grpc
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
from kernel.parking import WAITING, Parked, Parks, record_of, split
from kernel.room import Room
from kernel.turns import Journal, Turns
from kernel.writer import Displaced, Effects, Work
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry

log = structlog.get_logger(__name__)

TOGETHER = 25
"""Entries that are looked at in one transaction, a few milliseconds each: so long its service decides nothing else."""
SHARD = 0
"""The only shard that a source has so far; cursors are keyed by it from the start."""
PAUSE, LONGEST_PAUSE = 0.2, 3.0  # seconds after a failure; doubles until something is applied
SAID_AGAIN = (
    60.0  # seconds between two log lines of the same trouble; it is tried again all the while
)
REST = 0.1
"""Seconds from one look of a service at another's journal to the next, where there was something: what comes meanwhile is taken
together, and the processors are left to what people wait for.
"""
FEW = 20
"""Entries of a look from which on the source may have more by now: a follower that is behind does not rest."""
HOLE = 30.0  # seconds that a hole may stay open before its owner is asked
NOTHING_SAID = ("", 0.0)
TRIES = 5  # of an event alone, before it is parked
TRANSIENT = (Unsettled, Overloaded, OwnerSilent, Silent, Stopping, TooLate)


class Gap(Exception):
    """Positions were skipped: what lies between has to be read from the source's journal."""

    def __init__(self, source: str, expected: int, got: int) -> None:
        super().__init__(f"{source}: expected position {expected}, got {got}")
        self.source, self.expected, self.got = source, expected, got


class Stuck(Exception):
    """The consumer cannot go on, whatever event comes next."""


POISON = (sa.exc.DataError, sa.exc.IntegrityError)
"""What a database refuses of an event; its other errors are its own trouble."""
CIRCUMSTANCES = (
    *TRANSIENT, Gap, Stuck, Displaced, sa.exc.DBAPIError, sa.exc.TimeoutError, OSError, MemoryError
)  # fmt: skip


def is_poison(error: Exception) -> bool:
    """Tell whether an event itself may be what cannot be applied; what is away or busy comes back."""
    return isinstance(error, POISON) or not isinstance(error, CIRCUMSTANCES)


class Sink(Protocol):
    """What a consumer does with entries. One follower at a time applies (`kernel.turns`); the rest is asked at any time."""

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


@dataclass(slots=True)
class Follower:
    """One consumer following one source, for ever: an error is logged, waited out and tried again.

    `journal`: where it reads, in order or with repeats and holes, as a bus may have them. `owner`: the source's own journal,
    which fills a hole that stays open. `turns`: of the followers that share a sink. `rest`: seconds from taking a few to
    reading on, at least.
    `position`: the last one applied, as far as this process knows. What is read is taken where it is read, in a thread: the
    event loop hears of it afterwards.
    """

    sink: Sink
    source: str
    journal: Journal
    owner: Journal
    turns: Turns
    rest: float = 0.0
    position: int = 0
    _hole: Gap | None = None
    _hole_since: float = 0.0
    _rested: float = 0.0  # when it reads on at the earliest
    _pause: float = PAUSE
    _suspect: int = 0  # up to here one entry at a time is applied: one of them failed
    _tries: tuple[int, int] = (0, 0)  # position, how often it failed alone
    _said: tuple[str, float] = NOTHING_SAID  # the last trouble that was logged, and when

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
            self._stalled(error, self._pause)

    async def _follow(self) -> None:
        """Read on until a hole had to be filled from its owner: what lay behind it was left, and is read again."""
        cursors = await asyncio.to_thread(self.sink.cursors)
        self.position, self._hole = cursors.get((self.source, SHARD), 0), None
        async with aclosing(self.journal(self.position, self._take)) as taken:
            async for count in taken:
                if self._hole is None:
                    metrics.STALLED.labels(self.sink.name, self.source).set(0)
                elif time.monotonic() - self._hole_since >= HOLE:
                    self._stalled(self._hole, HOLE)
                    await self._fill(self._hole)
                    return
                if self.rest and 0 < count < FEW:
                    await asyncio.sleep(self._rested - time.monotonic())

    def _take(self, entries: Sequence[JournalEntry]) -> None:
        """Apply what follows the cursor; what comes after a hole is left: a restarted relay sends it again, the hole's too."""
        self._rested = time.monotonic() + self.rest
        ahead, gap = following(self.source, self.position, entries)
        for some in self._groups(ahead):
            with self.turns:
                self._apply(some)
            self.position, self._pause, self._said = some[-1].position, PAUSE, NOTHING_SAID
        if self._hole is not None and self.position >= self._hole.expected:
            self._hole = None
        if self._hole is None and gap is not None:
            self._hole, self._hole_since = gap, time.monotonic()

    def _groups(self, ahead: list[JournalEntry]) -> list[list[JournalEntry]]:
        """Return what is applied together: all, or where something failed one by one, so that it shows which it was."""
        alone = [[entry] for entry in ahead if entry.position <= self._suspect]
        rest = ahead[len(alone) :]
        return [*alone, rest] if rest else alone

    def _apply(self, entries: list[JournalEntry]) -> None:
        try:
            self.sink.apply(self.source, entries)
        except Exception as error:
            if not is_poison(error):
                raise
            self._suspect = max(self._suspect, entries[-1].position)
            if len(entries) > 1 or not self._parks(entries[0], error):
                raise

    def _parks(self, entry: JournalEntry, error: Exception) -> bool:
        """Park an entry that failed alone so often, where the sink can; tell whether it is parked."""
        failed, tries = self._tries
        tries = tries + 1 if failed == entry.position else 1
        self._tries = entry.position, tries
        if tries < TRIES or not isinstance(self.sink, Parks):
            return False
        self.sink.park(self.source, entry, type(error).__name__, tries)
        log.error(
            "event_parked",
            consumer=self.sink.name,
            source=self.source,
            position=entry.position,
            record=record_of(entry),
            error=type(error).__name__,
        )
        return True

    async def _fill(self, hole: Gap) -> None:
        async with aclosing(self.owner(self.position, self._take)) as taken:
            async for _ in taken:
                if self.position >= hole.got - 1:
                    return

    def _stalled(self, error: Exception, pause: float) -> None:
        metrics.STALLED.labels(self.sink.name, self.source).set(1)
        kind = type(error).__name__
        if not self._is_news(kind):
            return
        log.warning(
            "consumer_stalled",
            consumer=self.sink.name,
            source=self.source,
            error=kind,
            after=self.position,
            pause=pause,
            says=self._in_words(error),
        )

    def _is_news(self, kind: str) -> bool:
        """Tell whether a trouble is to be logged: at once, then once a minute for as long as nothing is applied."""
        said, when = self._said
        if kind == said and time.monotonic() - when < SAID_AGAIN:
            return False
        self._said = kind, time.monotonic()
        return True

    def _in_words(self, error: Exception) -> str:
        if isinstance(error, (grpc.RpcError, *TRANSIENT)):
            return (
                f"waits for {self.source} to answer; its events are kept there and read once it does"
                f" · 等待 {self.source} 响应；其事件仍保存在该服务，恢复后继续读取"
            )
        return f"cannot go on with {self.source}; tried again · 无法继续处理 {self.source} 的事件，将重试"


@dataclass(frozen=True, slots=True)
class Reaction:
    """What an entry means to a service: commands for its own records, and what to remember of the source's record.

    `known`: (name, state, title, position) of the record that the entry tells of. `effects`: rows of the service's own tables,
    written in the transaction of the cursor.
    """

    commands: tuple[Command, ...] = ()
    known: tuple[tuple[str, str, str, int], ...] = ()
    effects: Effects | None = None


Standing = tuple[int, frozenset[str]]
"""A consumer's cursor, and the records whose events wait."""
React = Callable[[JournalEntry], Reaction]


class Looking(Protocol):
    """A reaction that depends on what earlier entries left in the service's own tables."""

    def concerns(self, entry: JournalEntry) -> bool:
        """Tell whether it would look at the entry."""
        ...

    def look(self, tx: sa.Connection, entry: JournalEntry) -> Reaction:
        """Return what the entry means, all before it being applied; `tx` reads."""
        ...


@dataclass(slots=True)
class RoomSink:
    """A consumer that is itself a service with a journal: its effects are commands, its cursor is in their transaction."""

    room: Room
    name: str
    reactions: Mapping[str, React]
    loop: asyncio.AbstractEventLoop
    looks: Mapping[str, Looking] = field(default_factory=dict)
    _known: dict[str, Standing] = field(default_factory=dict, init=False)
    _stopping: bool = field(default=False, init=False)

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(self.reactions)

    def cursors(self) -> Mapping[tuple[str, int], int]:
        self._known.clear()
        return self.room.read_here(self.room.store.cursors)

    def hurry(self) -> None:
        """Leave what is being applied behind the transaction under way. To be called from any thread."""
        self._stopping = True

    def apply(self, source: str, entries: Sequence[JournalEntry]) -> None:
        """Raises Stopping: `hurry` was called."""
        remembered = source in self._known
        try:
            self._go_on(source, entries)
        except (Displaced, Gap):
            if not remembered:
                raise
            self._go_on(source, entries)  # another process did more meanwhile: from where it is now

    def _go_on(self, source: str, entries: Sequence[JournalEntry]) -> None:
        try:
            ahead = fresh(source, self._at_last(source)[0], entries)
            while ahead:
                if self._stopping:
                    raise Stopping.now()
                done = self._quiet(source, ahead[:TOGETHER])
                if not done:
                    part = self._first(source, ahead)
                    self._apply(source, part)
                    done = len(part)
                ahead = ahead[done:]
        except BaseException:
            self._known.pop(source, None)
            raise

    def _at_last(self, source: str) -> Standing:
        """Return how this process left it; the transaction that goes on from there finds out if another did more."""
        at = self._known.get(source)
        if at is None:
            at = self._known[source] = self.room.read_here(self._standing, source)
        return at

    def _quiet(self, source: str, entries: Sequence[JournalEntry]) -> int:
        """Apply the first entries that lead to no command in one transaction, each seeing what those before it left.

        Return how many; an import's thousand rows would else be as many transactions.
        """
        look, done = self.looks.get(source), 0
        if look is None or len(entries) == 1:
            return 0

        def effects(tx: sa.Connection) -> None:
            nonlocal done
            done = 0  # the transaction may be done again
            if self._standing(tx, source) != (entries[0].position - 1, frozenset()):
                return
            for entry in entries:
                reactions = self._without_commands(tx, source, look, entry)
                if reactions is None:
                    break
                self.room.store.put_known(tx, _known(reactions))
                _do(tx, reactions)
                done += 1
            if done:
                self.room.store.put_cursor(tx, source, SHARD, entries[done - 1].position)

        self._write(Work(effects=effects))
        if done:
            self._known[source] = entries[done - 1].position, frozenset()
        return done

    def _without_commands(
        self, tx: sa.Connection, source: str, look: Looking, entry: JournalEntry
    ) -> list[Reaction] | None:
        """Return what an entry means. None: it leads to commands, or fails, and is taken by itself."""
        try:
            reactions = [self.reactions[source](entry)]
            if look.concerns(entry):
                reactions.append(look.look(tx, entry))
        except sa.exc.DBAPIError:
            raise
        except Exception:  # noqa: BLE001 - by itself it is tried again, and parked
            return None
        return None if any(reaction.commands for reaction in reactions) else reactions

    def _first(self, source: str, entries: Sequence[JournalEntry]) -> Sequence[JournalEntry]:
        """Return the entries of one transaction: one that is looked at closes it, so that the next one sees its effects."""
        look = self.looks.get(source)
        for count, entry in enumerate(entries, 1):
            if look and look.concerns(entry):
                return entries[:count]
        return entries

    def _apply(self, source: str, entries: Sequence[JournalEntry]) -> None:
        at, blocked = self._at_last(source)
        ahead = fresh(source, at, entries)
        if not ahead:
            return
        store = self.room.store
        free, waiting = split(ahead, blocked)
        reactions, last = self._meant(source, free), ahead[-1].position

        def effects(tx: sa.Connection) -> None:
            if store.go_on(tx, source, SHARD, last, _known(reactions)) != (at, blocked):
                raise Displaced(source)
            store.parking.put(tx, waiting, WAITING, 0)

        self._react(reactions, effects)
        self._known[source] = last, blocked

    def _standing(self, tx: sa.Connection, source: str) -> Standing:
        """Return the cursor, and the records whose events wait."""
        return self.room.store.standing(tx, source, SHARD)

    def _meant(self, source: str, entries: Sequence[JournalEntry]) -> list[Reaction]:
        return [reaction for entry in entries for reaction in self._reactions(source, entry)]

    def _react(self, reactions: Sequence[Reaction], effects: Effects) -> None:
        """Do what entries mean, with `effects`, which keep the names, in the same transaction."""
        commands = tuple(command for reaction in reactions for command in reaction.commands)

        def all_effects(tx: sa.Connection) -> None:
            effects(tx)
            _do(tx, reactions)

        self._write(Work(commands, effects=all_effects))

    def _reactions(self, source: str, entry: JournalEntry) -> Iterator[Reaction]:
        yield self.reactions[source](entry)
        look = self.looks.get(source)
        if look and look.concerns(entry):
            yield self.room.read_here(look.look, entry)

    def _write(self, work: Work) -> None:
        """Write from a thread, and wait for it."""
        asyncio.run_coroutine_threadsafe(self._written(work), self.loop).result()

    async def _written(self, work: Work) -> None:
        outcomes = await self.room.write(work)
        for command, outcome in zip(work.commands, outcomes, strict=True):
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

    # kernel.parking.Parks

    def parked(self) -> list[Parked]:
        return self.room.read_here(self.room.store.parking.rows)

    def park(self, source: str, entry: JournalEntry, error: str, tries: int) -> None:
        """Put an entry aside and move the cursor past it. Raises Displaced."""
        store = self.room.store

        def effects(tx: sa.Connection) -> None:
            if store.cursors(tx).get((source, SHARD), 0) != entry.position - 1:
                raise Displaced(source)
            store.parking.put(tx, [entry], error, tries)
            store.put_cursor(tx, source, SHARD, entry.position)

        self._known.pop(source, None)
        self._write(Work(effects=effects))

    def redrive(self, parked: Parked) -> None:
        """Do what a parked event means, and take it out. Raises Displaced."""
        store, reactions = self.room.store, self._meant(parked.source, [parked.entry])

        def effects(tx: sa.Connection) -> None:
            if not store.parking.is_first(tx, parked):
                raise Displaced(parked.source)
            store.parking.take(tx, parked)
            store.put_known(tx, _known(reactions))

        self._known.pop(parked.source, None)
        self._react(reactions, effects)

    def failed_again(self, parked: Parked, error: str) -> None:
        parking = self.room.store.parking
        self._write(Work(effects=lambda tx: parking.failed_again(tx, parked, error)))


def _known(reactions: Iterable[Reaction]) -> list[tuple[str, str, str, int]]:
    return [row for reaction in reactions for row in reaction.known]


def _do(tx: sa.Connection, reactions: Iterable[Reaction]) -> None:
    for reaction in reactions:
        if reaction.effects:
            reaction.effects(tx)


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


def leads_to(
    consumer: str, entry: JournalEntry, action: str, name: str, request: Any, given: Any = None
) -> Reaction:
    """Return the reaction that is one command."""
    return Reaction((command_of(consumer, entry, action, name, request, given),))

"""A service at work: its database, its writer and reader, and what wakes those who wait for its journal."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from kernel import database
from kernel.access import Access
from kernel.access_store import AccessJournal
from kernel.case import Reference
from kernel.columns import microseconds
from kernel.commands import Commands
from kernel.copier import Copier, can_copy
from kernel.database import Glances
from kernel.errors import DomainError, Silent, UnknownReference
from kernel.gather import Gatherer, LoopGatherer
from kernel.lists import Lists
from kernel.notices import Notices
from kernel.outcome import Clock, Command, JournalRow, Outcome, Settled
from kernel.pack import Pack
from kernel.pages import Tokens
from kernel.personal import Vault, commitments, reveal, unseal
from kernel.registry import Service
from kernel.store import Found, Store, Told
from kernel.tide import Tide, lines_above
from kernel.writer import Work, Writer, crashed

if TYPE_CHECKING:
    from kernel.reader import Reader

log = structlog.get_logger(__name__)

T = TypeVar("T")
Lines = Sequence[Told | JournalRow]
"""Lines of a journal, as they were read or as they were just written."""
Ask = Callable[[str], Awaitable[Reference | None]]
"""Asks the owner of a record of another service; None: it has none. Raises OwnerSilent."""

TAIL, TAIL_BYTES = 500, 1024 * 1024  # journal lines, and about how many bytes, read at a time
READERS = 64  # whose questions about the journal are answered together
STREAMS = 2_000  # that may ask in one moment: who watches was let in already, and is not turned away in the middle
LIGHT = 128  # commands that the loop decides at once: 3 ms
GROUP = 256  # commands that may wait in any case, for few commits carry them
REFERENCES = 64  # references of one request that may have to be asked for


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a service needs from outside. `url`: SQLAlchemy's, of its database. `secret`: 32 bytes, never in a database."""

    url: str
    secret: bytes
    pack: Pack
    clock: Clock
    ask: Ask
    most: int = 256


class Room:
    """Made in the event loop that serves it; the schema must be there."""

    def __init__(self, service: Service, circumstances: Circumstances) -> None:
        c = circumstances
        self.service, self.pack, self._ask = service, c.pack, c.ask
        self.writing, self._reading = database.writing(c.url), database.reading(c.url)
        self.store, self.vault = Store(service, self.writing), Vault(c.secret)
        copies = not self.store.postgres and can_copy()
        self._copier = Copier(self.writing, service.name) if copies else None
        self.tide, self.tokens, self.commands = Tide(), Tokens(c.secret), Commands(c.secret)
        self.lists = Lists(self.store, self.tokens)
        self._others = 0  # works that are no import's and not done yet
        self.writer = Writer(
            self.store, self.writing, c.pack, self.vault, c.clock, lambda: self._others > 0
        )
        self.access = AccessJournal(service.name, self.store.access, self.read, Tide())
        self.source, self.mark, self._clock = service.name, self.commands.mark, c.clock
        self._woken = 0
        self._aside = ThreadPoolExecutor(1, f"{service.name}-writer")
        self._writes = self._gatherer(c.most)
        self._file = None if self.store.postgres else Glances(database.reading(c.url))
        self._reader = self._reader_of(c.url) if self._file is None else None
        self._tails: Gatherer[int, list[Told]] = Gatherer(
            self._told, name=f"{service.name}-tail", most=READERS, least=STREAMS
        )

    def _gatherer(
        self, most: int
    ) -> Gatherer[Work, list[Outcome]] | LoopGatherer[Work, list[Outcome]]:
        """Return who has works written together: a thread where they go to a file, else the loop."""
        said: Any = {"most": most, "least": GROUP, "after": self._wake}
        said["weigh"] = lambda work: len(work.commands)
        if self.store.postgres:
            return LoopGatherer(self._written, lingers=True, **said)
        return Gatherer(self.writer.write, name=f"{self.source}-writer", **said)

    async def _written(self, works: Sequence[Work]) -> list[list[Outcome] | Exception]:
        """Write. On a server the loop does it itself and waits for it, for to wake a thread takes longer than a change; in a
        thread goes what would hold the loop up.
        """
        if sum(len(work.commands) for work in works) <= LIGHT and not any(w.effects for w in works):
            return await database.in_loop(self.writer.write, works)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._aside, self.writer.write, works)

    async def write(self, work: Work) -> list[Outcome]:
        """Return the outcome of each command. References that no event told of are asked for, outside of the transaction."""
        outcomes = await self._put(work)
        if UnknownReference not in map(type, outcomes):
            return outcomes
        outcomes = await self._asking(work, outcomes)
        if work.effects and not any(map(crashed, outcomes)):  # they waited for the answers
            await self._put(Work(effects=work.effects))
        return outcomes

    async def _put(self, work: Work) -> list[Outcome]:
        """Have work written. As long as any but an import's waits, that of an import ends with the message that it is at."""
        if work.ends:
            return await self._writes.ask(work)
        self._others += 1
        try:
            return await self._writes.ask(work)
        finally:
            self._others -= 1

    async def _asking(self, work: Work, outcomes: list[Outcome]) -> list[Outcome]:
        for _ in range(REFERENCES):
            unknown = {o.name for o in outcomes if isinstance(o, UnknownReference)}
            asked = tuple(r for r in [await self._ask(name) for name in sorted(unknown)] if r)
            if not asked:
                break
            outcomes = await self._again(work, outcomes, asked)
            work = _knowing(work, asked)
        return outcomes

    async def _again(
        self, work: Work, outcomes: list[Outcome], asked: tuple[Reference, ...]
    ) -> list[Outcome]:
        """Decide again what an unknown reference stopped; the rest is done."""
        open_ = [work.atomic or isinstance(outcome, UnknownReference) for outcome in outcomes]
        commands = _knowing(work, asked).commands
        again = tuple(c for c, o in zip(commands, open_, strict=False) if o)
        answers = iter(await self._put(Work(again, work.atomic)))
        return [next(answers) if o else old for o, old in zip(open_, outcomes, strict=True)]

    async def record(self, *said: Access) -> None:
        """Keep access events: with what else is to be written at the moment."""
        if said:
            await self._put(Work(access=said))

    async def sweep(self) -> None:
        """End the minutes of denials that are over, where there are any."""
        if await self.read(self.store.access.over, microseconds(self._clock())):
            await self._put(Work(sweep=True))

    async def in_turn(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work(connection)` in a transaction that holds the journal's head. It must not raise but for the database."""
        done = list[T]()
        await self._put(Work(effects=lambda tx: done.append(work(tx))))
        self.access.rise(await self.access.head())
        return done[-1]

    def now(self) -> Timestamp:
        return self._clock()

    async def settle(self, command: Command) -> Settled:
        """Return one command's outcome, or raise it."""
        (settled,) = accepted(await self.write(Work((command,))))
        return settled

    async def find(self, name: str) -> Found | None:
        """Return one record as it stands. Of a file it is read here: to wake a thread takes ten times as long, and it takes
        the interpreter from the loop. A server is asked for all that the moment wants, by the loop itself. Raises Silent.
        """
        if self._reader is not None:
            return await self._reader.ask(name)
        assert self._file is not None  # noqa: S101 - one of the two is there
        return self.store.found_at_once(self._file, name)

    def _reader_of(self, url: str) -> "Reader[Found]":
        from kernel.reader import Reader  # psycopg is not loaded where SQLite is all there is

        engine, store = database.reading(url), self.store
        return Reader(engine, store.asking, store.found, name=f"{self.source}-reader")

    async def read(self, question: Callable[..., T], *args: Any) -> T:
        """Run `question(connection, *args)` in one read transaction, in a thread."""
        return await asyncio.to_thread(self.read_here, question, *args)

    def read_here(self, question: Callable[..., T], *args: Any) -> T:
        """The same in the caller's own thread: one that waits for another of the pool can wait for ever. Raises Silent."""
        with database.looking(self._reading) as tx:
            return question(tx, *args)

    def tell(self, after: int, *, follow: bool) -> AsyncIterator[Lines]:
        """Yield journal lines above a position, some at a time; with `follow` for as long as the service runs."""
        read = self._next if follow else self._tails.ask
        return lines_above(after, read, self.tide, follow=follow)

    async def _next(self, after: int) -> Lines:
        """Return what comes next. What this process wrote last needs no query, nor does the end behind it: of what another
        process writes one is told.
        """
        lines, last = self.writer.lines, self.writer.position
        if lines and lines[0].position == after + 1:
            return lines
        return () if 0 < after == last >= self._woken else await self._tails.ask(after)

    def _told(self, positions: Sequence[int]) -> list[list[Told] | Exception]:
        """Whoever waits at the journal's end asks for the same lines: they are read once."""
        with database.looking(self._reading) as tx:
            told = {after: self.store.told(tx, after, TAIL, TAIL_BYTES) for after in set(positions)}
        return [told[after] for after in positions]

    def _wake(self, head: int = 0) -> None:
        """Wake those who wait, once a position: not for what changed nothing, nor again for what is told."""
        self.access.rise(self.writer.access_position)
        head = max(head, self.writer.position)
        if head > self._woken:
            self._woken = head
            self.tide.rise()
            if self._copier is not None:
                self._copier.reach(head)

    def has_its_secret(self) -> bool:
        """Tell whether the database was written with this secret, as far as it can tell."""
        key = self.read_here(self.store.some_key)
        return key is None or self.vault.opens(key)

    async def show_persons(self, records: Sequence[Any]) -> None:
        """Put personal values where commitments stand; what was erased stays a commitment."""
        marks = [mark for record in records for mark in commitments(record)]
        if not marks:
            return
        values = await self.read(self._values, marks)
        for record in records:
            reveal(record, values)

    def _values(self, tx: sa.Connection, marks: list[str]) -> dict[str, str]:
        opened = {
            sealed.commitment: unseal(self.vault.unwrap(key), sealed.commitment, sealed.value)
            for sealed, key in self.store.personal(tx, marks)
        }
        return {mark: value for mark, value in opened.items() if value is not None}

    async def tick(self) -> None:
        """Tell the day in the journal, if nothing told it yet."""
        await self._put(Work(tick=True))

    async def look_out(self) -> None:
        """Wake those who wait when another process has written: at its notice, or at the next look."""
        turn, loop = asyncio.Event(), asyncio.get_running_loop()
        wake = partial(loop.call_soon_threadsafe, turn.set)
        with Notices(self._reading, self.service.name, self.store.sign, wake) as notices:
            while not self.tide.ended:
                try:
                    self._wake(await self.read(self.store.head))
                    self.access.rise(await self.access.head())
                except Exception as error:  # noqa: BLE001 - whatever it was, the next look may see
                    if not isinstance(error, Silent):  # a database that is away comes back
                        log.warning("look_failed", error=type(error).__name__)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(turn.wait(), notices.pause)
                turn.clear()

    async def head(self) -> int:
        return int(await self.read(self.store.head))

    def end(self) -> None:
        """Let go of those who wait at the ends of the journals."""
        self.tide.end()
        self.access.end()

    def close(self) -> None:
        """Answer what is queued, then leave the database."""
        self._writes.close()
        self._aside.shutdown()
        self.writer.leave()
        if self._copier is not None:
            self._copier.close()
        if self._reader is not None:
            self._reader.close()
        self._tails.close()
        if self._file is not None:
            self._file.close()
        self.writing.dispose()
        self._reading.dispose()


def _knowing(work: Work, asked: tuple[Reference, ...]) -> Work:
    commands = tuple(c._replace(asked=(*c.asked, *asked)) for c in work.commands)
    return Work(commands, work.atomic)


def accepted(outcomes: Sequence[Outcome]) -> list[Settled]:
    """Return outcomes none of which is a refusal. Raises the first that is."""
    settled: list[Settled] = []
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
        settled.append(outcome)
    return settled


def refusal(outcome: Outcome) -> DomainError | None:
    """Return a refusal; a crash is raised. None: it was accepted."""
    if isinstance(outcome, DomainError):
        return outcome
    if isinstance(outcome, Exception):
        raise outcome
    return None

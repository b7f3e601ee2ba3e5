"""Many commands, one transaction: lock, read, decide each, write, commit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import sqlalchemy as sa
import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from kernel import metrics
from kernel.access import Access, Kind, denial_code
from kernel.columns import microseconds
from kernel.database import Kept, pause
from kernel.decide import Batch, decide_all, decide_together, names_of
from kernel.errors import Denied, DomainError, Hidden, UnknownReference, Unsettled
from kernel.ledger import Overdrawn
from kernel.opening import Moved, Opening
from kernel.outcome import Clock, Command, JournalRow, Outcome
from kernel.pack import Pack
from kernel.personal import Vault
from kernel.store import Head, Store, TransactionLoader

log = structlog.get_logger(__name__)

ATTEMPTS = 5
PAUSE = 0.02  # seconds before a second attempt; doubles
ALONE = 8  # transactions in a row before which nobody else wrote; then that is expected of the next
MANY = 100  # journal lines that PostgreSQL writes while those behind them are decided
FEW = 64  # journal lines that are kept for those who wait for them
Effects = Callable[[sa.Connection], None]


class Displaced(Exception):
    """Another instance of the same consumer has moved the cursor in between."""


@dataclass(slots=True)
class Work:
    """Commands that came together. `atomic`: all or nothing. `effects`: written in the same transaction, unless one is open.

    `ends`: where the commands are several requests of one stream, how many there are up to the end of each. Then the outcomes
    may be those of the first requests only: nothing of one is done before the one ahead of it is settled, nor of one that
    is not the first before all its outcomes are.
    `tick`: tell the day, if the journal has no event of it yet. `access`: for the access journal. `sweep`: end its minutes that
    are over.
    """

    commands: tuple[Command, ...] = ()
    atomic: bool = False
    ends: tuple[int, ...] = ()
    tick: bool = False
    effects: Effects | None = None
    access: tuple[Access, ...] = ()
    sweep: bool = False

    @property
    def requests(self) -> list[tuple[Command, ...]]:
        if self.atomic or not self.ends:
            return [self.commands]
        return [self.commands[start:end] for start, end in pairwise((0, *self.ends))]

    @property
    def first(self) -> "Work":
        """The first of the requests alone."""
        return Work(self.commands[: self.ends[0]])


@dataclass(slots=True)
class Writer:
    """Used by one thread. `pack`: gives the policy of the day; `clock`: the time in UTC.

    `hurried`: tells whether others wait; then requests of one stream that are not begun are left for the next transaction.
    `lines`: what the last transaction wrote into the journal, where that was little.
    """

    store: Store
    engine: sa.Engine
    pack: Pack
    vault: Vault
    clock: Clock
    hurried: Callable[[], bool] = lambda: False
    position: int = field(default=0, init=False)
    access_position: int = field(default=0, init=False)
    lines: Sequence[JournalRow] = field(default=(), init=False)
    _kept: Kept = field(init=False)
    _left: Head | None = field(default=None, init=False)
    _alone: int = field(default=0, init=False)  # transactions before which nobody else wrote

    def __post_init__(self) -> None:
        self._kept = Kept(self.engine)

    def write(self, works: Sequence[Work]) -> list[list[Outcome] | Exception]:
        """Return each work's outcomes. Works that one row spoils are done again one by one."""
        try:
            return list(self._settled(works))
        except (sa.exc.DataError, sa.exc.IntegrityError, Overdrawn, Displaced) as error:
            if len(works) > 1:
                return [self.write([work])[0] for work in works]
            (work,) = works
            return self.write([work.first]) if len(work.ends) > 1 else [error]
        except sa.exc.DBAPIError as error:  # the database's own trouble: one by one would add to it
            log.warning("write_unsettled", error=type(error.orig).__name__, works=len(works))
            return [_unsettled() for _ in works]

    def _settled(self, works: Sequence[Work]) -> Sequence[list[Outcome]]:
        """Commit, again when the database asks for it: a serialisation failure or a lock's timeout before anything was done."""
        for attempt in range(ATTEMPTS):
            try:
                return self._committed(works)
            except sa.exc.OperationalError as error:
                if attempt == ATTEMPTS - 1 or not _again(error):
                    raise
                pause(PAUSE * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _committed(self, works: Sequence[Work]) -> list[list[Outcome]]:
        try:
            return self._commit(works)
        except Moved:
            self._alone = 0
            return self._commit(works)

    def _commit(self, works: Sequence[Work]) -> list[list[Outcome]]:
        with self._kept.transaction() as tx:
            opening = self._opening(tx, works)
            batch, outcomes = self._decided(opening, tx, works)
            told = self._tell(opening, batch, works, outcomes)
            if told and not batch.journal:
                self.store.notify(tx)
            effects = [
                work.effects
                for work, decided in zip(works, outcomes, strict=True)
                if work.effects and not any(map(is_open, decided))
            ]
            if effects or not _stands_alone(batch, works):
                opening()
            self._save(opening, tx, batch, last=not effects)
            for effect in effects:  # they may ask what stands now
                effect(tx)
            if effects:
                tx.commit()
        self._left = Head(batch.position, batch.moment if batch.journal else batch.last)
        self.position, self.access_position = batch.position, told or self.access_position
        if batch.journal:
            self.lines = batch.journal if len(batch.journal) <= FEW else ()
        metrics.journal_position(self.store.service.name).set(batch.position)
        metrics.batch_size(self.store.service.name).observe(sum(map(len, outcomes)))
        return outcomes

    def _decided(
        self, opening: Opening, tx: sa.Connection, works: Sequence[Work]
    ) -> tuple[Batch, list[list[Outcome]]]:
        """Decide, and let much set out. Return the batch and each work's outcomes."""
        batch, outcomes = self._batch(opening, works), list[list[Outcome]]()
        for work in works:
            if work.tick:
                batch.tick()
            outcomes.append([])
            for going_on, settled in _by_request(batch, work, self.hurried):
                batch = going_on
                outcomes[-1] += settled
                if opening.expected is None and batch.unsent >= MANY:
                    self.store.set_out(tx, batch)
        return batch, outcomes

    def leave(self) -> None:
        """Give the database's connection back."""
        self._kept.leave()

    def _opening(self, tx: sa.Connection, works: Sequence[Work]) -> Opening:
        """Begin. A process that has written alone for a while takes it that it still does, and saves a trip where all is new."""
        commands = [command for work in works for command in work.commands]
        names, request_ids = names_of(commands), [c.request_id for c in commands]
        new = self.store.postgres and commands and not names
        if new and self._alone >= ALONE and len(commands) < MANY:
            return Opening(self.store, tx, names, request_ids, self._left)
        opening = Opening(self.store, tx, names, request_ids, None)
        self._alone = self._alone + 1 if opening.opened[:2] == self._left else 0
        return opening

    def _save(self, opening: Opening, tx: sa.Connection, batch: Batch, *, last: bool) -> None:
        expected = opening.expected
        try:
            self.store.save(tx, batch, expected=expected, last=last)
        except (sa.exc.DataError, sa.exc.IntegrityError) as error:
            if expected is None:
                raise
            raise Moved from error

    def _tell(
        self,
        tx: Callable[[], sa.Connection],
        batch: Batch,
        works: Sequence[Work],
        outcomes: Sequence[Sequence[Outcome]],
    ) -> int:
        """Append to the access journal; return its last position, 0 where there was nothing to tell."""
        access, told = self.store.access, 0
        said = [*batch.access, *(a for work in works for a in work.access)]
        for work, decided in zip(works, outcomes, strict=True):
            said += _denials(work, decided)
        if said:
            told = access.save(tx(), batch.now, said)
        if any(work.sweep for work in works):
            told = access.sweep(tx(), batch.now)
        return told

    def _batch(self, opening: Opening, works: Sequence[Work]) -> Batch:
        opened = opening.opened
        return Batch(
            service=self.store.service,
            pack=self.pack,
            vault=self.vault,
            loader=TransactionLoader(self.store, opening),
            now=_not_before(self.clock(), opened.commit_time),
            last=opened.commit_time,
            position=opened.position,
            records=opened.held,
            seen=opened.seen,
        )


def _stands_alone(batch: Batch, works: Sequence[Work]) -> bool:
    """Tell whether the database itself refuses a batch that took too much for granted: each command has its row in the journal,
    where a request id stands once. A refusal has none: whether it was asked before has to be read.
    """
    written = {row.request_id for row in batch.journal}
    told = all(c.request_id in written for work in works for c in work.commands)
    return told and not batch.ledger


def _raise_trouble(outcomes: Sequence[Outcome]) -> None:
    """What the database could not read for a rule is no bug of the rule: nothing of the transaction is done."""
    for outcome in outcomes:
        if isinstance(outcome, (sa.exc.DBAPIError, Moved)):
            raise outcome


def _denials(work: Work, outcomes: Sequence[Outcome]) -> list[Access]:
    """Return what was denied. What is refused for all commands together is told once."""
    found: dict[int, Access] = {}
    for command, outcome in zip(work.commands, outcomes, strict=False):  # the first requests' only
        if isinstance(outcome, (Denied, Hidden)) and id(outcome) not in found:
            found[id(outcome)] = denial(command, outcome)
            outcome.recorded = True
    return list(found.values())


def denial(command: Command, refusal: Denied | Hidden) -> Access:
    return Access(
        Kind.DENIED,
        command.caller,
        command.action,
        command.name.split("/", 1)[0] if command.fresh else command.name,
        denial_code(refusal),
        command.request_id,
        command.fingerprint,
        command.reason,
    )


def is_open(outcome: Outcome) -> bool:
    """A rule failed, rather than refused, or an owner has to be asked: what came with it waits until that is settled."""
    return isinstance(outcome, UnknownReference) or crashed(outcome)


def crashed(outcome: Outcome) -> bool:
    return isinstance(outcome, Exception) and not isinstance(outcome, DomainError)


def _by_request(
    batch: Batch, work: Work, hurried: Callable[[], bool]
) -> Iterator[tuple[Batch, list[Outcome]]]:
    """Yield the batch to go on with and a request's outcomes, for all of them, up to the first behind which one is open, or to
    where others wait.
    """
    first, *behind = work.requests
    if work.atomic:
        batch, outcomes = decide_together(batch, first)
    else:
        outcomes = decide_all(batch, first)
    _raise_trouble(outcomes)
    yield batch, outcomes
    if behind and any(map(is_open, outcomes)):
        return
    for commands in behind:
        if hurried():
            return
        batch = batch.fork()
        outcomes = decide_all(batch, commands)
        _raise_trouble(outcomes)
        if any(map(is_open, outcomes)):
            return
        yield batch, outcomes


def _not_before(now: Timestamp, last: int) -> Timestamp:
    """A clock that went back does not take the journal with it."""
    stamp = Timestamp()
    stamp.FromMicroseconds(max(microseconds(now), last))
    return stamp


def _again(error: sa.exc.OperationalError) -> bool:
    state = getattr(error.orig, "sqlstate", "") or ""
    return state in ("40001", "40P01") or "database is locked" in str(error.orig)


def _unsettled() -> Unsettled:
    return Unsettled(
        "the database did not answer, so the outcome is unknown; repeat with the same request_id",
        "数据库未响应，结果未知；请用同一 request_id 重试",
    )

"""Deciding many commands one after another, in memory: no clock, no SQL, no network."""

import datetime
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from kernel import personal
from kernel.access import Access
from kernel.book import Entry
from kernel.case import Role
from kernel.columns import fields_of, microseconds
from kernel.dates import business_date, from_date
from kernel.deadline import Deadline
from kernel.decision import Decision, shown
from kernel.errors import DomainError, Reused, TooLate
from kernel.outcome import Command, Held, JournalRow, Loader, Outcome, Settled
from kernel.pack import Pack
from kernel.registry import Service
from luoshu.journal.v1.journal_pb2 import Change

CLOCK = "clock"
"""The record, collection and number series of the daily tick."""


@dataclass(slots=True)
class Batch:
    """What one transaction knows, and what it has decided so far. `last`: the last commit's time in µs since 1970 UTC.

    `rows`, and the lines of `journal` behind the first `sent`, are not on their way to the database yet.
    `changes`: what heads of events have in common, so that it is written down once (`Decision`).
    """

    service: Service
    pack: Pack
    vault: personal.Vault
    loader: Loader
    now: Timestamp
    last: int
    position: int
    records: dict[str, Held | None]
    seen: dict[str, Settled]
    numbers: dict[str, int] = field(default_factory=dict)
    keys: dict[str, bytes] = field(default_factory=dict)
    rows: dict[str, dict[str, tuple[Any, ...]]] = field(default_factory=dict)
    journal: list[JournalRow] = field(default_factory=list)
    ledger: list[Entry] = field(default_factory=list)
    sealed: dict[str, personal.Sealed] = field(default_factory=dict)
    mentions: dict[tuple[str, str], None] = field(default_factory=dict)
    drawn: dict[str, int] = field(default_factory=dict)
    new_keys: dict[str, bytes] = field(default_factory=dict)
    deadlines: dict[str, Sequence[Deadline]] = field(default_factory=dict)
    access: list[Access] = field(default_factory=list)
    changes: dict[tuple[Any, ...], Change] = field(default_factory=dict)
    sent: int = 0
    today: datetime.date = field(init=False)
    moment: int = field(init=False)  # µs since 1970 UTC

    def __post_init__(self) -> None:
        self.today, self.moment = business_date(self.now), microseconds(self.now)

    def fork(self) -> "Batch":
        """Return a copy that can be thrown away: what it accepts is not accepted here.

        `changes` is shared: it holds nothing that was decided, and whoever uses a head says anew what is its own.
        """
        return replace(
            self,
            records=dict(self.records),
            seen=dict(self.seen),
            numbers=dict(self.numbers),
            keys=dict(self.keys),
            rows={collection: dict(rows) for collection, rows in self.rows.items()},
            journal=list(self.journal),
            ledger=list(self.ledger),
            sealed=dict(self.sealed),
            mentions=dict(self.mentions),
            drawn=dict(self.drawn),
            new_keys=dict(self.new_keys),
            deadlines=dict(self.deadlines),
            access=list(self.access),
        )

    @property
    def unsent(self) -> int:
        """How many of the journal's lines are not on their way yet."""
        return len(self.journal) - self.sent

    def gone(self) -> None:
        """Take note that what was accepted so far is on its way, and found by whoever reads behind it."""
        self.sent = len(self.journal)
        self.rows.clear()

    def decide(self, command: Command) -> Settled:
        """Raises DomainError, and then nothing has changed."""
        before = self.seen.get(command.request_id)
        if before is not None:
            return self._repeated(command, before)
        if time.monotonic() > command.deadline:
            raise TooLate(
                "the deadline passed while the request was queued", "请求排队期间已超过时限"
            )
        decision = Decision(self, command)
        settled = decision.settle()
        if not command.validate_only:
            decision.accept()
            self.seen[command.request_id] = settled
        return settled

    def _repeated(self, command: Command, before: Settled) -> Settled:
        settled = _same_content(command, before)
        record = self.service.resource_of(settled.name).record.FromString(settled.record)
        self.access += shown(command, record, settled.standing)
        return settled

    def held(self, name: str) -> Held | None:
        if name not in self.records:
            self.records[name] = self.loader.record(name)
        return self.records[name]

    def find(self, collection: str, where: Mapping[str, str | int]) -> list[Held]:
        """Return the records whose columns have these values, by name; what the batch has changed counts as changed."""
        fields = [f for f in fields_of(self.service.by_collection[collection]) if f.path in where]
        if not any(f.sought for f in fields) or len(fields) < len(where):
            raise TypeError(f"{collection}: no column of {sorted(where)} is sought, or one is none")
        changed = self.rows.get(collection, {})
        names = {n for n in self.loader.names(collection, where) if n not in changed}
        held = [h for h in map(self.held, sorted(names | changed.keys())) if h is not None]
        return [h for h in held if all(f.value(h.message) == where[f.path] for f in fields)]

    def key_of(self, subject: str) -> bytes:
        """Return a subject's key; a new subject gets one."""
        if subject not in self.keys:
            wrapped = self.loader.subject_key(subject)
            if wrapped is None:
                wrapped = self.new_keys[subject] = self.vault.new_key()
            self.keys[subject] = self.vault.unwrap(wrapped)
        return self.keys[subject]

    def tick(self) -> None:
        """Tell the day in the journal, unless it already has an event of today: so a quiet day is over for every reader."""
        stamp = Timestamp()
        stamp.FromMicroseconds(self.last)
        if business_date(stamp) >= self.today:
            return
        count = self.numbers.get(CLOCK, self.loader.last_number(CLOCK)) + 1
        self.numbers[CLOCK] = self.drawn[CLOCK] = count
        self.position += 1
        day = from_date(self.today)
        change = Change(
            position=self.position,
            record=CLOCK,
            revision=count,
            action="tick",
            actor=self.service.name,
            department="SYSTEM",
            roles=[Role.SYSTEM],
            request_id=f"tick~{self.today}",
            commit_time=self.now,
            effective_date=day,
            business_date=day,
        )
        self.journal.append(
            JournalRow(
                self.position,
                CLOCK,
                CLOCK,
                count,
                change.request_id,
                b"",
                microseconds(self.now),
                self.today.isoformat(),
                "",
                0,
                self.service.event(change=change).SerializeToString(),
            )
        )


def _same_content(command: Command, before: Settled) -> Settled:
    if before.fingerprint != command.fingerprint:
        raise Reused(
            f"request_id {command.request_id} was used for another request, maybe of another caller; "
            "take a new one, such as a UUID",
            f"request_id {command.request_id} 已用于另一请求（可能来自其他调用方）；请换用新的编号，如 UUID",
            field="request_id",
        )
    return before._replace(repeated=True)


def decide_all(batch: Batch, commands: Sequence[Command]) -> list[Outcome]:
    """Decide each for itself: a refusal, or a rule's own bug, leaves its neighbours alone."""
    return [_tried(batch, command) for command in commands]


def _tried(batch: Batch, command: Command) -> Outcome:
    try:
        return batch.decide(command)
    except Exception as refusal:  # noqa: BLE001 - a rule's own bug is its caller's alone
        return refusal


def decide_together(batch: Batch, commands: Sequence[Command]) -> tuple[Batch, list[Outcome]]:
    """Decide all or nothing. Return the batch to go on with, and the outcomes: the first refusal is everybody's."""
    trial, outcomes = batch.fork(), list[Outcome]()
    for index, command in enumerate(commands):
        outcome = _tried(trial, command)
        if isinstance(outcome, Exception):
            told = (
                outcome.within(f"requests[{index}]")
                if isinstance(outcome, DomainError)
                else outcome
            )
            return batch, [told] * len(commands)
        outcomes.append(outcome)
    return trial, outcomes


def names_of(commands: Iterable[Command]) -> set[str]:
    """Return the records that have to be read before deciding."""
    return {command.name for command in commands if not command.fresh}

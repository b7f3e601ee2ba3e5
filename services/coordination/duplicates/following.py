"""What an application's event does: the index follows it, and findings are raised, raised again, or lapse."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from kernel.case import Caller, Role
from kernel.consumer import Reaction
from kernel.dates import to_date
from kernel.outcome import Command
from kernel.room import Room
from kernel.store import Store
from luoshu.coordination.v1 import coordination_pb2, findings_pb2
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry
from services.coordination.duplicates.document import Document, pair_digest, pair_name
from services.coordination.duplicates.search import Search
from services.coordination.naming import review_name

F, R = findings_pb2.Finding.State, coordination_pb2.Review.State
SYSTEM = Caller("coordination", "SYSTEM", frozenset({Role.SYSTEM}))


@dataclass(frozen=True)
class Duplicates:
    """Looks at funding's entries with the index before it (kernel.consumer.Looking)."""

    search: Search
    store: Store

    @classmethod
    def of(cls, room: Room) -> "Duplicates":
        return cls(Search.of(room), room.store)

    def concerns(self, entry: JournalEntry) -> bool:
        """Tell whether the entry is about an application: the ones before it must then be in the index."""
        event = funding.FundingEvent.FromString(entry.event)
        return event.WhichOneof("record") == "application"

    def look(self, tx: sa.Connection, entry: JournalEntry) -> Reaction:
        """Return the commands that an entry leads to, and the writing of the index."""
        event = funding.FundingEvent.FromString(entry.event)
        document = Document(event.application, entry.position)
        before, index = self.search.index.get(tx, document.name), self.search.index
        if before and before.state_of_facts == document.state_of_facts:
            return Reaction(effects=lambda tx: index.stays(tx, document))
        vector = self.search.vector(document)
        said = _Said(entry, event.change)
        commands = self._commands(tx, document, vector, said) if document.is_in else ()
        if before and before.is_in and not document.is_in:
            commands = self._lapsing(tx, document, said)
        return Reaction(tuple(commands), effects=lambda tx: index.put(tx, document, vector))

    def _commands(
        self, tx: sa.Connection, document: Document, vector: bytes, said: "_Said"
    ) -> Iterator[Command]:
        found = self.search.candidates(tx, document, said.day, vector)
        raised = {pair_name(document.name, c.application): c for c in found if c.raised}
        excused = {
            pair_name(document.name, c.application): c for c in found if c.continuation.holds
        }
        held = self.store.held(tx, [*raised, *excused])
        for name, candidate in excused.items():
            open_one = held[name]
            if open_one and open_one.message.state == F.STATE_OPEN:
                reason = f"continuation: {candidate.continuation.predecessor}"
                yield from _lapsed(said, open_one.message, reason)
        for name, candidate in raised.items():
            known = held[name]
            other = self.search.index.get(tx, candidate.application)
            digest = pair_digest(document, other) if other else ""
            new = _finding(document, candidate, digest)
            if known is None:
                yield from _raised(said, name, new)
            elif known.message.texts_digest != digest or known.message.state == F.STATE_LAPSED:
                yield from _raised(said, name, new, known.message)

    def _lapsing(self, tx: sa.Connection, document: Document, said: "_Said") -> Iterator[Command]:
        """Yield the end of every open finding about an application that is gone."""
        table = self.store.tables.records["findings"]
        about = sa.or_(table.c.application == document.name, table.c.other == document.name)
        rows = tx.execute(
            sa.select(table.c.record).where(about, table.c.state == F.STATE_OPEN).order_by("name")
        )
        reason = f"{said.change.action}: {document.name}"
        for body in rows.scalars():
            yield from _lapsed(said, findings_pb2.Finding.FromString(body), reason)


@dataclass(frozen=True, slots=True)
class _Said:
    """An entry, and the commands that follow from it."""

    entry: JournalEntry
    change: Change

    @property
    def day(self) -> Any:
        return to_date(self.change.business_date)

    def command(self, action: str, name: str, request: Any, given: Any = None) -> Command:
        """The request id follows from the entry and the record, for an entry may raise several."""
        said = f"coordination~{self.entry.source}~{self.entry.position}~{action}~{name}"
        return Command(action, name, request, said, said.encode(), SYSTEM, given=given)


def _finding(
    document: Document, candidate: findings_pb2.Candidate, digest: str
) -> findings_pb2.Finding:
    return findings_pb2.Finding(
        application=document.name,
        other=candidate.application,
        title=document.application.title,
        candidate=candidate,
        texts_digest=digest,
        funding_position=document.position,
        lead_department=document.department,
        concerned_departments=[candidate.department],
        round=1,
    )


def _raised(
    said: _Said,
    name: str,
    new: findings_pb2.Finding,
    old: findings_pb2.Finding | None = None,
) -> Iterator[Command]:
    """Yield what raises a finding, and what asks the other department about it."""
    new.round = old.round + 1 if old else 1
    asks = new.lead_department not in new.concerned_departments and said.change.action != "imported"
    new.review = review_name(name, new.round) if asks else ""
    if old:
        request = findings_pb2.RaiseAgainFindingRequest(name=name, finding=new)
        yield from _withdrawn(said, old)
        yield said.command("raise_again", name, request)
    else:
        yield said.command("create", name, None, new)
    if asks:
        yield said.command("create", new.review, None, asking(name, new))


def _lapsed(said: _Said, finding: findings_pb2.Finding, reason: str) -> Iterator[Command]:
    request = findings_pb2.LapseFindingRequest(name=finding.name, reason=reason)
    yield said.command("lapse", finding.name, request)
    if finding.review:
        cancel = coordination_pb2.CancelReviewRequest(name=finding.review, reason=reason)
        yield said.command("cancel", finding.review, cancel)


def _withdrawn(said: _Said, old: findings_pb2.Finding) -> Iterator[Command]:
    if old.review and old.state == F.STATE_OPEN:
        reason = f"{said.change.action}: {said.change.record}"
        request = coordination_pb2.CancelReviewRequest(name=old.review, reason=reason)
        yield said.command("cancel", old.review, request)


def asking(name: str, finding: findings_pb2.Finding) -> coordination_pb2.Review:
    """Return the review that asks the other department whether it is the same work; the leading one decides."""
    departments = list(finding.concerned_departments)
    return coordination_pb2.Review(
        kind=coordination_pb2.Review.KIND_DUPLICATE,
        subject=name,
        application=finding.application,
        title=finding.title,
        round=finding.round,
        lead_department=finding.lead_department,
        concerned_departments=departments,
        opinions=[coordination_pb2.Opinion(department=d) for d in departments],
    )

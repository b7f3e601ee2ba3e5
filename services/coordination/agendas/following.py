"""What a record's event does to its agenda; and one who looks at a source's entries for several."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from kernel.consumer import Looking, Reaction, leads_to
from kernel.room import Room
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import EventHead, JournalEntry
from luoshu.platforms.v1 import platforms_pb2 as platforms
from luoshu.technologies.v1 import technologies_pb2 as technologies
from services.coordination.agendas.entries import OWED, collection_of, compared, entries_of

EVENTS: dict[str, Any] = {
    "platforms": platforms.PlatformsEvent,
    "technologies": technologies.TechnologiesEvent,
    "funding": funding.FundingEvent,
}
IMPORTED = "imported"
NAME = "coordination-agenda"
"""Of the consumer, in the request ids of its commands."""


@dataclass(frozen=True)
class Agendas:
    """Looks at a source's entries with the agendas before it (kernel.consumer.Looking)."""

    room: Room

    def concerns(self, entry: JournalEntry) -> bool:
        """Tell whether the record may owe, or have owed, anything. What was imported is history, until somebody acts on it."""
        change = EventHead.FromString(entry.event).change
        return collection_of(change.record) in OWED and change.action != IMPORTED

    def look(self, tx: sa.Connection, entry: JournalEntry) -> Reaction:
        """Return what brings the agenda up to the record; nothing where it is so already."""
        event = EVENTS[entry.source].FromString(entry.event)
        record = getattr(event, event.WhichOneof("record"))
        name = agenda_name(record.name)
        owed = entries_of(record, self.room.pack)
        held = self.room.store.held(tx, [name])[name]
        if held is None:
            return (
                leads_to(NAME, entry, "create", name, None, _new(record, owed))
                if owed
                else Reaction()
            )
        agenda = held.message
        said = (list(agenda.entries), agenda.lead_department, agenda.title)
        if said == (owed, record.lead_department, record.title):
            return Reaction()
        request = pb.ReviseAgendaRequest(
            title=record.title,
            lead_department=record.lead_department,
            entries=owed,
            compared_revision=compared(record),
        )
        return leads_to(NAME, entry, "revise", name, request)


@dataclass(frozen=True)
class Together:
    """Several who look at the same source's entries: what each finds is done together."""

    parts: tuple[Looking, ...]

    def concerns(self, entry: JournalEntry) -> bool:
        return any(part.concerns(entry) for part in self.parts)

    def look(self, tx: sa.Connection, entry: JournalEntry) -> Reaction:
        """Return all that they find; their effects are done one after another."""
        found = [part.look(tx, entry) for part in self.parts if part.concerns(entry)]
        effects = [reaction.effects for reaction in found if reaction.effects]

        def all_effects(tx: sa.Connection) -> None:
            for effect in effects:
                effect(tx)

        return Reaction(
            commands=tuple(command for reaction in found for command in reaction.commands),
            known=tuple(row for reaction in found for row in reaction.known),
            effects=all_effects if effects else None,
        )


def together(*makers: Callable[[Room], Looking]) -> Callable[[Room], Looking]:
    """Return what makes one of several."""
    return lambda room: Together(tuple(make(room) for make in makers))


def agenda_name(subject: str) -> str:
    """Return the name of a record's agenda: each has one."""
    return f"agendas/a{hashlib.sha256(subject.encode()).hexdigest()[:20]}"


def _new(record: Any, owed: Iterable[pb.AgendaEntry]) -> pb.Agenda:
    return pb.Agenda(
        subject=record.name,
        title=record.title,
        lead_department=record.lead_department,
        entries=owed,
        compared_revision=compared(record),
    )

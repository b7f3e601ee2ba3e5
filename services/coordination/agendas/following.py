"""What a record's event does to its agenda; and one who looks at a source's entries for several."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from kernel.consumer import Looking, Reaction, command_of
from kernel.room import Room
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import JournalEntry
from luoshu.platforms.v1 import platforms_pb2 as platforms
from luoshu.technologies.v1 import technologies_pb2 as technologies
from services.coordination.agendas.entries import OWED, entries_of

EVENTS: dict[str, Any] = {
    "platforms": platforms.PlatformsEvent,
    "technologies": technologies.TechnologiesEvent,
    "funding": funding.FundingEvent,
}
IMPORTED = "imported"


@dataclass(frozen=True)
class Agendas:
    """Looks at a source's entries with the agendas before it (kernel.consumer.Looking)."""

    room: Room

    def concerns(self, entry: JournalEntry) -> bool:
        """Tell whether the record may owe, or have owed, anything. What was imported is history, until somebody acts on it."""
        event = EVENTS[entry.source].FromString(entry.event)
        record = _record(event)
        return record is not None and event.change.action != IMPORTED

    def look(self, tx: sa.Connection, entry: JournalEntry) -> Reaction:
        """Return what brings the agenda up to the record; nothing where it is so already."""
        event = EVENTS[entry.source].FromString(entry.event)
        record = _record(event)
        name = agenda_name(record.name)
        owed = entries_of(record, self.room.pack)
        held = self.room.store.held(tx, [name])[name]
        if held is None:
            return _one(entry, "create", name, None, _new(record, owed)) if owed else Reaction()
        agenda = held.message
        said = (list(agenda.entries), agenda.lead_department, agenda.title)
        if said == (owed, record.lead_department, record.title):
            return Reaction()
        request = pb.ReviseAgendaRequest(
            title=record.title, lead_department=record.lead_department, entries=owed
        )
        return _one(entry, "revise", name, request)


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


def _record(event: Any) -> Any:
    which = event.WhichOneof("record")
    record = getattr(event, which) if which else None
    return record if record is not None and record.DESCRIPTOR.name in OWED else None


def _new(record: Any, owed: Iterable[pb.AgendaEntry]) -> pb.Agenda:
    return pb.Agenda(
        subject=record.name,
        title=record.title,
        lead_department=record.lead_department,
        entries=owed,
    )


def _one(
    entry: JournalEntry, action: str, name: str, request: Any, given: pb.Agenda | None = None
) -> Reaction:
    return Reaction((command_of("coordination-agenda", entry, action, name, request, given),))

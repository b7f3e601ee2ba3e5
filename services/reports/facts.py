"""From events to facts: what the reports keep of each event, and nothing personal. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kernel.consumer import SHARD
from kernel.dates import iso
from luoshu.coordination.v1.coordination_pb2 import Agenda, CoordinationEvent, Review
from luoshu.coordination.v1.findings_pb2 import Finding
from luoshu.funding.v1.funding_pb2 import (
    Application,
    Call,
    FundingEvent,
    Hold,
    Programme,
    Sanction,
)
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry
from luoshu.platforms.v1.platforms_pb2 import Level, Platform, PlatformsEvent
from luoshu.technologies.v1.technologies_pb2 import Breakthrough, TechnologiesEvent

TICK = "tick"
HOME = "CNY"
"""The currency of every amount that was not imported."""


class Fact(NamedTuple):
    """One event as figures need it, in the order of the columns of `store.FACT`.

    `cause`: position of the event that this one came along with, 0 for one that was asked for
    itself. `kind`: of a platform. `successors`: the platforms that it went into, by name, with
    blanks between. `level` and `reached`: names of the proto, empty where not said. `completed`: 0
    or 1. Amounts in the currency's hundredth, fen for CNY. Days are ISO texts, empty where unknown.
    """

    source: str
    shard: int
    position: int
    cause: int
    collection: str
    record: str
    revision: int
    action: str
    from_state: str
    to_state: str
    commit_time: int
    business_date: str
    effective_date: str
    department: str
    origin: str
    title: str
    kind: str = ""
    level: str = ""
    division: str = ""
    direction: str = ""
    programme: str = ""
    successors: str = ""
    recognized_date: str = ""
    assessed_date: str = ""
    reached: str = ""
    reached_date: str = ""
    completed: int = 0
    currency: str = ""
    requested: int = 0
    approved: int = 0
    paid: int = 0
    recovered: int = 0


class Told(NamedTuple):
    """What an entry says: where its journal stands, and the fact, which a tick has none of.

    `commit_time`: µs since 1970 UTC.
    """

    position: int
    business_date: str
    commit_time: int
    fact: Fact | None


def _platform(platform: Any) -> dict[str, Any]:
    return {
        "kind": platform.kind,
        "level": Level.Name(platform.level) if platform.level else "",
        "division": platform.division,
        "direction": platform.direction,
        "successors": " ".join(platform.successors),
        "recognized_date": iso(platform.recognition_date),
    }


def _breakthrough(breakthrough: Any) -> dict[str, Any]:
    reached = breakthrough.target_reached
    days = (iso(assessment.assess_date) for assessment in breakthrough.assessments)
    return {
        "direction": breakthrough.direction,
        "assessed_date": max(days, default=""),
        "reached": Breakthrough.Target.Name(reached) if reached else "",
        "reached_date": iso(breakthrough.target_reached_date),
        "completed": int(breakthrough.completed),
    }


def _application(application: Any) -> dict[str, Any]:
    return {
        "programme": application.programme or application.source_award.programme,
        "currency": application.currency or HOME,
        "requested": application.requested_fen,
        "approved": application.approved_fen,
        "paid": application.paid_fen,
        "recovered": application.recovered_fen,
    }


def _plain(_: Any) -> dict[str, Any]:
    return {}


READERS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "platforms": _platform,
    "breakthroughs": _breakthrough,
    "applications": _application,
    "programmes": _plain,
    "calls": _plain,
    "sanctions": _plain,
    "holds": _plain,
    "reviews": _plain,
    "findings": _plain,
    "agendas": _plain,
}
"""What is read of a record besides its head, by collection; a collection that is not here makes no
fact.
"""

RECORDS: Mapping[str, Any] = {
    "platforms": Platform,
    "breakthroughs": Breakthrough,
    "applications": Application,
    "programmes": Programme,
    "calls": Call,
    "sanctions": Sanction,
    "holds": Hold,
    "reviews": Review,
    "findings": Finding,
    "agendas": Agenda,
}
"""The message of each collection's records."""

EVENTS: Mapping[str, Any] = {
    "platforms": PlatformsEvent,
    "technologies": TechnologiesEvent,
    "funding": FundingEvent,
    "coordination": CoordinationEvent,
}
"""The message that each source's journal holds."""

SOURCES = tuple(EVENTS)


def told(entry: JournalEntry) -> Told:
    """Return what an entry says.

    Raises KeyError for a source that is not followed, DecodeError for bytes that are no event.
    """
    event = EVENTS[entry.source].FromString(entry.event)
    change: Change = event.change
    return Told(
        entry.position,
        iso(change.business_date),
        change.commit_time.ToMicroseconds(),
        _fact(entry, event, change),
    )


def _fact(entry: JournalEntry, event: Any, change: Change) -> Fact | None:
    collection = change.record.partition("/")[0]
    kind = event.WhichOneof("record")
    if change.action == TICK or kind is None or collection not in READERS:
        return None
    record = getattr(event, kind)
    return Fact(
        source=entry.source,
        shard=SHARD,
        position=entry.position,
        cause=change.cause_position,
        collection=collection,
        record=change.record,
        revision=change.revision,
        action=change.action,
        from_state=change.from_state,
        to_state=change.to_state,
        commit_time=change.commit_time.ToMicroseconds(),
        business_date=iso(change.business_date),
        effective_date=iso(change.effective_date) or iso(change.business_date),
        department=record.lead_department,
        origin=record.origin.source,
        title=record.title,
        **READERS[collection](record),
    )

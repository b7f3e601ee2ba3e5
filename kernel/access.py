"""What changes no record and is told all the same: denials, reads of persons, exports, overrides, acts of an operator.

Pure: an access event and how a flood of denials becomes one of them a minute. `kernel.access_store` keeps them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from kernel.case import Caller
from kernel.columns import microseconds
from kernel.dates import business_date, from_date
from kernel.errors import DomainError, Hidden
from luoshu.journal.v1.journal_pb2 import Access as Said
from luoshu.journal.v1.journal_pb2 import AccessEvent, Change

SUFFIX = "_access"
MINUTE = 60_000_000  # µs in which the denials of one account are counted into one event


class Kind(StrEnum):
    """What an access event tells of; the contract says what each means."""

    DENIED = "denied"
    READ_PROTECTED = "read_protected"
    EXPORTED = "exported"
    OVERRIDDEN = "overridden"
    STARTED = "started"
    STOPPED = "stopped"
    SETTINGS_CHANGED = "settings_changed"
    KEY_CHANGED = "key_changed"
    REBUILT = "rebuilt"
    REDRIVEN = "redriven"
    ERASURE_REQUESTED = "erasure_requested"
    ERASED = "erased"
    HOLD_PLACED = "hold_placed"
    HOLD_RELEASED = "hold_released"


@dataclass(frozen=True, slots=True)
class Access:
    """One act that changes no record. `attempted`: an action or an RPC's name; `request_hash`: keyed, 16 bytes."""

    kind: Kind
    caller: Caller
    attempted: str
    record: str = ""
    code: str = ""
    request_id: str = ""
    request_hash: bytes = b""
    reason: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


class Line(NamedTuple):
    """A line of the access journal, in the order of the table's columns."""

    position: int
    action: str
    actor: str
    commit_time: int
    event: bytes


class Flood(NamedTuple):
    """Denials of one account that are counted. `since`, `first`: µs since 1970 UTC; `last`: the last one's event."""

    actor: str
    since: int
    counted: int = 0
    first: int = 0
    last: bytes = b""


def access_source(service: str) -> str:
    """Return the name of a service's access journal."""
    return f"{service}{SUFFIX}"


def denial_code(refusal: DomainError) -> str:
    """Return the code of a denial: here it is told that a hidden record exists."""
    return "OUT_OF_SCOPE" if isinstance(refusal, Hidden) else refusal.code


def service_of(source: str) -> str:
    """Return the service whose journal, of either kind, a source is."""
    return source.removesuffix(SUFFIX)


@dataclass(slots=True)
class Book:
    """What one transaction adds to an access journal. `floods`: those of the accounts concerned; None: there is none any more."""

    position: int
    now: Timestamp
    floods: dict[str, Flood | None]
    lines: list[Line] = field(default_factory=list)

    def tell(self, said: Iterable[Access]) -> None:
        for access in said:
            if access.kind is Kind.DENIED:
                self._deny(access)
            else:
                self._append(event_of(access, self.now))

    def sweep(self) -> None:
        """End the minutes that are over: what was counted becomes an event; a quiet minute ends the flood."""
        for actor, flood in list(self.floods.items()):
            if flood is not None and self._is_over(flood):
                self.floods[actor] = Flood(actor, self._now) if self._end(flood) else None

    @property
    def _now(self) -> int:
        return microseconds(self.now)

    def _is_over(self, flood: Flood) -> bool:
        return self._now - flood.since >= MINUTE

    def _deny(self, access: Access) -> None:
        """The first is told at once, the rest of its minute as one."""
        actor, event = access.caller.actor, event_of(access, self.now)
        flood = self.floods.get(actor)
        if flood is not None and self._is_over(flood):
            flood = Flood(actor, self._now) if self._end(flood) else None
        if flood is None:
            self._append(event)
            self.floods[actor] = Flood(actor, self._now)
            return
        first = flood.first or self._now
        self.floods[actor] = Flood(
            actor,
            flood.since,
            flood.counted + 1,
            first,
            event.SerializeToString(deterministic=True),
        )

    def _end(self, flood: Flood) -> bool:
        """Tell what was counted; return whether there was anything."""
        if flood.counted:
            event = AccessEvent.FromString(flood.last)
            event.access.count = flood.counted
            event.access.first_time.FromMicroseconds(flood.first)
            self._append(event)
        return flood.counted > 0

    def _append(self, event: AccessEvent) -> None:
        self.position += 1
        change = event.change
        change.position = self.position
        change.commit_time.CopyFrom(self.now)
        change.business_date.CopyFrom(from_date(business_date(self.now)))
        body = event.SerializeToString(deterministic=True)
        self.lines.append(Line(self.position, change.action, change.actor, self._now, body))


def event_of(access: Access, now: Timestamp) -> AccessEvent:
    """Return the event without what its place in the journal says."""
    caller = access.caller
    change = Change(
        record=access.record,
        action=access.kind,
        actor=caller.actor,
        department=caller.department,
        roles=sorted(caller.roles),
        request_id=access.request_id,
        traceparent=caller.traceparent,
        reason=access.reason,
    )
    said = Said(
        attempted=access.attempted,
        code=access.code,
        request_hash=access.request_hash,
        count=1,
        first_time=now,
        details=dict(access.details),
    )
    return AccessEvent(change=change, access=said)


def reading(caller: Caller, attempted: str, records: Iterable[Any], mark: bytes) -> list[Access]:
    """Return one event for each record whose persons are shown. `mark`: the request's hash."""
    kind = Kind.READ_PROTECTED
    return [Access(kind, caller, attempted, r.name, request_hash=mark) for r in records]

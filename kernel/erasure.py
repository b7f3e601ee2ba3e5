"""Erasing persons: one asks, a second one of another role carries it out; nobody does while a legal hold stands.

Whose time is over by the pack's retention rule is listed, and erased in the same way. All acts are in the access journal; there
requests and holds stand too.
"""
# ruff: noqa: N802 - a method is named as its RPC

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp

from kernel import destruction
from kernel.access import Access, Kind
from kernel.access_store import AccessStore
from kernel.case import Caller, Role
from kernel.columns import microseconds
from kernel.dates import business_date, from_date
from kernel.errors import Denied, DomainError, NotFound, Refused
from kernel.personal import subject_of
from kernel.retention import Kept, Term, term_of
from kernel.rights import demand_role
from kernel.room import Room
from kernel.store import Store
from luoshu.journal.v1.journal_pb2 import AccessEvent
from luoshu.privacy.v1 import privacy_pb2 as pb

MAY = (Role.SECURITY_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR)
PERSONS = "erasure-persons"
"""The pack's rule that says how many it takes: 1 or 2."""
LASTS = 30 * 86_400_000_000  # µs that a request waits for its second person
PAGE = 100
SUBJECTS = "subjects/"
ERASURES = (Kind.ERASURE_REQUESTED, Kind.ERASED)
HOLDS = (Kind.HOLD_PLACED, Kind.HOLD_RELEASED)
S = pb.Subject.State


class PrivacyServicer:
    """`rooms`: the registries of this process."""

    def __init__(self, rooms: Mapping[str, Room]) -> None:
        self._rooms = rooms

    async def FindSubject(self, request: pb.FindSubjectRequest, caller: Caller) -> pb.Subject:
        """Raises Denied, NotFound, Invalid. That a person was looked for is durable before it is answered."""
        room = self._open(caller, request.service, "FindSubject")
        subject = subject_of(request.person, room.vault)
        mark = room.mark(request.SerializeToString(deterministic=True))
        name, kind = _name(subject), Kind.READ_PROTECTED
        await room.record(Access(kind, caller, "FindSubject", name, request_hash=mark))
        return await self._standing(room, subject)

    async def EraseSubject(self, request: pb.EraseSubjectRequest, caller: Caller) -> pb.Subject:
        """Raises Denied, NotFound, Refused."""
        room = self._open(caller, request.service, "EraseSubject")
        asked = _asked(room, caller, request, "EraseSubject")
        (outcome,) = await room.in_turn(lambda tx: _erase(room, tx, [asked]))
        if isinstance(outcome, DomainError):
            raise outcome
        found = await self._standing(room, request.subject)
        if found.state == S.STATE_ERASED:
            found.traces = not await asyncio.to_thread(destruction.clean, room.writing)
        return found

    async def ListDueSubjects(
        self, request: pb.ListDueSubjectsRequest, caller: Caller
    ) -> pb.ListDueSubjectsResponse:
        """Raises Denied, NotFound."""
        room, most = self._open(caller, request.service, "ListDueSubjects"), request.page_size
        return await room.read(_page, room, request.page_token, most or PAGE)

    async def EraseDueSubjects(
        self, request: pb.EraseDueSubjectsRequest, caller: Caller
    ) -> pb.EraseDueSubjectsResponse:
        """Raises Denied, NotFound (the registry)."""
        room = self._open(caller, request.service, "EraseDueSubjects")
        one = _asked(room, caller, request, "EraseDueSubjects")
        all_ = [replace(one, subject=subject) for subject in request.subjects]
        await room.in_turn(lambda tx: _erase(room, tx, _due_of(room, tx, all_)))
        found = await room.read(_standings, room, request.subjects)
        gone = [subject for subject in found if subject.state == S.STATE_ERASED]
        if gone and not await asyncio.to_thread(destruction.clean, room.writing):
            for subject in gone:
                subject.traces = True
        return pb.EraseDueSubjectsResponse(subjects=found)

    async def HoldSubject(self, request: pb.HoldSubjectRequest, caller: Caller) -> pb.Subject:
        """Raises Denied, NotFound, Refused: one stands."""
        return await self._hold(request, caller, "HoldSubject", _placed)

    async def ReleaseSubject(self, request: pb.ReleaseSubjectRequest, caller: Caller) -> pb.Subject:
        """Raises Denied, NotFound, Refused: none stands."""
        return await self._hold(request, caller, "ReleaseSubject", _released)

    async def _hold(
        self, request: Any, caller: Caller, rpc: str, change: Callable[..., DomainError | None]
    ) -> pb.Subject:
        room = self._open(caller, request.service, rpc)
        asked = _asked(room, caller, request, rpc)
        refusal = await room.in_turn(lambda tx: change(room, tx, asked))
        if refusal is not None:
            raise refusal
        return await self._standing(room, request.subject)

    async def _standing(self, room: Room, subject: str) -> pb.Subject:
        (found,) = await room.read(_standings, room, [subject])
        return found

    def _open(self, caller: Caller, service: str, rpc: str) -> Room:
        """Return a registry to one who may. Raises Denied, NotFound."""
        demand_role(caller, MAY, rpc)
        if service not in self._rooms:
            known = ", ".join(self._rooms) or "-"
            raise NotFound(
                f"no registry {service} here; there are: {known}",
                f"此处没有登记服务 {service}；可用：{known}",
                field="service",
            )
        return self._rooms[service]


@dataclass(frozen=True, slots=True)
class Asked:
    """`persons`: how many it takes; `mark`: the request's hash."""

    caller: Caller
    rpc: str
    subject: str
    reason: str
    mark: bytes
    persons: int

    def access(self, kind: Kind, **details: str) -> Access:
        return Access(
            kind,
            self.caller,
            self.rpc,
            _name(self.subject),
            request_hash=self.mark,
            reason=self.reason,
            details=details,
        )


def _asked(room: Room, caller: Caller, request: Any, rpc: str) -> Asked:
    mark = room.mark(request.SerializeToString(deterministic=True))
    persons = room.pack.rule(PERSONS, business_date(room.now()))
    return Asked(caller, rpc, getattr(request, "subject", ""), request.reason, mark, persons)


def _name(subject: str) -> str:
    return f"{SUBJECTS}{subject}"


# In the transaction that holds the journal's head.


def _erase(room: Room, tx: sa.Connection, all_: Sequence[Asked]) -> list[DomainError | None]:
    """Ask for erasures or carry them out. Return for each why not."""
    found = [_act(room, tx, asked) for asked in all_]
    acts = [act for act in found if isinstance(act, Access)]
    if acts:
        room.store.access.save(tx, room.now(), acts)
    doomed = [act.record.removeprefix(SUBJECTS) for act in acts if act.kind is Kind.ERASED]
    if doomed:
        destruction.destroy(tx, room.store.tables.subject, doomed)
    return [None if isinstance(act, Access) else act for act in found]


def _act(room: Room, tx: sa.Connection, asked: Asked) -> Access | DomainError:
    """Return what is done about a person: the request for the second person, the erasure itself, or why neither."""
    store = room.store
    if store.subject_key(tx, asked.subject) is None:
        return _nobody(asked.subject)
    if hold := _hold_on(store.access, tx, asked.subject):
        return Refused(
            f"{asked.subject} is held by {hold.change.actor}: {hold.change.reason}; luoshu privacy release ends a hold",
            f"{asked.subject} 已由 {hold.change.actor} 保全：{hold.change.reason}；可用 luoshu privacy release 解除",
            reason="HELD",
        )
    first = _request(store.access, tx, room.now(), asked.subject)
    if asked.persons > 1 and first is None:
        return asked.access(Kind.ERASURE_REQUESTED)
    if first is not None and not _is_another(first, asked.caller):
        return Denied(
            "the erasure needs a second person, of another role: the security or the audit administrator who did not ask for it",
            "删除个人信息须由另一角色的第二人办理：安全管理员与审计管理员各一人",
            reason="FOUR_EYES",
        )
    by = first.change.actor if first else asked.caller.actor
    return asked.access(Kind.ERASED, requested_by=by)


def _due_of(room: Room, tx: sa.Connection, all_: Sequence[Asked]) -> list[Asked]:
    """Return those who are due, and for whom the caller has not asked already."""
    store, now = room.store, room.now()
    term = term_of(room.pack, business_date(now))
    kept = store.retention.of(tx, [asked.subject for asked in all_], term)
    due = [a for a in all_ if a.subject in kept and kept[a.subject].since is not None]
    firsts = ((a, _request(store.access, tx, now, a.subject)) for a in due)
    return [a for a, first in firsts if first is None or _is_another(first, a.caller)]


def _placed(room: Room, tx: sa.Connection, asked: Asked) -> DomainError | None:
    if room.store.subject_key(tx, asked.subject) is None:
        return _nobody(asked.subject)
    if _hold_on(room.store.access, tx, asked.subject):
        return Refused(
            f"{asked.subject} is held already; release it first to give another reason",
            f"{asked.subject} 已被保全；如需更改原因请先解除",
        )
    room.store.access.save(tx, room.now(), [asked.access(Kind.HOLD_PLACED)])
    return None


def _released(room: Room, tx: sa.Connection, asked: Asked) -> DomainError | None:
    if room.store.subject_key(tx, asked.subject) is None:
        return _nobody(asked.subject)
    if _hold_on(room.store.access, tx, asked.subject) is None:
        return Refused(
            f"{asked.subject} is not held; luoshu privacy due shows holds",
            f"{asked.subject} 未被保全；可用 luoshu privacy due 查看",
        )
    room.store.access.save(tx, room.now(), [asked.access(Kind.HOLD_RELEASED)])
    return None


def _nobody(subject: str) -> NotFound:
    return NotFound(
        f"{subject} has no key here: nobody is known by it, or it was erased",
        f"此处没有 {subject} 的密钥：无此人员，或已删除",
        field="subject",
    )


def _is_another(first: AccessEvent, caller: Caller) -> bool:
    roles = caller.roles.intersection(MAY).difference(first.change.roles)
    return caller.actor != first.change.actor and bool(roles)


def _request(
    access: AccessStore, tx: sa.Connection, now: Timestamp, subject: str
) -> AccessEvent | None:
    """Return the request that waits for its second person."""
    newest = access.newest(tx, ERASURES, _name(subject), microseconds(now) - LASTS)
    return newest if newest and newest.change.action == Kind.ERASURE_REQUESTED else None


def _hold_on(access: AccessStore, tx: sa.Connection, subject: str) -> AccessEvent | None:
    """Return the hold that stands."""
    newest = access.newest(tx, HOLDS, _name(subject))
    return newest if newest and newest.change.action == Kind.HOLD_PLACED else None


# Reading.


def _page(tx: sa.Connection, room: Room, after: str, most: int) -> pb.ListDueSubjectsResponse:
    access, now = room.store.access, room.now()
    term = term_of(room.pack, business_date(now))
    waiting = _standing_since(access, tx, ERASURES, microseconds(now) - LASTS)
    asked = [s for s, event in waiting.items() if event.change.action == Kind.ERASURE_REQUESTED]
    found = room.store.retention.due(tx, term, asked, after, most)
    page = pb.ListDueSubjectsResponse(subjects=[_told(room, tx, kept) for kept in found])
    if len(found) == most:
        page.next_page_token = found[-1].subject
    return page


def _standing_since(
    access: AccessStore, tx: sa.Connection, kinds: Sequence[Kind], since: int
) -> dict[str, AccessEvent]:
    """Return subject → the newest event about it."""
    events = reversed(access.of(tx, kinds, since))
    return {event.change.record.removeprefix(SUBJECTS): event for event in events}


def _standings(tx: sa.Connection, room: Room, subjects: Sequence[str]) -> list[pb.Subject]:
    """Return where persons' data stands in a registry."""
    term = term_of(room.pack, business_date(room.now()))
    kept = room.store.retention.of(tx, subjects, term)
    return [
        _told(room, tx, kept[subject]) if subject in kept else _gone(room, tx, subject)
        for subject in subjects
    ]


def _told(room: Room, tx: sa.Connection, kept: Kept) -> pb.Subject:
    access, service = room.store.access, room.service.name
    found = pb.Subject(service=service, subject=kept.subject, state=S.STATE_HELD)
    if kept.since is not None:
        found.due_date.CopyFrom(from_date(kept.since))
    if first := _request(access, tx, room.now(), kept.subject):
        found.state, found.requested_by = S.STATE_ERASURE_REQUESTED, first.change.actor
        found.request_time.CopyFrom(first.change.commit_time)
    if hold := _hold_on(access, tx, kept.subject):
        found.held_by, found.hold_reason = hold.change.actor, hold.change.reason
    return found


def _gone(room: Room, tx: sa.Connection, subject: str) -> pb.Subject:
    found = pb.Subject(service=room.service.name, subject=subject, state=S.STATE_UNKNOWN)
    newest = room.store.access.newest(tx, ERASURES, _name(subject))
    if newest is not None and newest.change.action == Kind.ERASED:
        found.state, found.erased_by = S.STATE_ERASED, newest.change.actor
        found.requested_by = newest.access.details["requested_by"]
    return found


def due_now(tx: sa.Connection, store: Store, term: Term) -> int:
    """Return how many are due whom no hold keeps."""
    holds = _standing_since(store.access, tx, HOLDS, 0)
    held = {s for s, event in holds.items() if event.change.action == Kind.HOLD_PLACED}
    return store.retention.count(tx, term, held)

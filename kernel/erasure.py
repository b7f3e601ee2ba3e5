"""Erasing a person: one asks, a second one of another role carries it out, and both are in the access journal."""
# ruff: noqa: N802 - a method is named as its RPC

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp

from kernel import destruction
from kernel.access import Access, Kind
from kernel.access_store import AccessStore
from kernel.case import Caller, Role
from kernel.columns import microseconds
from kernel.dates import business_date
from kernel.errors import Denied, DomainError, NotFound
from kernel.personal import subject_of
from kernel.rights import demand_role
from kernel.room import Room
from kernel.store import Store
from luoshu.journal.v1.journal_pb2 import AccessEvent
from luoshu.privacy.v1 import privacy_pb2 as pb

MAY = (Role.SECURITY_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR)
PERSONS = "erasure-persons"
"""The pack's rule that says how many it takes: 1 or 2."""
LASTS = 30 * 86_400_000_000  # µs that a request waits for its second person
S = pb.Subject.State


class PrivacyServicer:
    """`rooms`: the registries of this process."""

    def __init__(self, rooms: Mapping[str, Room]) -> None:
        self._rooms = rooms

    async def FindSubject(self, request: pb.FindSubjectRequest, caller: Caller) -> pb.Subject:
        """Raises Denied, NotFound, Invalid. That a person was looked for is durable before it is answered."""
        demand_role(caller, MAY, "FindSubject")
        room = self._room(request.service)
        subject = subject_of(request.person, room.vault)
        told = Access(Kind.READ_PROTECTED, caller, "FindSubject", f"subjects/{subject}")
        await room.record(told)
        return await room.read(standing, room.store, request.service, subject)

    async def EraseSubject(self, request: pb.EraseSubjectRequest, caller: Caller) -> pb.Subject:
        """Raises Denied, NotFound."""
        demand_role(caller, MAY, "EraseSubject")
        room = self._room(request.service)
        mark = room.mark(request.SerializeToString(deterministic=True))
        persons = room.pack.rule(PERSONS, business_date(room.now()))
        asked = Asked(caller, request.subject, request.reason, mark, persons)
        outcome = await room.in_turn(lambda tx: _erased(room.store, tx, room.now(), asked))
        if isinstance(outcome, DomainError):
            raise outcome
        found = await room.read(standing, room.store, request.service, request.subject)
        if found.state == S.STATE_ERASED:
            found.traces = not await asyncio.to_thread(destruction.clean, room.writing)
        return found

    def _room(self, service: str) -> Room:
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
    subject: str
    reason: str
    mark: bytes
    persons: int

    def access(self, kind: Kind, **details: str) -> Access:
        return Access(
            kind,
            self.caller,
            "EraseSubject",
            f"subjects/{self.subject}",
            request_hash=self.mark,
            reason=self.reason,
            details=details,
        )


def _erased(store: Store, tx: sa.Connection, now: Timestamp, asked: Asked) -> DomainError | None:
    """Ask for the erasure or carry it out, in the transaction that holds the journal's head. Return why not."""
    if store.subject_key(tx, asked.subject) is None:
        return NotFound(
            f"{asked.subject} has no key here: nobody is known by it, or it was erased",
            f"此处没有 {asked.subject} 的密钥：无此人员，或已删除",
            field="subject",
        )
    first = _request(store.access, tx, asked.subject, microseconds(now) - LASTS)
    if asked.persons > 1 and first is None:
        store.access.save(tx, now, [asked.access(Kind.ERASURE_REQUESTED)])
        return None
    if first is not None and not _is_another(first, asked.caller):
        return Denied(
            "the erasure needs a second person, of another role: the security or the audit administrator who did not ask for it",
            "删除个人信息须由另一角色的第二人办理：安全管理员与审计管理员各一人",
            reason="FOUR_EYES",
        )
    by = first.change.actor if first else asked.caller.actor
    store.access.save(tx, now, [asked.access(Kind.ERASED, requested_by=by)])
    destruction.destroy(tx, store.tables.subject, asked.subject)
    return None


def _is_another(first: AccessEvent, caller: Caller) -> bool:
    roles = caller.roles.intersection(MAY).difference(first.change.roles)
    return caller.actor != first.change.actor and bool(roles)


def _request(
    access: AccessStore, tx: sa.Connection, subject: str, since: int
) -> AccessEvent | None:
    """Return the request that waits for its second person."""
    newest = _newest(access, tx, subject)
    if newest is None or newest.change.action != Kind.ERASURE_REQUESTED:
        return None
    return newest if microseconds(newest.change.commit_time) >= since else None


def _newest(access: AccessStore, tx: sa.Connection, subject: str) -> AccessEvent | None:
    """Return the newest event about the erasure of a subject: there are few of these in all."""
    told = access.of(tx, (Kind.ERASURE_REQUESTED, Kind.ERASED))
    events = (AccessEvent.FromString(line.event) for line in told)
    return next((e for e in events if e.change.record == f"subjects/{subject}"), None)


def standing(tx: sa.Connection, store: Store, service: str, subject: str) -> pb.Subject:
    """Return where a person's data stands in a registry."""
    found = pb.Subject(service=service, subject=subject, state=S.STATE_UNKNOWN)
    newest = _newest(store.access, tx, subject)
    if store.subject_key(tx, subject) is not None:
        found.state = S.STATE_HELD
        if newest is not None and newest.change.action == Kind.ERASURE_REQUESTED:
            found.state = S.STATE_ERASURE_REQUESTED
            found.requested_by = newest.change.actor
            found.request_time.CopyFrom(newest.change.commit_time)
    elif newest is not None and newest.change.action == Kind.ERASED:
        found.state, found.erased_by = S.STATE_ERASED, newest.change.actor
        found.requested_by = newest.access.details["requested_by"]
    return found

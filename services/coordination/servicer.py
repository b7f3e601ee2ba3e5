"""What only coordination answers: a department's inbox."""
# ruff: noqa: N802 - a method is named as its RPC

import datetime
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from kernel import metrics
from kernel.case import Caller
from kernel.dates import business_date, from_date
from kernel.errors import Denied
from kernel.rights import sees_all
from kernel.room import Room
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.coordination.v1 import findings_pb2
from services.coordination.inbox import item_of_finding, items_of, items_of_agenda, soonest

MOST = 1000
MOST_RECORDS = 5000
"""Of a kind of record that are looked at; a department that owes more has other worries."""


class Inbox:
    """List, then watch from the position that the list saw: nothing is missed."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def ListInbox(self, request: Any, caller: Caller) -> pb.ListInboxResponse:
        department = _department(request.department, caller)
        items, position = await self._room.read(self._owed, department)
        today = from_date(self._today)
        found = sorted(items, key=soonest)[:MOST]
        return pb.ListInboxResponse(items=found, position=position, today=today)

    async def WatchInbox(self, request: Any, caller: Caller) -> AsyncIterator[pb.InboxChange]:
        department = _department(request.department, caller)
        with metrics.WATCHERS.labels("inbox").track_inprogress():
            async for lines in self._room.tell(request.after_position, follow=True):
                for line in lines:
                    event = pb.CoordinationEvent.FromString(line.event)
                    found = await self._room.read(self._told, event, department)
                    if found is not None:
                        yield self._change(event, found)

    def _change(
        self, event: pb.CoordinationEvent, found: tuple[str, list[pb.InboxItem]]
    ) -> pb.InboxChange:
        return pb.InboxChange(
            position=event.change.position,
            review=found[0],
            action=event.change.action,
            items=found[1],
        )

    def _told(
        self, tx: sa.Connection, event: pb.CoordinationEvent, department: str
    ) -> tuple[str, list[pb.InboxItem]] | None:
        """Return which record a change is about, and what the department owes of it; None: it never had to do with it."""
        which, today, pack = event.WhichOneof("record"), self._today, self._room.pack
        if which == "agenda" and event.agenda.lead_department == department:
            items = items_of_agenda(event.agenda, department, today, pack)
            return event.agenda.name, list(items)
        if which == "finding" and event.finding.lead_department == department:
            return event.finding.name, self._findings(tx, [event.finding])
        if which != "review":
            return None
        review = event.review
        if any(o.department == department for o in review.opinions):
            return review.name, list(items_of(review, department, today, pack))
        if review.kind == pb.Review.KIND_DUPLICATE and review.lead_department == department:
            held = self._room.store.held(tx, [review.subject])[review.subject]
            if held is not None:
                return held.message.name, self._findings(tx, [held.message], {review.name: review})
        return None

    def _findings(
        self,
        tx: sa.Connection,
        findings: Sequence[findings_pb2.Finding],
        known: Mapping[str, pb.Review] = MappingProxyType({}),
    ) -> list[pb.InboxItem]:
        """Return the decisions that are owed of findings. `known`: reviews as they were at the moment that is told of."""
        open_ = [f for f in findings if f.state == findings_pb2.Finding.STATE_OPEN]
        held = self._room.store.held(tx, [f.review for f in open_ if f.review])
        reviews = {name: one.message for name, one in held.items() if one is not None} | {**known}
        return [
            item_of_finding(f, reviews.get(f.review), self._today, self._room.pack) for f in open_
        ]

    def _owed(self, tx: sa.Connection, department: str) -> tuple[list[pb.InboxItem], int]:
        """Return what a department owes, and the journal position that says so."""
        store, today, pack = self._room.store, self._today, self._room.pack
        tables = store.tables.records
        review, finding, agenda = (tables[name] for name in ("reviews", "findings", "agendas"))
        owing = review.c.owing_departments.contains(f" {department} ", autoescape=True)
        items = [
            item
            for body in _bodies(tx, review, owing, review.c.due_date)
            for item in items_of(pb.Review.FromString(body), department, today, pack)
        ]
        own = sa.and_(
            finding.c.lead_department == department,
            finding.c.state == findings_pb2.Finding.STATE_OPEN,
        )
        bodies = _bodies(tx, finding, own, finding.c.update_time)
        items += self._findings(tx, [findings_pb2.Finding.FromString(body) for body in bodies])
        led = sa.and_(
            agenda.c.lead_department == department, agenda.c.state == pb.Agenda.STATE_OPEN
        )
        for body in _bodies(tx, agenda, led, agenda.c.update_time):
            items += items_of_agenda(pb.Agenda.FromString(body), department, today, pack)
        return items, store.head(tx)

    @property
    def _today(self) -> datetime.date:
        return business_date(self._room.writer.clock())


def _bodies(tx: sa.Connection, table: sa.Table, where: Any, order: Any) -> Iterator[bytes]:
    rows = tx.execute(sa.select(table.c.record).where(where).order_by(order).limit(MOST_RECORDS))
    yield from rows.scalars()


def _department(asked: str, caller: Caller) -> str:
    """Return whose inbox is meant. Raises Denied: it is another's, or the caller has none."""
    department = asked or caller.department
    if department and (department == caller.department or sees_all(caller)):
        return department
    if not department:
        raise Denied(
            "no department is named; call as an account of a department",
            "未注明部门；请以部门账号调用",
            reason="NOT_THE_DEPARTMENT",
        )
    raise Denied(
        f"the inbox of {department} is not for {caller.department or 'you'} to read; leave department empty for your own",
        f"{caller.department or '当前账号'} 无权查看 {department} 的待办；不填部门即为本部门",
        reason="NOT_THE_DEPARTMENT",
    )

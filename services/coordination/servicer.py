"""What only coordination answers: a department's inbox."""
# ruff: noqa: N802 - a method is named as its RPC

import datetime
from collections.abc import AsyncIterator, Iterator
from typing import Any

import sqlalchemy as sa

from kernel import metrics
from kernel.case import Caller
from kernel.dates import business_date, from_date
from kernel.errors import Denied
from kernel.rights import sees_all
from kernel.room import Room
from luoshu.coordination.v1 import coordination_pb2 as pb
from services.coordination.inbox import items_of, soonest

MOST = 1000


class Inbox:
    """List, then watch from the position that the list saw: nothing is missed."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def ListInbox(self, request: Any, caller: Caller) -> pb.ListInboxResponse:
        department = _department(request.department, caller)
        found, position = await self._room.read(self._owed, department)
        items = sorted(self._items(found, department), key=soonest)
        today = from_date(self._today)
        return pb.ListInboxResponse(items=items[:MOST], position=position, today=today)

    async def WatchInbox(self, request: Any, caller: Caller) -> AsyncIterator[pb.InboxChange]:
        department = _department(request.department, caller)
        with metrics.WATCHERS.labels("inbox").track_inprogress():
            async for lines in self._room.tell(request.after_position, follow=True):
                for line in lines:
                    if line.collection == "reviews":
                        event = pb.CoordinationEvent.FromString(line.event)
                        if any(o.department == department for o in event.review.opinions):
                            yield self._change(event, department)

    def _change(self, event: pb.CoordinationEvent, department: str) -> pb.InboxChange:
        return pb.InboxChange(
            position=event.change.position,
            review=event.review.name,
            action=event.change.action,
            items=self._items([event.review], department),
        )

    def _items(self, reviews: list[pb.Review], department: str) -> Iterator[pb.InboxItem]:
        today, pack = self._today, self._room.pack
        return (item for review in reviews for item in items_of(review, department, today, pack))

    def _owed(self, tx: sa.Connection, department: str) -> tuple[list[pb.Review], int]:
        """Return the reviews of which a department owes something, and the journal position that says so."""
        table = self._room.store.tables.records["reviews"]
        owing = table.c.owing_departments.contains(f" {department} ", autoescape=True)
        rows = tx.execute(sa.select(table.c.record).where(owing).order_by("due_date").limit(MOST))
        found = [pb.Review.FromString(body) for body in rows.scalars()]
        return found, self._room.store.head(tx)

    @property
    def _today(self) -> datetime.date:
        return business_date(self._room.writer.clock())


def _department(asked: str, caller: Caller) -> str:
    """Return whose inbox is meant. Raises Denied: it is another's, or the caller has none."""
    department = asked or caller.department
    if department and (department == caller.department or sees_all(caller)):
        return department
    own = caller.department or "no department"
    raise Denied(
        f"the inbox of {department or 'no department'} is not {own}'s to read; leave department empty for your own",
        f"{own} 无权查看 {department or '未注明部门'} 的待办；不填部门即为本部门",
        reason="NOT_THE_DEPARTMENT",
    )

"""The journal, byte for byte, for whoever has the right to all of it."""
# ruff: noqa: N802 - a method is named as its RPC

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from kernel.case import Caller, Role
from kernel.errors import NotFound
from kernel.rights import demand_role
from kernel.room import Room
from luoshu.journal.v1 import journal_pb2 as pb


class JournalServicer:
    """Serves the journals of the rooms in this process. `rooms`: by the service's name."""

    def __init__(self, rooms: Mapping[str, Room]) -> None:
        self._rooms = rooms

    async def ReadJournal(self, request: Any, caller: Caller) -> AsyncIterator[pb.JournalEntry]:
        demand_role(caller, (Role.AUDITOR, Role.OPERATOR, Role.SYSTEM), "ReadJournal")
        left = request.limit or 2**62
        async for entries in entries_of(
            self._room(request.source), request.after_position, follow=request.follow
        ):
            for entry in entries[:left]:
                yield entry
            left -= len(entries)
            if left <= 0:
                return

    def _room(self, source: str) -> Room:
        if source not in self._rooms:
            known = ", ".join(self._rooms)
            raise NotFound(
                f"no journal {source} here; there are: {known}",
                f"此处没有 {source} 的日志；可用：{known}",
                field="source",
            )
        return self._rooms[source]


async def entries_of(
    room: Room, after: int, *, follow: bool
) -> AsyncGenerator[list[pb.JournalEntry], None]:
    """Tell a room's journal from a position on, some entries at a time."""
    source = room.service.name
    async for lines in room.tell(after, follow=follow):
        yield [pb.JournalEntry(source=source, position=t.position, event=t.event) for t in lines]

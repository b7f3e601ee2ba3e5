"""The journal, byte for byte, for whoever has the right to all of it."""
# ruff: noqa: N802 - a method is named as its RPC

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from kernel.access import Access, Kind, service_of
from kernel.access_store import Recorder
from kernel.case import Caller, Role
from kernel.errors import Denied, NotFound
from kernel.rights import demand_role
from luoshu.journal.v1 import journal_pb2 as pb

READERS = (Role.AUDITOR, Role.OPERATOR, Role.SYSTEM)


class Line(Protocol):
    """A line of a journal, whatever else it holds."""

    @property
    def position(self) -> int: ...
    @property
    def event(self) -> bytes: ...


class Journal(Protocol):
    """A journal in this process: a service's changes, or what changed nothing."""

    @property
    def source(self) -> str: ...

    def tell(self, after: int, *, follow: bool) -> AsyncIterator[Sequence[Line]]: ...

    async def head(self) -> int: ...


class JournalServicer:
    """Serves the journals in this process. `journals`: by source; `recorders`: by service."""

    def __init__(self, journals: Mapping[str, Journal], recorders: Mapping[str, Recorder]) -> None:
        self._journals, self._recorders = journals, recorders

    async def ReadJournal(self, request: Any, caller: Caller) -> AsyncIterator[pb.JournalEntry]:
        journal = await self._readable(request, caller, "ReadJournal")
        if Role.SYSTEM not in caller.roles:
            await self._record(Kind.EXPORTED, request, caller, "ReadJournal")
        left = request.limit or 2**62
        async for entries in entries_of(journal, request.after_position, follow=request.follow):
            for entry in entries[:left]:
                yield entry
            left -= len(entries)
            if left <= 0:
                return

    async def GetJournalHead(self, request: Any, caller: Caller) -> pb.JournalHead:
        journal = await self._readable(request, caller, "GetJournalHead")
        return pb.JournalHead(source=journal.source, position=await journal.head())

    async def _readable(self, request: Any, caller: Caller, rpc: str) -> Journal:
        """Raises NotFound, Denied: that it was tried is then durable."""
        journal = self._journal(request.source)
        try:
            demand_role(caller, READERS, rpc)
        except Denied as denied:
            await self._record(Kind.DENIED, request, caller, rpc, denied.code)
            denied.recorded = True
            raise
        return journal

    async def _record(
        self, kind: Kind, request: Any, caller: Caller, rpc: str, code: str = ""
    ) -> None:
        recorder = self._recorders[service_of(request.source)]
        mark = recorder.mark(request.SerializeToString(deterministic=True))
        what = f"journals/{request.source}"
        await recorder.record(Access(kind, caller, rpc, what, code, request_hash=mark))

    def _journal(self, source: str) -> Journal:
        if source not in self._journals:
            known = ", ".join(self._journals)
            raise NotFound(
                f"no journal {source} here; there are: {known}",
                f"此处没有 {source} 的日志；可用：{known}",
                field="source",
            )
        return self._journals[source]


async def entries_of(
    journal: Journal, after: int, *, follow: bool
) -> AsyncGenerator[list[pb.JournalEntry], None]:
    """Tell a journal from a position on, some entries at a time."""
    source = journal.source
    async for lines in journal.tell(after, follow=follow):
        yield [pb.JournalEntry(source=source, position=t.position, event=t.event) for t in lines]

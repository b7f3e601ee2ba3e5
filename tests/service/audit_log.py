"""A log made of journals that the test itself tells: stored as the service stores it, then signed."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit.consumer import AuditSink
from services.audit.note import Signer
from services.audit.sealing import Sealer, seal_next, system_time


class Log:
    """Keeps what it was told as the journals' own content, which the log is held to before it is signed."""

    def __init__(
        self,
        engine: sa.Engine,
        signer: Signer,
        sources: tuple[str, ...],
        now: Callable[[], int] = system_time,
    ) -> None:
        self.sink, self.sealer = AuditSink(engine, sources), Sealer(engine, engine, signer, now)
        self.journals: dict[str, dict[int, JournalEntry]] = {source: {} for source in sources}

    def tell(self, source: str, entries: Sequence[JournalEntry]) -> None:
        """Store without signing."""
        for entry in entries:
            self.journals[source].setdefault(entry.position, entry)
        self.sink.apply(source, entries)

    async def lines(self, source: str, after: int, limit: int) -> list[JournalEntry]:
        journal = self.journals[source]
        return [journal[at] for at in sorted(journal) if after < at <= after + limit]

    async def seal(self) -> None:
        """Sign all that is stored."""
        while await seal_next(self.sealer, self.lines):
            pass

    async def apply(self, source: str, entries: Sequence[JournalEntry]) -> None:
        """Store and sign."""
        self.tell(source, entries)
        await self.seal()

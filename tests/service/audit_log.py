"""A log made of journals that the test itself tells: stored as the service stores it, then signed."""

import atexit
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit import schema
from services.audit.consumer import AuditSink
from services.audit.keys import Signer
from services.audit.sealing import Sealer, seal_next, system_time

if TYPE_CHECKING:
    from app.cluster.postgres import Postgres


def audit_engine(path: Path) -> sa.Engine:
    """Return an engine of a new audit database: that file, or where LUOSHU_TEST_ENGINE says so, one of PostgreSQL."""
    if os.environ.get("LUOSHU_TEST_ENGINE") == "postgresql":
        return _on_postgres(str(path))
    engine = sa.create_engine(f"sqlite:///{path}")
    schema.metadata.create_all(engine)
    return engine


def _on_postgres(path: str) -> sa.Engine:
    from kernel import database

    return database.writing(_database_for(path))


@cache
def _database_for(path: str) -> str:
    """Return the address of the database that stands for a file, made when it is asked for first."""
    from app import migrate
    from tests.live import engines

    url = engines.new_database(_server(), "audit")
    migrate.upgrade("audit", url)
    return url


@lru_cache(maxsize=1)
def _server() -> "Postgres":
    """One server a session; tests leave their connections to it."""
    from tests.live import engines

    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(engines.a_postgres("max_connections=500"))


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

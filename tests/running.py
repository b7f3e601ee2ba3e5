"""All services in one process, in a thread with its own event loop, and callers who talk to it."""

import asyncio
import datetime
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import pytest
import sqlalchemy as sa
import structlog
import uvloop
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from app import logs
from app.catalogue import REGISTRIES
from app.serve import Process
from app.settings import Settings
from kernel import database
from luoshu.journal.v1 import journal_pb2

JOURNALS = journal_pb2.DESCRIPTOR.services_by_name["JournalService"]
METHODS = {m.name: m for s in REGISTRIES for m in s.contract.methods} | dict(
    JOURNALS.methods_by_name
)
MORNING = datetime.datetime(2026, 3, 16, 2, tzinfo=datetime.UTC)  # a Monday, 10:00 in Zhengzhou


@dataclass
class MovableClock:
    """Starts at a fixed moment and goes with the real time; a test may move it."""

    moved: datetime.timedelta = datetime.timedelta()
    began: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))

    @property
    def time(self) -> datetime.datetime:
        return MORNING + (datetime.datetime.now(datetime.UTC) - self.began) + self.moved

    @property
    def today(self) -> datetime.date:
        return (self.time + datetime.timedelta(hours=8)).date()

    def move(self, **by: float) -> None:
        self.moved += datetime.timedelta(**by)

    def __call__(self) -> Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(self.time)
        return stamp


@dataclass(frozen=True)
class Who:
    """A caller, as the metadata of a call tells."""

    actor: str
    department: str
    roles: tuple[str, ...]

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        said = {"actor": self.actor, "department": self.department, "roles": ",".join(self.roles)}
        return tuple((f"luoshu-{key}", quote(value, safe=",")) for key, value in said.items())


NOBODY = Who("", "", ())


@dataclass(frozen=True)
class Refusal:
    """A status other than OK, with its details taken apart."""

    code: str
    text: str
    zh: str
    reason: str
    problems: tuple[tuple[str, str], ...]


def refusal(call: Callable[[], Any]) -> Refusal:
    """Return how a call is refused; every refusal says why, in English and in Chinese."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return told(caught.value)


def told(error: Any) -> Refusal:
    details = error_details_pb2
    info, local, bad = details.ErrorInfo(), details.LocalizedMessage(), details.BadRequest()
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        for kind in (info, local, bad):
            detail.Unpack(kind)
    assert info.reason, f"no ErrorInfo: {error}"
    assert info.domain == "luoshu"
    assert local.locale == "zh-CN"
    assert any("\u4e00" <= sign <= "\u9fff" for sign in local.message), local.message
    problems = tuple((v.field, v.reason) for v in bad.field_violations)
    return Refusal(error.code().name, error.details(), local.message, info.reason, problems)


FRONT = os.environ.get("LUOSHU_TEST_FRONT", "grpcio")
"""Which server stands in front of the processes under test: grpcio or native."""


class Running:
    """A process of the services named.

    `folder`: its keys, `log.jsonl` and SQLite files; `databases`: settings of others; `kept`: the folder where those lie.
    """

    def __init__(
        self,
        folder: Path,
        names: Iterable[str],
        clock: MovableClock,
        databases: Mapping[str, str] | None = None,
        kept: Path | None = None,
    ) -> None:
        self.folder, self.clock, self.log = folder, clock, folder / "log.jsonl"
        self._kept = kept
        folder.mkdir(parents=True, exist_ok=True)
        said = {
            "LUOSHU_DATA_DIR": str(folder),
            "LUOSHU_LISTEN": "127.0.0.1:0",
            "LUOSHU_AUDIT_HTTP_LISTEN": "127.0.0.1:0",
            "LUOSHU_FRONT": FRONT,
            **(databases or {}),
        }
        self.settings = Settings(said)
        self.process = Process(self.settings, tuple(names), clock)
        self._ready, self._failure = threading.Event(), list[BaseException]()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Running":
        self.take_log()
        self._thread.start()
        assert self._ready.wait(60), "the process does not come up"
        if self._failure:
            raise self._failure[0]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.process.port}")
        return self

    def take_log(self) -> None:
        """Let what is logged in this Python process go to `log` from now on: the last one to take it has it."""
        logs.configure("info", "json")
        out = self.log.open("a", encoding="utf-8")
        factory = structlog.WriteLoggerFactory(file=out)
        structlog.configure(logger_factory=factory, cache_logger_on_first_use=False)

    def stop(self) -> None:
        self.channel.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - raised by the thread that waits
            self._failure.append(failure)
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await self.process.start()
        self._ready.set()
        await self._stop.wait()
        await self.process.stop()

    # Talking to it.

    def call(self, rpc: str, who: Who, timeout: float = 20, **said: Any) -> Any:
        """Make a unary call with a request of these fields."""
        return self.ask(rpc, who, request(rpc, **said), timeout)

    def ask(self, rpc: str, who: Who, message: Any, timeout: float = 20) -> Any:
        call = self.channel.unary_unary(*_wire(rpc))
        return call(message, metadata=who.metadata, timeout=timeout)

    def watch(self, rpc: str, who: Who, timeout: float = 20, **said: Any) -> Any:
        """Open a stream of answers; cancel it, or read it to its end."""
        call = self.channel.unary_stream(*_wire(rpc))
        return call(request(rpc, **said), metadata=who.metadata, timeout=timeout)

    def feed(self, rpc: str, who: Who, messages: Iterable[Any], timeout: float = 20) -> list[Any]:
        """Send a stream of requests and return its answers."""
        call = self.channel.stream_stream(*_wire(rpc))
        return list(call(iter(messages), metadata=who.metadata, timeout=timeout))

    # Looking behind it.

    def rows(self, service: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask a service's database. `sql`: with a question mark for each value."""
        with self._opened(service, database.reading) as tx:
            return [tuple(row) for row in tx.exec_driver_sql(_for(tx, sql), values)]

    def change(self, service: str, sql: str, *values: Any) -> int:
        """Change a service's database behind its back; return the number of rows."""
        with self._opened(service, database.writing) as tx:
            return int(tx.exec_driver_sql(_for(tx, sql), values).rowcount)

    @contextmanager
    def _opened(self, service: str, kind: Callable[[str], sa.Engine]) -> Iterator[sa.Connection]:
        engine = kind(self.settings.database(service))
        try:
            with engine.begin() as tx:
                yield tx
        finally:
            engine.dispose()

    def files(self) -> list[Path]:
        """Return every file in which something of the process, or of its databases, is kept."""
        folders = (self.folder, *((self._kept,) if self._kept else ()))
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    def head(self, service: str) -> int:
        return int(self.rows(service, "SELECT position FROM journal_head")[0][0])


def _for(tx: sa.Connection, sql: str) -> str:
    return sql.replace("?", "%s") if database.is_postgres(tx.engine) else sql


def _wire(rpc: str) -> tuple[str, Any, Any]:
    method = METHODS[rpc]
    answer = GetMessageClass(method.output_type).FromString
    return (
        f"/{method.containing_service.full_name}/{rpc}",
        lambda message: message.SerializeToString(),
        answer,
    )


def request(rpc: str, **said: Any) -> Any:
    return GetMessageClass(METHODS[rpc].input_type)(**said)


def new_request_id() -> str:
    return uuid.uuid4().hex


def some(stream: Any, count: int) -> Iterator[Any]:
    """Yield the first so many answers of a stream, then leave it."""
    for _ in range(count):
        yield next(stream)
    stream.cancel()

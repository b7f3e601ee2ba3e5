"""The other services, as one of them sees them: in this process, or at their address."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from typing import Any, NamedTuple, TypeVar

import grpc
from google.protobuf.message_factory import GetMessageClass

from app.catalogue import homes
from app.settings import Settings
from kernel.access import service_of
from kernel.case import Reference, Role
from kernel.errors import OwnerSilent
from kernel.journal import Journal, entries_of
from kernel.room import Room
from luoshu.journal.v1 import journal_pb2, journal_pb2_grpc

T = TypeVar("T")
HEAD = journal_pb2.DESCRIPTOR.services_by_name["JournalService"].methods_by_name["GetJournalHead"]
RECONNECTING = (
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 3000),  # gRPC's own 120 s would outlast an owner's restart
)
TOGETHER = 500  # entries of a stream that are handed on together at most
DEADLINE = 3.0  # seconds that an owner has to answer
PATIENCE = 10.0  # seconds that it has to show some of its journal
IDENTITY = (
    ("luoshu-actor", "luoshu"),
    ("luoshu-department", "SYSTEM"),
    ("luoshu-roles", str(Role.SYSTEM)),
)


class Others:
    """Asks owners about their records, and reads their journals."""

    def __init__(
        self, settings: Settings, rooms: Mapping[str, Room], journals: Mapping[str, Journal]
    ) -> None:
        self._settings, self._rooms, self._journals = settings, rooms, journals
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def ask(self, name: str) -> Reference | None:
        """Return what the owner of a record says of it; None: there is none. Raises OwnerSilent."""
        home = homes().get(name.split("/", 1)[0])
        if home is None:
            return None
        body = await self._body(home.service.name, home, name)
        if body is None:
            return None
        record = home.resource.record.FromString(body)
        state = home.resource.lifecycle.state_name(record.state)
        return Reference(name, state, getattr(record, home.resource.title))

    async def _body(self, owner: str, home: Any, name: str) -> bytes | None:
        if owner in self._rooms:
            found = await self._rooms[owner].find(name)
            return found.record if found else None
        method = home.service.contract.methods_by_name[f"Get{home.resource.noun}"]
        request = GetMessageClass(method.input_type)(name=name)
        try:
            return await self._call(owner, method, request)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise OwnerSilent(
                f"{owner} must be asked about {name} and does not answer; try again",
                f"需向 {owner} 核实 {name}，但其未响应；请稍后重试",
            ) from None

    async def head(self, source: str) -> int:
        """Return the last position of a journal, wherever it is. Raises OwnerSilent."""
        if source in self._journals:
            return await self._journals[source].head()
        request = journal_pb2.GetJournalHeadRequest(source=source)
        try:
            body = await self._call(service_of(source), HEAD, request)
        except grpc.aio.AioRpcError:
            raise OwnerSilent(
                f"{source} does not say how far its journal is; try again",
                f"{source} 未返回日志位置；请稍后重试",
            ) from None
        return journal_pb2.JournalHead.FromString(body).position

    async def _call(self, service: str, method: Any, request: Any) -> bytes:
        path = f"/{method.containing_service.full_name}/{method.name}"
        call: Any = self._channel(service).unary_unary(path)
        return bytes(await call(request.SerializeToString(), timeout=DEADLINE, metadata=IDENTITY))

    async def journal(
        self, source: str, after: int
    ) -> AsyncGenerator[list[journal_pb2.JournalEntry], None]:
        """Tell a journal of a service at its address, for as long as it answers."""
        stub = journal_pb2_grpc.JournalServiceStub(self._channel(service_of(source)))
        request = journal_pb2.ReadJournalRequest(source=source, after_position=after, follow=True)
        async for entries in gathered(stub.ReadJournal(request, metadata=IDENTITY)):
            yield entries

    async def lines(self, source: str, after: int, limit: int) -> list[journal_pb2.JournalEntry]:
        """Return so many lines of a journal after a position, as far as there are. Raises OwnerSilent."""
        if source in self._journals:
            return await _first(entries_of(self._journals[source], after, follow=False), limit)
        stub = journal_pb2_grpc.JournalServiceStub(self._channel(service_of(source)))
        request = journal_pb2.ReadJournalRequest(source=source, after_position=after, limit=limit)
        try:
            call = stub.ReadJournal(request, metadata=IDENTITY, timeout=PATIENCE)
            return [line async for line in call]
        except grpc.aio.AioRpcError:
            raise OwnerSilent(
                f"{source} does not show its journal; try again",
                f"{source} 未返回日志内容；请稍后重试",
            ) from None

    def _channel(self, service: str) -> grpc.aio.Channel:
        if service not in self._channels:
            address = self._settings.address(service)
            self._channels[service] = grpc.aio.insecure_channel(address, RECONNECTING)
        return self._channels[service]

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()


async def _first(
    told: AsyncGenerator[list[journal_pb2.JournalEntry], None], limit: int
) -> list[journal_pb2.JournalEntry]:
    lines = list[journal_pb2.JournalEntry]()
    async with contextlib.aclosing(told) as batches:
        async for some in batches:
            lines += some
            if len(lines) >= limit:
                break
    return lines[:limit]


async def gathered(entries: AsyncIterable[T], most: int = TOGETHER) -> AsyncIterator[list[T]]:
    """Yield what came while the last were being applied: one at a time they would cost a commit each."""
    arrived = asyncio.Queue[T | _Ended](most)

    async def read() -> None:
        ended = _Ended(None)
        try:
            async for entry in entries:
                await arrived.put(entry)
        except Exception as error:  # noqa: BLE001 - raised below, after what came before it
            ended = _Ended(error)
        await arrived.put(ended)

    reading = asyncio.create_task(read())
    try:
        while True:
            some = [await arrived.get(), *(arrived.get_nowait() for _ in range(arrived.qsize()))]
            last = some[-1]
            if group := [entry for entry in some if not isinstance(entry, _Ended)]:
                yield group
            if isinstance(last, _Ended):
                if last.error is not None:
                    raise last.error
                return
    finally:
        reading.cancel()


class _Ended(NamedTuple):
    error: Exception | None

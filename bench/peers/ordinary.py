"""A registry as an ordinary Python team would write it: grpc.aio, SQLAlchemy's async ORM, a commit a request.

`python -m bench.peers.ordinary [URL]`: prints its port, then serves; without a database it only echoes.
"""
# ruff: noqa: N802 - a method is named as its RPC

import re
import sys
import uuid
from datetime import datetime
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from sqlalchemy import BigInteger, LargeBinary, Text, func
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from stdnum.cn import uscc

from bench.peers.build import DESCRIPTOR

_pool = descriptor_pool.DescriptorPool()
_files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTOR.read_bytes())
for _file in _files.file:
    _pool.Add(_file)  # type: ignore[no-untyped-call]
CreateRequest: Any = message_factory.GetMessageClass(
    _pool.FindMessageTypeByName("bench.peer.v1.CreateRequest")
)
KINDS = {"key-laboratory", "provincial-laboratory", "engineering-research-centre"}
DIRECTIONS = {"new-materials", "biomedicine", "high-end-equipment", "low-altitude-economy"}
REQUEST_ID = re.compile(r"[A-Za-z0-9._:/-]{0,64}")


class Base(DeclarativeBase):
    pass


class Record(Base):
    __tablename__ = "record"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    division: Mapped[str] = mapped_column(Text)
    direction: Mapped[str] = mapped_column(Text)
    unit_code: Mapped[str] = mapped_column(Text)
    unit_name: Mapped[str] = mapped_column(Text)
    abstract: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(BigInteger, default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Outbox(Base):
    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    topic: Mapped[str] = mapped_column(Text)
    key: Mapped[uuid.UUID]
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


def wrong(request: Any) -> str:
    """Return the first field that breaks a rule of the contract or the policy pack."""
    p = request.platform
    rules = {
        "request_id": REQUEST_ID.fullmatch(request.request_id),
        "title": 1 <= len(p.title) <= 200,
        "supporting_unit_name": len(p.supporting_unit_name) <= 200,
        "abstract": len(p.abstract) <= 3000,
        "kind": p.kind in KINDS,
        "direction": p.direction in DIRECTIONS,
        "division": re.fullmatch(r"([0-9]{6})?", p.division),
        "supporting_unit_code": uscc.is_valid(p.supporting_unit_code),
    }
    return next((field for field, holds in rules.items() if not holds), "")


class Service:
    def __init__(self, url: str) -> None:
        self._session: Any = None
        if url:
            engine = create_async_engine(url, pool_size=16, max_overflow=0)
            self._session = async_sessionmaker(engine, expire_on_commit=False)

    async def Echo(self, request: Any, context: Any) -> Any:
        return request.platform

    async def Create(self, request: Any, context: Any) -> Any:
        if field := wrong(request):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, field)
        p, key = request.platform, uuid.uuid4()
        p.name, p.revision = f"platforms/{key}", 1
        record = Record(
            id=key, title=p.title, kind=p.kind, division=p.division, direction=p.direction,
            unit_code=p.supporting_unit_code, unit_name=p.supporting_unit_name, abstract=p.abstract,
        )  # fmt: skip
        async with self._session.begin() as session:
            session.add(record)
            session.add(Outbox(topic="record.created", key=key, payload=p.SerializeToString()))
        return p


async def main(url: str) -> None:
    server, service = grpc.aio.server(options=(("grpc.so_reuseport", 0),)), Service(url)
    methods = {
        name: grpc.unary_unary_rpc_method_handler(
            getattr(service, name),
            request_deserializer=CreateRequest.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        for name in ("Create", "Echo")
    }
    server.add_registered_method_handlers("bench.peer.v1.Peer", methods)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(sys.argv[1] if len(sys.argv) > 1 else ""))

"""The audit on the wire: search, proofs, checkpoints."""
# ruff: noqa: N802 - a method is named as its RPC

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from kernel.case import Caller, Role
from kernel.database import looking
from kernel.dates import to_date
from kernel.errors import Denied, Invalid, NotFound, Refused
from luoshu.audit.v1 import audit_pb2 as pb
from services.audit import merkle, questions, schema, search, store, view
from services.audit.cosigning import is_settled, settled_size
from services.audit.domain import LogEntry
from services.audit.hashes import with_nodes
from services.audit.policy import Policy
from services.audit.tiles import parse_path, read_tile

T = TypeVar("T")


class AuditServicer:
    """Answers from the audit's database; it writes nothing. `policies`: one a log, whose key tells which log it is."""

    def __init__(
        self,
        engine: sa.Engine,
        policies: Sequence[Policy],
        asking: questions.Asking,
        registries: view.Registries,
    ) -> None:
        self._engine, self._asking, self._registries = engine, asking, registries
        self._policies = {policy.suite.kind: policy for policy in policies}

    async def ListEntries(
        self, request: pb.ListEntriesRequest, caller: Caller
    ) -> pb.ListEntriesResponse:
        """Raises Denied, Invalid (token, times)."""
        _require(caller, Role.AUDITOR)
        return await self._read(lambda connection: search.page(connection, request))

    async def GetEntry(self, request: pb.GetEntryRequest, caller: Caller) -> pb.Entry:
        """Raises Denied, NotFound."""
        _require(caller, Role.AUDITOR)
        index = int(request.name.removeprefix("entries/"))
        one = await self._read(lambda c: _entry(c, schema.entry.c.index == index, request.name))
        return search.to_entry(one, with_event=True)

    async def AskEntries(
        self, request: pb.AskEntriesRequest, caller: Caller
    ) -> pb.ListEntriesResponse:
        """Raises Denied, Invalid (token, times, what the question needs)."""
        _require(caller, Role.AUDITOR)
        return await self._read(lambda c: questions.answer(c, request, self._asking))

    async def GetView(self, request: pb.GetViewRequest, caller: Caller) -> pb.View:
        """Raises Denied, NotFound, Invalid (the day)."""
        _require(caller, Role.AUDITOR)
        day = to_date(request.day, "day")
        if day is None:
            raise Invalid("day: say which day", "day：请填写日期", field="day")
        return await self._read(lambda c: view.view(c, request.record, day, self._registries))

    async def GetInclusionProof(
        self, request: pb.GetInclusionProofRequest, caller: Caller
    ) -> pb.InclusionProof:
        """Raises Denied, NotFound (the entry), Invalid (the size)."""
        _require(caller, Role.AUDITOR)
        log = self._log(request.suite)
        return await self._read(lambda connection: _inclusion(connection, request, log))

    async def GetConsistencyProof(
        self, request: pb.GetConsistencyProofRequest, caller: Caller
    ) -> pb.ConsistencyProof:
        """Raises Denied, Invalid (a size)."""
        _require(caller, Role.AUDITOR)
        log = self._log(request.suite)
        return await self._read(lambda connection: _consistency(connection, request, log))

    async def GetCheckpoint(
        self, request: pb.GetCheckpointRequest, caller: Caller
    ) -> pb.Checkpoint:
        """Raises Denied, NotFound."""
        _require(caller, Role.AUDITOR, Role.OPERATOR)
        return await self._read(lambda connection: self._checkpoint(connection, request))

    def _checkpoint(
        self, connection: sa.Connection, request: pb.GetCheckpointRequest
    ) -> pb.Checkpoint:
        size, log = request.size, self._log(request.suite)
        policy = self._policies[log.suite.kind]
        if request.settled and not size:
            size = _settled(connection, policy)
        row = _checkpoint(connection, size, log)
        answer = pb.Checkpoint(
            size=row.size,
            note=store.cosigned(connection, row.size, row.text, log),
            verifier_key=policy.logs[0].encoded(),
            settled=is_settled(connection, row.size, policy),
            policy=policy.text(),
        )
        answer.sign_time.FromMicroseconds(row.time)
        return answer

    async def ReadTile(self, request: pb.ReadTileRequest, caller: Caller) -> pb.ReadTileResponse:
        """Raises Denied, NotFound."""
        _require(caller, Role.AUDITOR)
        tile, log = parse_path(request.path), self._log(request.suite)
        content = await self._read(lambda c: read_tile(c, tile, log)) if tile else None
        if content is None:
            raise NotFound(
                f"no checkpoint covers a file {request.path}",
                f"没有检查点覆盖文件 {request.path}",
                field="path",
            )
        return pb.ReadTileResponse(content=content)

    def _log(self, suite: "pb.Suite.ValueType") -> schema.Log:
        """Raises Refused: that log is not kept here."""
        log = schema.SECOND if suite == pb.SUITE_SM3_SM2 else schema.FIRST
        if log.suite.kind not in self._policies:
            raise Refused(
                f"this audit keeps no log of {log.suite.name}; its operator begins one with LUOSHU_AUDIT_SM_ORIGIN",
                f"本审计服务未保留 {log.suite.name} 日志；运维人员可用 LUOSHU_AUDIT_SM_ORIGIN 启用",
                field="suite",
                reason="NO_SUCH_LOG",
            )
        return log

    async def _read(self, work: Callable[[sa.Connection], T]) -> T:
        def run() -> T:
            with looking(self._engine) as connection:
                return work(connection)

        return await asyncio.to_thread(run)


def _settled(connection: sa.Connection, policy: Policy) -> int:
    size = settled_size(connection, policy)
    if size is None:
        raise NotFound(
            "no checkpoint is settled yet: a quorum of witnesses has to cosign it",
            "尚无达到见证法定数的检查点",
        )
    return size


def _require(caller: Caller, *roles: Role) -> None:
    if caller.roles.isdisjoint(roles):
        names = ", ".join(roles)
        raise Denied(f"this needs one of the roles: {names}", f"需要以下角色之一：{names}")


def _entry(connection: sa.Connection, where: sa.ColumnElement[bool], name: str) -> LogEntry:
    row = connection.execute(sa.select(schema.entry).where(where)).one_or_none()
    if row is None:
        raise NotFound(f"{name} is not in the log, or not yet", f"日志中没有（或尚未收到）{name}")
    return store.log_entry(row)


def _wanted(request: pb.GetInclusionProofRequest) -> tuple[sa.ColumnElement[bool], str]:
    columns = schema.entry.c
    if request.WhichOneof("entry") != "journal_position":
        return columns.index == request.index, f"entries/{request.index}"
    place = request.journal_position
    where = sa.and_(
        columns.source == place.source,
        columns.shard == place.shard,
        columns.position == place.position,
    )
    return where, f"{place.source}/{place.shard}/{place.position}"


def _inclusion(
    connection: sa.Connection, request: pb.GetInclusionProofRequest, log: schema.Log
) -> pb.InclusionProof:
    entry, digest = _entry(connection, *_wanted(request)), log.suite.digest
    size = _size(connection, request.tree_size, "tree_size", log, least=entry.index + 1)
    signed = store.checkpoint_at(connection, size, log)
    leaf, *hashes = with_nodes(
        connection,
        lambda nodes: [
            nodes(0, entry.index),
            *merkle.inclusion_proof(entry.index, size, nodes, digest),
        ],
        log,
    )
    return pb.InclusionProof(
        index=entry.index,
        tree_size=size,
        leaf_hash=leaf,
        hashes=hashes,
        checkpoint=signed.text if signed else "",
    )


def _consistency(
    connection: sa.Connection, request: pb.GetConsistencyProofRequest, log: schema.Log
) -> pb.ConsistencyProof:
    last = _size(connection, request.last, "last", log, least=1)
    first = _size(connection, request.first, "first", log, least=1, most=last)
    proof = with_nodes(
        connection,
        lambda nodes: merkle.consistency_proof(first, last, nodes, log.suite.digest),
        log,
    )
    return pb.ConsistencyProof(first=first, last=last, hashes=proof)


def _size(
    connection: sa.Connection,
    asked: int,
    field: str,
    log: schema.Log,
    *,
    least: int,
    most: int | None = None,
) -> int:
    """Return the tree's size that is meant: the latest checkpoint's for 0."""
    latest = store.latest_checkpoint(connection, log)
    most = most if most is not None else latest.size if latest else 0
    size = asked or most
    if not least <= size <= most:
        raise Invalid(
            f"size {size} will not do; it can be {least} to {most}",
            f"长度 {size} 不可用；可取 {least} 至 {most}",
            field=field,
        )
    return size


def _checkpoint(connection: sa.Connection, size: int, log: schema.Log) -> sa.Row[Any]:
    at, latest = store.checkpoint_at, store.latest_checkpoint
    row = at(connection, size, log) if size else latest(connection, log)
    if row is None:
        raise NotFound(
            f"no checkpoint of size {size}" if size else "nothing is in the log yet",
            f"没有长度为 {size} 的检查点" if size else "日志中尚无条目",
        )
    return row

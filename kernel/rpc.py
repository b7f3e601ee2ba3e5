"""The gRPC edge: admit, parse, validate, say who calls, call, answer. Only this module knows which server it is."""

import asyncio
import logging
import re
import time
import traceback
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, NoReturn

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from kernel import front as fronts
from kernel import metrics
from kernel.access import Access, Kind, denial_code
from kernel.access_store import Recorder
from kernel.case import Caller
from kernel.clocked import Limits
from kernel.errors import (
    Denied,
    DomainError,
    Hidden,
    Invalid,
    Overloaded,
    Problem,
    Stopping,
    TooLate,
    Unauthenticated,
    Violated,
)
from kernel.identity import Identity
from kernel.rules import PARTS, Rules
from kernel.status import DETAILS_KEY, crash, status_of
from kernel.violations import room
from luoshu.journal.v1 import journal_pb2

log = structlog.get_logger(__name__)

DEADLINE = 10.0  # seconds of a call that names none
ENDLESS = float(2**53)  # and more, seconds: how a front may say that a call names none
IN_FLIGHT = 2000  # unary calls under way in a process
STREAMS = 1000  # streams under way in a process
TELL = 1.0  # seconds between two lines about overload
CALLS = 200  # calls under way on a connection; who has more at once is told UNAVAILABLE for some
PENDING = 400  # calls that wait to be looked at: 0.05 to 0.2 s of small changes
SERVER_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second server on the port must fail
    ("grpc.max_concurrent_streams", CALLS),
    ("grpc.max_allowed_incoming_connections", 500),
    ("grpc.server_handshake_timeout_ms", 5_000),  # a silent peer keeps its place no longer
    # What comes while PENDING wait gRPC ends as CANCELLED, and nothing is done. To refuse a call here costs a third of a small
    # change: a flood that were refused here would leave no time for what was admitted.
    ("grpc.server.max_pending_requests", PENDING),
    ("grpc.server.max_pending_requests_hard_limit", PENDING + 10),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.max_connection_idle_ms", 120_000),
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.max_metadata_size", 16 * 1024),
)

Handler = Any  # grpc.RpcMethodHandler, of bytes to bytes
Behaviour = Callable[[Any, Caller], Any]  # a coroutine, or an async generator when it streams
Refusal = tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]
"""A status, its text, and the metadata that comes with it."""
Keeper = Callable[[Any], Recorder | None]
"""A request (None where it is not at hand) → who keeps what is denied and handed out; None: whoever answers does."""
MOST_ROWS = 500
"""Rows of a message, as each contract has it: what is above is told of the request, and the rows are not looked at."""
AT_A_TIME = 0.005
"""Seconds for which a message's rows are looked at in one go."""
_rules = Rules()


def nobody(_request: Any) -> None:
    return None


def always(recorder: Recorder) -> Keeper:
    return lambda _request: recorder


def named(field: str, recorders: Mapping[str, Recorder]) -> Keeper:
    """Choose by the service that a request names; where it names none of these, the first."""
    first = next(iter(recorders.values()))
    return lambda request: recorders.get(getattr(request, field, ""), first)


class Rows(NamedTuple):
    """One message of an import: what it says beside its rows, these, and by index what the contract's rules say against some."""

    request: Any
    rows: Sequence[Any]
    wrong: Mapping[int, Sequence[Problem]]


@dataclass(slots=True)
class Gate:
    """Lets calls in. `in_flight`, `streams`: how many are under way; past the limits a call is refused before it is queued.

    `closed`: the process stops, and nobody comes in any more. `limits`: of how long the unary ones may take.
    """

    identity: Identity
    in_flight: int = field(default=0)
    streams: int = field(default=0)
    closed: bool = field(default=False)
    limits: Limits = field(default_factory=Limits)
    _refused: int = field(default=0)
    _told: float = field(default=float("-inf"))

    def count_refused(self) -> None:
        """Count a call that is refused for overload: a line in the log for each would add to the load."""
        metrics.REFUSED.labels("overload").inc()
        self._refused += 1
        if time.monotonic() - self._told >= TELL:
            log.warning("overloaded", refused=self._refused)
            self._refused, self._told = 0, time.monotonic()

    def admit(self, streams: bool) -> None:
        """Let in a call that is counted already. Raises Overloaded, Stopping."""
        if self.closed:
            raise Stopping.now()
        if (self.streams > STREAMS) if streams else (self.in_flight > IN_FLIGHT):
            raise Overloaded.now()


class Edge:
    """One method's way from bytes to bytes."""

    def __init__(
        self,
        gate: Gate,
        method: MethodDescriptor,
        behaviour: Behaviour,
        keeper: Keeper = nobody,
    ) -> None:
        self._gate, self._behaviour, self._keeper = gate, behaviour, keeper
        self._recording = set[asyncio.Task[None]]()
        self._exports = str(method.GetOptions().Extensions[journal_pb2.exports])
        self._request: Any = GetMessageClass(method.input_type)
        _rules.expect(method.input_type)
        self._service, self._name = method.containing_service.full_name, method.name
        self._streams = method.client_streaming or method.server_streaming
        self._path = f"{self._service}/{self._name}"
        self._tally = metrics.CALLS.of(_type(method), self._service, self._name)

    def warm(self) -> None:
        """Compile the request's rules, for those who call first."""
        _rules.broken(self._request())

    async def unary(self, raw: bytes, context: Any) -> bytes:
        call = self._begin()
        failure: Exception | None = None
        code = grpc.StatusCode.CANCELLED
        self._gate.in_flight += 1
        try:
            self._gate.admit(False)
            caller = call.caller = self._gate.identity.caller(_metadata(context))
            answer = await self._gate.limits.in_time(
                self._answer(raw, caller), partial(_limit, context)
            )
            body, code = _bytes(answer), grpc.StatusCode.OK
            return body
        except TimeoutError:
            failure = _too_late()
        except asyncio.CancelledError:
            if _limit(context) <= 0:  # the front saw it first, and has told the caller
                code = grpc.StatusCode.DEADLINE_EXCEEDED
            raise
        except Exception as error:  # noqa: BLE001 - the unexpected becomes INTERNAL with a number
            failure = error
        finally:
            self._gate.in_flight -= 1
            if failure is None:
                self._end(call, code)
        return await self._refuse(context, call, failure)

    async def _answer(self, raw: bytes, caller: Caller) -> Any:
        request = self._parsed(raw)
        try:
            answer = await self._behaviour(request, caller)
        except (Denied, Hidden) as refusal:
            await self._recorded(refusal, caller, raw, request)
            raise
        if self._hands_out(request) and (recorder := self._keeper(request)) is not None:
            about = getattr(request, "name", "") or getattr(request, "path", "")
            mark = recorder.mark(raw)
            said = Access(Kind.EXPORTED, caller, self._name, about, request_hash=mark)
            await recorder.record(said)
        return answer

    def _hands_out(self, request: Any) -> bool:
        """Tell whether the contract calls this an export."""
        if not self._exports:
            return False
        field, _, beginning = self._exports.partition("=")
        asked = getattr(request, field, False) if field else False
        return field == "always" or (bool(asked) and str(asked).startswith(beginning))

    async def _recorded(
        self, refusal: Denied | Hidden, caller: Caller, raw: bytes, request: Any = None
    ) -> None:
        """Keep what was denied, unless the writer has. It is answered after that; not so a hidden record: waiting would
        tell that it exists.
        """
        recorder = self._keeper(request)
        if recorder is None or refusal.recorded:
            return
        hidden = isinstance(refusal, Hidden)
        record, code = getattr(request, "name", ""), denial_code(refusal)
        mark = recorder.mark(raw)
        access = Access(Kind.DENIED, caller, self._name, record, code, request_hash=mark)
        if not hidden:
            await recorder.record(access)
            return
        task = asyncio.create_task(recorder.record(access))
        self._recording.add(task)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: "asyncio.Task[None]") -> None:
        self._recording.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("access_not_recorded", method=self._name, error=type(error).__name__)

    async def stream(self, raw: bytes, context: Any) -> AsyncIterator[bytes]:
        async def answers(caller: Caller) -> AsyncIterator[Any]:
            async for answer in self._behaviour(self._parsed(raw), caller):
                yield answer

        async for answer in self._streamed(answers, context):
            yield answer

    async def both(self, raws: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async def answers(caller: Caller) -> AsyncIterator[Any]:
            requests = (await self._rows(raw) async for raw in raws)
            async for answer in self._behaviour(requests, caller):
                yield answer

        async for answer in self._streamed(answers, context):
            yield answer

    async def _streamed(
        self, answers: Callable[[Caller], AsyncIterator[Any]], context: Any
    ) -> AsyncIterator[bytes]:
        call, code = self._begin(), grpc.StatusCode.CANCELLED
        failure: Exception | None = None
        self._gate.streams += 1
        try:
            self._gate.admit(True)
            caller = call.caller = self._gate.identity.caller(_metadata(context))
            async for answer in answers(caller):
                yield _bytes(answer)
            code = grpc.StatusCode.OK
        except Exception as error:  # noqa: BLE001 - the unexpected becomes INTERNAL with a number
            failure = await self._told(error, call.caller)
        finally:
            self._gate.streams -= 1
            if failure is None:
                self._end(call, code)
        if failure is not None:
            await self._refuse(context, call, failure)

    async def _told(self, failure: Exception, caller: Caller | None) -> Exception:
        """Return how a stream ends: as it failed, or for want of a record of its denial."""
        try:
            if isinstance(failure, Denied) and caller is not None:
                await self._recorded(failure, caller, b"")
        except DomainError as unrecorded:
            return unrecorded
        return failure

    def _decoded(self, raw: bytes) -> Any:
        """Raises Invalid."""
        try:
            return self._request.FromString(raw)
        except DecodeError:
            raise Invalid(
                f"the request is not a {self._request.DESCRIPTOR.full_name}",
                f"请求不是 {self._request.DESCRIPTOR.full_name}",
                reason="UNDECODABLE",
            ) from None

    def _parsed(self, raw: bytes) -> Any:
        """Raises Invalid, Violated."""
        request = self._decoded(raw)
        found = _rules.broken(request)
        if found and "update_mask" in request.DESCRIPTOR.fields_by_name:
            found = _of_update(request, found)
        if found:
            raise Violated(found)
        return request

    async def _rows(self, raw: bytes) -> Rows:
        """Return rows and what is wrong with some of them; what is wrong with the rest of the request is raised.

        Each row is looked at by itself: it is small enough to be read by the rules' own library, and others come in between.
        """
        request = self._decoded(raw)
        rows = list(request.rows[: MOST_ROWS + 1])  # of millions nobody makes objects
        if len(rows) <= MOST_ROWS:
            request.ClearField("rows")
        if found := _rules.first(request):
            raise Violated(found)
        wrong: dict[int, Sequence[Problem]] = {}
        until = time.perf_counter() + AT_A_TIME
        for index, row in enumerate(rows):
            if found := _rules.broken(row):
                wrong[index] = found
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + AT_A_TIME
        return Rows(request, rows, wrong)

    def _begin(self) -> "Call":
        self._tally.started += 1
        return Call(time.perf_counter())

    def _count(self, call: "Call", code: grpc.StatusCode) -> float:
        """Count a call that ends, and return its seconds."""
        seconds = time.perf_counter() - call.began
        self._tally.end(code.name, seconds)
        return seconds

    def _end(self, call: "Call", code: grpc.StatusCode, **more: Any) -> None:
        seconds, caller = self._count(call, code), call.caller
        if not log.is_enabled_for(logging.INFO):
            return
        log.info(
            "rpc",
            method=self._path,
            code=code.name,
            seconds=round(seconds, 6),
            actor=caller.actor if caller else "",
            department=caller.department if caller else "",
            traceparent=caller.traceparent if caller else "",
            **more,
        )

    async def _refuse(self, context: Any, call: "Call", failure: Exception) -> NoReturn:
        code, text, details = self._refusal(call, failure)
        failure.__traceback__ = None  # its frames hold it, and the request: both would stay until somebody looks for cycles
        await context.abort(code, text, details)
        raise AssertionError("abort raises")

    def _refusal(self, call: "Call", failure: Exception) -> Refusal:
        """Count and log a call that failed; return what its caller is told."""
        if isinstance(failure, DomainError):
            if isinstance(failure, Unauthenticated):
                metrics.REFUSED.labels("identity").inc()
            code, text, status = status_of(failure)
            if isinstance(failure, Overloaded):
                self._gate.count_refused()
                self._count(call, code)
            else:
                self._end(call, code, reason=failure.code)
            return code, text, ((DETAILS_KEY, status),)
        incident = uuid.uuid4().hex[:12]
        log.error(
            "rpc_crashed", incident=incident, error=type(failure).__name__, where=_where(failure)
        )
        self._end(call, grpc.StatusCode.INTERNAL, incident=incident)
        code, text, status = crash(incident)
        return code, text, ((DETAILS_KEY, status),)


@dataclass(slots=True)
class Call:
    """What the log line of a call needs."""

    began: float
    caller: Caller | None = None


def handlers(
    gate: Gate,
    contract: ServiceDescriptor,
    behaviours: Mapping[str, Behaviour],
    keeper: Keeper = nobody,
) -> tuple[dict[str, Handler], list[Edge]]:
    """Return the contract's handlers by RPC name, and their edges, to be warmed once the server listens.

    `keeper`: tells who keeps what is denied and handed out.
    """
    edges = {m.name: Edge(gate, m, behaviours[m.name], keeper) for m in contract.methods}
    return {m.name: _handler(m, edges[m.name]) for m in contract.methods}, list(edges.values())


def _handler(method: MethodDescriptor, edge: Edge) -> Handler:
    """No (de)serialiser is given to gRPC: what one raises would reach the caller as it is."""
    match method.client_streaming, method.server_streaming:
        case False, False:
            return grpc.unary_unary_rpc_method_handler(edge.unary)
        case False, True:
            return grpc.unary_stream_rpc_method_handler(edge.stream)
        case True, True:
            return grpc.stream_stream_rpc_method_handler(edge.both)
    raise TypeError(f"{method.full_name}: a stream of requests with one answer is not served")


def server(front: str = fronts.GRPCIO) -> Any:
    """Return a server; it belongs to the running loop. Raises NoFront."""
    return fronts.server(front, SERVER_OPTIONS)


def serve(server: Any, contract: ServiceDescriptor, methods: dict[str, Handler]) -> None:
    """Add a service to a server that has not started."""
    server.add(contract.full_name, methods)


def _of_update(request: Any, found: list[Problem]) -> list[Problem]:
    """Return what is wrong with the fields that an update writes. Raises Invalid: it is too large to tell."""
    if room(request, PARTS) <= 0:
        raise Invalid(
            f"the update has more than {PARTS} entries; give the fields of update_mask only",
            f"修改请求超过 {PARTS} 项；请只填写 update_mask 所列字段",
            reason="TOO_MANY_ENTRIES",
        )
    return [problem for problem in found if _is_written(request, problem.field)]


def _is_written(request: Any, path: str) -> bool:
    """Tell whether an update writes the field of a violation: what it does not write may be anything."""
    record = request.DESCRIPTOR.fields[0].name
    if not path.startswith(f"{record}."):
        return True
    field = re.split(r"[.\[]", path)[1]
    given = getattr(request, record)
    return field in (request.update_mask.paths or {f.name for f, _ in given.ListFields()})


def _type(method: MethodDescriptor) -> str:
    names = {False: "unary", True: "stream"}
    if method.client_streaming and method.server_streaming:
        return "bidi_stream"
    return "server_stream" if method.server_streaming else names[method.client_streaming]


def _limit(context: Any) -> float:
    """Seconds until the caller's deadline, or those of a call that names none."""
    remaining = context.time_remaining()
    if remaining is None or remaining >= ENDLESS:
        return DEADLINE
    return max(0.0, float(remaining))


def _bytes(answer: Message | bytes) -> bytes:
    return answer if isinstance(answer, bytes) else answer.SerializeToString()


def _metadata(context: Any) -> Any:
    return context.invocation_metadata() or ()


def _where(failure: Exception) -> str:
    """The traceback without the exception's text, which may hold what a caller sent."""
    return "".join(traceback.format_tb(failure.__traceback__))


def _too_late() -> TooLate:
    return TooLate(
        "the deadline passed before the answer was there; the outcome is unknown: repeat with the same request_id",
        "已超过时限，结果未知；请用同一 request_id 重试",
    )

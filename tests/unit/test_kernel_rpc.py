"""The edge: deadlines, limits, what a crash may tell."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import grpc
import pytest
import structlog
from google.rpc.status_pb2 import Status

from kernel import metrics, rpc
from kernel.case import Caller
from kernel.errors import Refused
from kernel.identity import Identity, is_loopback
from luoshu.platforms.v1 import platforms_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["PlatformService"]
METADATA = (("luoshu-actor", "wang"), ("luoshu-department", "DST"), ("luoshu-roles", "applicant"))


class Aborted(Exception):
    pass


class Context:
    """A call as the server gives it. `remaining`: seconds until its deadline."""

    def __init__(self, remaining: float | None = None, metadata: Any = METADATA) -> None:
        self._remaining, self._metadata = remaining, metadata
        self.code, self.text, self.status = grpc.StatusCode.OK, "", Status()

    def time_remaining(self) -> float | None:
        return self._remaining

    def invocation_metadata(self) -> Any:
        return self._metadata

    async def abort(self, code: grpc.StatusCode, text: str, trailing: Any = ()) -> None:
        self.code, self.text = code, text
        self.status = Status.FromString(dict(trailing)["grpc-status-details-bin"])
        raise Aborted


def edge(behaviour: Any, name: str = "GetPlatform", believes: bool = True) -> rpc.Edge:
    return rpc.Edge(rpc.Gate(Identity(believes)), SERVICE.methods_by_name[name], behaviour)


REQUEST = pb.GetPlatformRequest(name="platforms/x").SerializeToString()


async def answer(request: Any, caller: Caller) -> pb.Platform:
    return pb.Platform(name=request.name, author=caller.actor)


async def refused(by: rpc.Edge, context: Context, raw: bytes = REQUEST) -> Context:
    with pytest.raises(Aborted):
        await by.unary(raw, context)
    assert context.status.code == context.code.value[0]
    assert {detail.TypeName().rpartition(".")[2] for detail in context.status.details} >= {
        "ErrorInfo",
        "LocalizedMessage",
    }
    return context


async def test_a_call_is_parsed_and_answered() -> None:
    body = await edge(answer).unary(REQUEST, Context())
    assert pb.Platform.FromString(body) == pb.Platform(name="platforms/x", author="wang")


async def test_a_deadline_that_is_over_is_exceeded_before_the_answer() -> None:
    async def slow(request: Any, caller: Caller) -> pb.Platform:
        await asyncio.sleep(0.01)
        return pb.Platform()

    for remaining in (0.0, -3.0, 0.001):
        wrong = await refused(edge(slow), Context(remaining))
        assert wrong.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "same request_id" in wrong.text


@pytest.mark.parametrize(("remaining", "code"), [(0.0, "DEADLINE_EXCEEDED"), (9.0, "CANCELLED")])
async def test_a_front_that_ends_a_call_first_does_not_hide_why(
    remaining: float, code: str
) -> None:
    begun = asyncio.Event()

    async def hangs(request: Any, caller: Caller) -> pb.Platform:
        begun.set()
        await asyncio.sleep(5)
        return pb.Platform()

    context = Context(9.0)
    running = asyncio.ensure_future(edge(hangs).unary(REQUEST, context))
    await begun.wait()
    context._remaining = remaining
    with structlog.testing.capture_logs() as lines:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    assert [line["code"] for line in lines if line["event"] == "rpc"] == [code]


async def test_a_call_without_deadline_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(request: Any, caller: Caller) -> pb.Platform:
        await asyncio.sleep(5)
        return pb.Platform()

    monkeypatch.setattr(rpc, "DEADLINE", 0.01)
    wrong = await refused(edge(hangs), Context(None))
    assert wrong.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_over_the_limit_a_call_is_refused_before_it_is_queued(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rpc, "IN_FLIGHT", 2)
    door = asyncio.Event()

    async def waits(request: Any, caller: Caller) -> pb.Platform:
        await door.wait()
        return pb.Platform()

    by = edge(waits)
    first = [asyncio.ensure_future(by.unary(REQUEST, Context())) for _ in range(2)]
    await asyncio.sleep(0)
    wrong = await refused(by, Context())
    assert wrong.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "RetryInfo" in str([d.TypeName() for d in wrong.status.details])
    door.set()
    await asyncio.gather(*first)
    assert await by.unary(REQUEST, Context()) == b""


async def test_a_flood_is_one_line_in_the_log_and_each_of_it_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rpc, "IN_FLIGHT", 0)
    by = edge(answer)
    before = metrics.REFUSED.labels("overload")._value.get()
    with structlog.testing.capture_logs() as lines:
        for _ in range(20):
            await refused(by, Context())
    assert [line["event"] for line in lines] == ["overloaded"]
    assert metrics.REFUSED.labels("overload")._value.get() == before + 20


async def test_every_way_out_gives_the_place_back() -> None:
    async def crashes(request: Any, caller: Caller) -> pb.Platform:
        raise KeyError("x")

    async def refuses(request: Any, caller: Caller) -> pb.Platform:
        raise Refused("cannot; can", "不能；可以")

    async def hangs(request: Any, caller: Caller) -> pb.Platform:
        await asyncio.sleep(5)
        return pb.Platform()

    for behaviour, context in ((crashes, Context()), (refuses, Context()), (hangs, Context(0.001))):
        by = edge(behaviour)
        await refused(by, context)
        assert by._gate.in_flight == 0
    by = edge(hangs)
    gone = asyncio.ensure_future(by.unary(REQUEST, Context()))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert by._gate.in_flight == 0


async def test_a_crash_tells_a_number_only() -> None:
    async def crashes(request: Any, caller: Caller) -> pb.Platform:
        raise KeyError("a secret")

    wrong = await refused(edge(crashes), Context())
    assert wrong.code is grpc.StatusCode.INTERNAL
    assert "secret" not in wrong.text + str(wrong.status)


class Crash(Exception):
    pass


async def test_a_refused_call_leaves_nothing_that_only_a_look_for_cycles_would_find() -> None:
    raised = list[weakref.ref[Exception]]()

    def known(error: Exception) -> Exception:
        raised.append(weakref.ref(error))
        return error

    async def refuses(request: Any, caller: Caller) -> pb.Platform:
        error = known(Refused("no", "不可", reason="NO"))
        raise error

    async def crashes(request: Any, caller: Caller) -> pb.Platform:
        error = known(Crash())
        raise error

    async def streams(request: Any, caller: Caller) -> AsyncIterator[bytes]:
        yield b"1"
        await refuses(request, caller)

    async def stream(by: rpc.Edge) -> None:
        async for _ in by.stream(pb.WatchPlatformsRequest().SerializeToString(), Context()):
            pass

    gc.disable()
    try:
        await left(edge(refuses).unary(REQUEST, Context()))
        await left(edge(crashes).unary(REQUEST, Context()))
        await left(stream(edge(streams, "WatchPlatforms")))
        assert [reference() for reference in raised] == [None] * 3
    finally:
        gc.enable()


async def left(call: Coroutine[Any, Any, object]) -> None:
    """Let a call end as one that was aborted, in a task of its own, as a server does."""

    async def aborted() -> None:
        with contextlib.suppress(Aborted):
            await call

    await asyncio.create_task(aborted())


async def test_without_belief_nobody_gets_in() -> None:
    wrong = await refused(edge(answer, believes=False), Context())
    assert wrong.code is grpc.StatusCode.UNAUTHENTICATED
    assert "LUOSHU_DEVELOPMENT_IDENTITY" in wrong.text


async def test_a_stream_that_is_refused_says_why_and_one_that_is_left_gives_its_place_back() -> (
    None
):
    async def two(request: Any, caller: Caller) -> AsyncIterator[bytes]:
        yield b"1"
        yield b"2"

    async def fails(request: Any, caller: Caller) -> AsyncIterator[bytes]:
        yield b"1"
        raise Refused("cannot; can", "不能；可以")

    raw = pb.WatchPlatformsRequest().SerializeToString()
    assert [b async for b in edge(two, "WatchPlatforms").stream(raw, Context())] == [b"1", b"2"]
    context = Context()
    failing = edge(fails, "WatchPlatforms").stream(raw, context)
    assert await anext(failing) == b"1"
    with pytest.raises(Aborted):
        await anext(failing)
    assert context.code is grpc.StatusCode.FAILED_PRECONDITION
    by = edge(two, "WatchPlatforms")
    stream = by.stream(raw, Context())
    await anext(stream)
    assert by._gate.streams == 1
    await stream.aclose()  # type: ignore[attr-defined]
    for _ in range(5):  # the generators inside are closed one turn of the loop after the other
        await asyncio.sleep(0)
    assert by._gate.streams == 0


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:1", True), ("[::1]:1", True), ("localhost:1", True), ("unix:/tmp/s", True),
        ("0.0.0.0:1", False), ("[::]:1", False), ("10.0.0.1:1", False), ("example.org:1", False),
    ],
)  # fmt: skip
def test_only_a_loopback_address_is_one(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback

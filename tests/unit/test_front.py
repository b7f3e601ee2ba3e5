"""Each front, with handlers of the test's own: what gRPC promises a caller and a handler."""

import asyncio
import contextlib
import gc
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health as health_of
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kernel import front, grpcio
from kernel.call import Call
from kernel.rpc import SERVER_OPTIONS

SERVICE = "test.v1.Test"
LARGEST = dict(SERVER_OPTIONS)["grpc.max_receive_message_length"]
Unary = Callable[[bytes, Any], Any]
KIND = ContextVar("KIND", default="")
GRPCIO_ONLY = pytest.mark.parametrize("kind", [front.GRPCIO], indirect=True)
"""What the native front's library cannot: it stops without waiting for what it has still to send."""


@pytest.fixture(params=front.FRONTS, autouse=True)
def kind(request: pytest.FixtureRequest) -> Iterator[None]:
    token = KIND.set(request.param)
    yield
    KIND.reset(token)


def unary(code: Unary) -> Any:
    return grpc.unary_unary_rpc_method_handler(code)


@asynccontextmanager
async def serving(**methods: Any) -> AsyncIterator[Any]:
    """Yield a channel to a server with these methods; `channel.server` is the server."""
    server = front.server(KIND.get(), SERVER_OPTIONS)
    server.add(SERVICE, methods)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        channel.server, channel.port = server, port
        await channel.channel_ready()
        try:
            yield channel
        finally:
            await server.stop(0)


def call(channel: Any, name: str, request: bytes = b"", **more: Any) -> Any:
    return channel.unary_unary(f"/{SERVICE}/{name}")(
        request, timeout=more.pop("timeout", 10), **more
    )


async def echo(request: bytes, _: Any) -> bytes:
    return request


async def echo_later(request: bytes, _: Any) -> bytes:
    await asyncio.sleep(0.01)
    return request


async def ended(awaited: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaited
    return caught.value


@pytest.mark.parametrize("code", [echo, echo_later])
async def test_each_of_many_callers_gets_the_answer_to_its_own_request(code: Unary) -> None:
    async with serving(Echo=unary(code)) as channel:
        at_once = 300 if KIND.get() == front.NATIVE else 100
        for begins in range(0, 900, at_once):
            requests = [b"%d" % n for n in range(begins, begins + at_once)]
            asked = (call(channel, "Echo", request) for request in requests)
            assert await asyncio.gather(*asked) == requests


async def test_calls_one_after_another_are_answered_however_long_nothing_came() -> None:
    async with serving(Echo=unary(echo)) as channel:
        for n in range(40):
            assert await call(channel, "Echo", b"%d" % n) == b"%d" % n
            await asyncio.sleep(0.005 * (n % 4))


@dataclass
class Looks:
    """What the loop looked for: `woken` with which events by the thread, `more` times of itself."""

    woken: list[str] = field(default_factory=list)
    more: int = 0


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """Count the looks of the default front's servers."""
    found, look = Looks(), grpcio.Server._look

    def counted(server: grpcio.Server, event: Any = None) -> None:
        if event is None:
            found.more += 1
        else:
            found.woken.append(getattr(event.tag, "func", event.tag).__name__)
        look(server, event)

    monkeypatch.setattr(grpcio.Server, "_look", counted)
    return found


@GRPCIO_ONLY
async def test_what_only_ends_a_lone_call_wakes_nobody_and_is_not_looked_for(looks: Looks) -> None:
    async with serving(Echo=unary(echo_later)) as channel:
        looks.more = 0
        for _ in range(20):
            await call(channel, "Echo", b"lone")
            await asyncio.sleep(0.02)
        gc.disable()
        try:
            kept = [one for one in gc.get_objects() if type(one) is Call]
        finally:
            gc.enable()
        assert (set(looks.woken) - {"_called", "_came"}, kept) == (set(), [])
        assert 20 <= len(looks.woken) <= 40  # for a call that came, and at times for its request
        assert looks.more <= 3 * 20  # behind each of these, and once more where an event was there


@GRPCIO_ONLY
async def test_that_a_caller_has_gone_wakes_the_loop(looks: Looks) -> None:
    async with serving(Wait=unary(lambda *_: asyncio.sleep(60))) as channel:
        waits = call(channel, "Wait")
        await asyncio.sleep(0.1)
        waits.cancel()
        await asyncio.sleep(0.1)
        assert (looks.woken[-1], channel.server.calls) == ("_left", set())


@GRPCIO_ONLY
async def test_what_a_lone_stream_has_sent_is_told_without_the_thread(looks: Looks) -> None:
    async def back(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for one in requests:
            yield one

    async with serving(Back=grpc.stream_stream_rpc_method_handler(back)) as channel:
        stream = channel.stream_stream(f"/{SERVICE}/Back")()
        for n in range(50):
            await stream.write(b"%d" % n)
            assert await stream.read() == b"%d" % n
            await asyncio.sleep(0.005)
        await stream.done_writing()
        assert looks.woken.count("_succeeded") < 25


async def test_a_handler_is_told_of_metadata_and_deadline() -> None:
    async def told(_: bytes, context: Any) -> bytes:
        said = dict(context.invocation_metadata())
        return f"{said['luoshu-actor']} {said['key-bin']!r} {context.time_remaining():.0f}".encode()

    async def endless(_: bytes, context: Any) -> bytes:
        return str(context.time_remaining()).encode()

    metadata = (("luoshu-actor", "accounts/a"), ("key-bin", b"\x00\xff"))
    async with serving(Told=unary(told), Endless=unary(endless)) as channel:
        answer = await call(channel, "Told", metadata=metadata, timeout=7)
        assert answer == b"accounts/a b'\\x00\\xff' 7"
        assert await call(channel, "Endless", timeout=None) == b"None"


async def test_a_status_comes_with_its_text_and_metadata() -> None:
    async def refuse(_: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.NOT_FOUND, "没有", (("why-bin", b"\x01"),))
        return b""

    async with serving(Refuse=unary(refuse)) as channel:
        error = await ended(call(channel, "Refuse"))
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "没有")
    assert ("why-bin", b"\x01") in list(error.trailing_metadata())


async def test_a_handler_that_fails_ends_its_own_call_only() -> None:
    async def fail(_: bytes, __: Any) -> bytes:
        raise ValueError("secret")

    async with serving(Fail=unary(fail), Echo=unary(echo)) as channel:
        error = await ended(call(channel, "Fail"))
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert "secret" not in error.details()
        assert await call(channel, "Echo", b"on") == b"on"


@pytest.mark.parametrize("answer", [None, "text"])
async def test_an_answer_that_is_no_bytes_ends_its_own_call_only(answer: Any) -> None:
    async def wrong(_: bytes, __: Any) -> Any:
        return answer

    async with serving(Wrong=unary(wrong), Echo=unary(echo)) as channel:
        assert (await ended(call(channel, "Wrong"))).code() is grpc.StatusCode.UNKNOWN
        assert await call(channel, "Echo", b"on") == b"on"


async def test_a_handler_that_is_cancelled_from_within_ends_its_call() -> None:
    async def cancelled(_: bytes, __: Any) -> bytes:
        waits = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.01, waits.cancel)
        return bytes(await waits)

    async with serving(Cancelled=unary(cancelled)) as channel:
        error = await ended(call(channel, "Cancelled", timeout=5))
    assert error.code() is grpc.StatusCode.CANCELLED


async def test_calls_that_are_cancelled_at_once_leave_nothing_behind() -> None:
    async with serving(Echo=unary(echo_later)) as channel:
        for _ in range(20):
            calls = [call(channel, "Echo", b"x") for _ in range(50)]
            waiting = asyncio.gather(*calls, return_exceptions=True)
            await asyncio.sleep(0)
            for each in calls:
                each.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        # gRPC refuses what comes while a connection has too many, be they cancelled.
        await asyncio.sleep(0.1)
        assert not channel.server.calls
        assert await call(channel, "Echo", b"on") == b"on"
        await asyncio.sleep(0.1)
        assert not channel.server.calls


async def test_a_server_that_never_listened_stops() -> None:
    await front.server(KIND.get(), SERVER_OPTIONS).stop(0)


async def test_a_request_that_is_too_large_is_refused_and_says_how_much_would_do() -> None:
    async with serving(Echo=unary(echo)) as channel:
        error = await ended(call(channel, "Echo", b"x" * (LARGEST + 1)))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert str(LARGEST) in error.details()
        assert await call(channel, "Echo", b"on") == b"on"


@pytest.mark.parametrize("leaves", ["cancels", "deadline"])
async def test_a_caller_that_leaves_ends_the_handlers_work(leaves: str) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def wait(_: bytes, __: Any) -> bytes:
        begun.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            over.set()
            raise
        return b""

    async with serving(Wait=unary(wait)) as channel:
        waiting = call(channel, "Wait", timeout=30 if leaves == "cancels" else 0.2)
        if leaves == "cancels":
            running = asyncio.ensure_future(waiting)
            await begun.wait()
            waiting.cancel()
            await asyncio.gather(running, return_exceptions=True)
        else:
            assert (await ended(waiting)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(over.wait(), 5)


def stream(code: Callable[[bytes, Any], AsyncIterator[bytes]]) -> Any:
    return grpc.unary_stream_rpc_method_handler(code)


async def test_a_stream_waits_for_a_slow_reader_and_nobody_else_does() -> None:
    made = 0

    async def many(_: bytes, __: Any) -> AsyncIterator[bytes]:
        nonlocal made
        for n in range(600):
            made = n + 1
            yield b"%d " % n + b"x" * 100_000

    async with serving(Many=stream(many), Echo=unary(echo)) as channel:
        answers = channel.unary_stream(f"/{SERVICE}/Many")(b"", timeout=30)
        each = aiter(answers)
        first = await anext(each)
        await asyncio.sleep(0.3)
        assert made < 600, "what nobody reads is not made"
        assert await call(channel, "Echo", b"on") == b"on"
        rest = [answer async for answer in each]
    assert [int(answer.split()[0]) for answer in (first, *rest)] == list(range(600))


async def test_readers_who_stand_still_hold_up_nobody() -> None:
    async def endless(_: bytes, __: Any) -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100_000

    async def in_a_thread(request: bytes, _: Any) -> bytes:
        return await asyncio.to_thread(bytes, request)

    async with serving(Endless=stream(endless), Thread=unary(in_a_thread)) as channel:
        streams = [channel.unary_stream(f"/{SERVICE}/Endless")(b"") for _ in range(50)]
        for each in streams:
            await each.read()
        assert await call(channel, "Thread", b"on") == b"on"
        for each in streams:
            each.cancel()


async def test_a_stream_whose_reader_leaves_is_closed() -> None:
    closed = asyncio.Event()

    async def forever(_: bytes, __: Any) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    async with serving(Forever=stream(forever)) as channel:
        answers = channel.unary_stream(f"/{SERVICE}/Forever")(b"")
        await answers.read()
        answers.cancel()
        await asyncio.wait_for(closed.wait(), 5)


async def test_a_stream_can_end_with_a_status() -> None:
    async def few(_: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"1"
        await context.abort(grpc.StatusCode.ABORTED, "enough / 够了")

    async with serving(Few=stream(few)) as channel:
        answers = channel.unary_stream(f"/{SERVICE}/Few")(b"", timeout=10)
        assert await answers.read() == b"1"
        error = await ended(answers.read())
    assert (error.code(), error.details()) == (grpc.StatusCode.ABORTED, "enough / 够了")


async def test_requests_that_come_as_a_stream_are_answered_too() -> None:
    async def both(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request * 2

    async with serving(Both=grpc.stream_stream_rpc_method_handler(both)) as channel:
        requests = iter([b"a", b"b"])
        answers = channel.stream_stream(f"/{SERVICE}/Both")(requests, timeout=10)
        assert [answer async for answer in answers] == [b"aa", b"bb"]


async def test_a_method_that_there_is_not_is_told_so() -> None:
    async with serving(Echo=unary(echo)) as channel:
        error = await ended(call(channel, "Missing"))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_stop_lets_calls_end_for_its_grace_and_takes_no_new_ones() -> None:
    begun = asyncio.Event()

    async def slow(request: bytes, _: Any) -> bytes:
        begun.set()
        await asyncio.sleep(float(request))
        return b"done"

    async with serving(Slow=unary(slow)) as channel:
        ends, lasts = call(channel, "Slow", b"0.3"), call(channel, "Slow", b"30", timeout=20)
        waiting = asyncio.gather(ends, lasts, return_exceptions=True)
        await begun.wait()
        stopping = asyncio.create_task(channel.server.stop(1))
        await asyncio.sleep(0)
        late = await ended(call(channel, "Slow", b"0"))
        done, cut = await waiting
        await stopping
        assert not await channel.server.wait_for_termination(1)
    assert done == b"done"
    told = {grpc.StatusCode.UNAVAILABLE}
    if KIND.get() == front.GRPCIO:  # gRPC itself may end what it does not hand on any more
        told.add(grpc.StatusCode.CANCELLED)
    assert late.code() in told
    assert cut.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


async def test_an_address_in_use_is_refused() -> None:
    async with serving(Echo=unary(echo)) as channel:
        other = front.server(KIND.get(), SERVER_OPTIONS)
        with pytest.raises(RuntimeError):
            other.add_insecure_port(f"127.0.0.1:{channel.port}")


async def test_a_servicer_that_writes_its_answers_itself_is_served() -> None:
    server, health = front.server(KIND.get(), SERVER_OPTIONS), health_of.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    request, status = health_pb2.HealthCheckRequest(), health_pb2.HealthCheckResponse
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        assert (await stub.Check(request, timeout=10)).status == status.SERVING
        watching = aiter(stub.Watch(request, timeout=10))
        assert (await anext(watching)).status == status.SERVING
        await health.set("", status.NOT_SERVING)
        assert (await anext(watching)).status == status.NOT_SERVING
        missing = health_pb2.HealthCheckRequest(service="missing")
        assert (await ended(stub.Check(missing, timeout=10))).code() is grpc.StatusCode.NOT_FOUND
    await server.stop(0)


async def test_servers_one_after_another_leave_no_threads_behind() -> None:
    for _ in range(10):
        async with serving(Echo=unary(echo)) as channel:
            assert await call(channel, "Echo", b"on") == b"on"
    await asyncio.sleep(0.1)
    assert not [t.name for t in threading.enumerate() if t.name in ("grpc-events", "native-front")]


@pytest.mark.parametrize("grace", [None, 0.2])
async def test_a_stop_ends_streams_too(grace: float | None) -> None:
    closed = asyncio.Event()

    async def waits(_: bytes, __: Any) -> AsyncIterator[bytes]:
        yield b"first"
        try:
            await asyncio.sleep(30)
        finally:
            closed.set()

    async with serving(Waits=stream(waits)) as channel:
        answers = channel.unary_stream(f"/{SERVICE}/Waits")(b"", timeout=20)
        assert await answers.read() == b"first"
        await asyncio.wait_for(channel.server.stop(grace), 5)
        assert closed.is_set()
        await ended(answers.read())


@asynccontextmanager
async def lingering(port: int, goes_on: asyncio.Event) -> AsyncIterator[int]:
    """Yield the port of a way to a server that takes what the server sends only while `goes_on` is set, and keeps little."""

    async def pass_on(reader: asyncio.StreamReader, writer: Any, when: asyncio.Event) -> None:
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(1 << 16):
                await when.wait()
                writer.write(part)
                await writer.drain()
        writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = socket.socket()
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15)
        there.connect(("127.0.0.1", port))
        back, forth = await asyncio.open_connection(sock=there)
        always = asyncio.Event()
        always.set()
        await asyncio.gather(pass_on(reader, forth, always), pass_on(back, writer, goes_on))

    async with await asyncio.start_server(join, "127.0.0.1", 0) as way:
        yield way.sockets[0].getsockname()[1]


@GRPCIO_ONLY
async def test_what_is_answered_before_a_stop_arrives_however_slow_the_way() -> None:
    answered, many, goes_on = list[bytes](), 10, asyncio.Event()

    async def large(request: bytes, _: Any) -> bytes:
        answered.append(request)
        return b"x" * 300_000

    goes_on.set()
    async with (
        serving(Large=unary(large)) as served,
        lingering(served.port, goes_on) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        await call(channel, "Large")
        goes_on.clear()
        calls = asyncio.gather(*(call(channel, "Large") for _ in range(many)))
        while len(answered) <= many or served.server.calls:  # noqa: ASYNC110 - gRPC tells nobody else
            await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(0.2, goes_on.set)
        await served.server.stop(10)
        assert {len(answer) for answer in await calls} == {300_000}


@GRPCIO_ONLY
async def test_a_connection_that_does_not_end_holds_a_stop_for_its_grace_at_most() -> None:
    async with serving(Echo=unary(echo)) as served:
        with socket.create_connection(("127.0.0.1", served.port)):
            await asyncio.sleep(0.1)
            async with asyncio.timeout(3):
                await served.server.stop(0.5)
        assert served.server.closed


async def test_a_status_that_cannot_be_sent_ends_the_call_all_the_same() -> None:
    async def refuse(_: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.NOT_FOUND, "no", (("why-bin", "no bytes"),))
        return b""

    async with serving(Refuse=unary(refuse), Echo=unary(echo)) as channel:
        error = await ended(call(channel, "Refuse", timeout=5))
        assert error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
        assert await call(channel, "Echo", b"on") == b"on"


async def test_no_message_of_a_stream_is_left_to_be_looked_for() -> None:
    async def both(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    async with serving(Both=grpc.stream_stream_rpc_method_handler(both)) as channel:
        gc.collect()
        gc.disable()
        try:
            answers = channel.stream_stream(f"/{SERVICE}/Both")(iter([b"x"] * 100), timeout=10)
            assert [answer async for answer in answers] == [b"x"] * 100
            await asyncio.sleep(0.05)
            left = [type(one).__name__ for one in gc.get_objects()]
        finally:
            gc.enable()
    assert left.count("BatchOperationEvent") < 10

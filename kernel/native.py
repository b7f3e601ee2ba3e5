"""The native front: the server of `pygrpc-native`, and a straight way from its events to the handlers.

The asyncio server that the library has itself goes through a change of threads, a task and six coroutines with each call. Here a
call begins in the very callback that brings it, and many a read has ended before that returns.
"""

import asyncio
import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
import structlog
from pygrpc_native import EVENT_CANCEL, STREAM_CLOSED, STREAM_FULL, NativeGrpcFront

from kernel import grpcio
from kernel.front import AT_ONCE, CANCELLED, NO_STATUS, Ended, Front, Metadata, Options, ending

log = structlog.get_logger(__name__)

IO_THREADS = 1  # the loop answers more slowly than one thread reads and writes; a second wakes up for each call
EVENTS = 64  # taken at once
ANSWERS = 8  # handed over at once: each hand-over wakes the thread that writes, and what is there goes out in one piece
WAITERS = 1000  # threads at most, as many as there may be streams: each waits for one


class Context:
    """What a handler is told of its call: of grpcio's context the part that ours use."""

    __slots__ = ("_ends", "_metadata")

    def __init__(self, metadata: Metadata, peer: str, remaining: float | None) -> None:
        self._metadata = metadata
        self._ends = None if remaining is None else time.monotonic() + remaining

    def invocation_metadata(self) -> Metadata:
        return self._metadata

    def time_remaining(self) -> float | None:
        """Seconds; None: its caller names no deadline."""
        return None if self._ends is None else max(0.0, self._ends - time.monotonic())

    async def abort(self, code: grpc.StatusCode, text: str, more: Metadata = ()) -> NoReturn:
        raise Ended(code, text, more)


class Server(Front):
    """Serves on one address, without TLS. What comes as a stream, and what others add, a grpcio server behind it answers."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._said = dict(options)
        self._largest = self._said["grpc.max_receive_message_length"]
        self._behind = grpcio.Server(options)
        self._methods: list[tuple[str, grpc.RpcMethodHandler[Any, Any]]] = []
        self.calls: dict[int, asyncio.Task[None]] = {}
        self._answers: list[tuple[int, bytes]] = []
        self._turn = threading.Lock()
        self._turn.acquire()
        self._waiters = ThreadPoolExecutor(WAITERS, thread_name_prefix="native-stream")
        self._stopping = False
        self._front: Any = None
        self._folder = ""
        self._loop = asyncio.get_running_loop()
        self.add_generic_rpc_handlers = self._behind.add_generic_rpc_handlers
        self.add_registered_method_handlers = self._behind.add_registered_method_handlers

    def add(self, service: str, methods: Mapping[str, Any]) -> None:
        """Add handlers, of bytes to bytes, to a server that has not started."""
        streamed = {name: method for name, method in methods.items() if method.request_streaming}
        self._behind.add(service, streamed)
        self._methods += [(f"/{service}/{n}", m) for n, m in methods.items() if n not in streamed]

    def add_insecure_port(self, address: str) -> int:
        """Listen; return the port. Raises RuntimeError: it cannot."""
        said = self._said
        try:
            self._front = NativeGrpcFront(
                address,
                [],
                io_threads=IO_THREADS,
                call_details=True,
                delay_stream_headers=True,
                keepalive_time_ms=said["grpc.keepalive_time_ms"],
                keepalive_timeout_ms=said["grpc.keepalive_timeout_ms"],
                keepalive_permit_without_calls=False,
                max_concurrent_streams=said["grpc.max_concurrent_streams"],
                max_metadata_size=said["grpc.max_metadata_size"] * 5 // 4,  # where grpcio's ends
                reuse_port=bool(said["grpc.so_reuseport"]),
            )
        except OSError as error:
            raise RuntimeError(f"cannot listen at {address}") from error
        return int(self._front.bound_port)

    async def start(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="luoshu-front-")
        path = f"{self._folder}/behind.sock"
        self._behind.add_insecure_port(f"unix:{path}")
        await self._behind.start()
        self._front.add_methods([(name, m.response_streaming) for name, m in self._methods])
        self._front.set_fallback(path)
        self._front.start()
        threading.Thread(target=self._wait, name="native-front", daemon=True).start()

    async def stop(self, grace: float | None) -> None:
        """Refuse new calls, and let those under way end for `grace` seconds."""
        if self._stopping:
            await self._terminated.wait()
            return
        self._stopping = True
        behind = asyncio.create_task(self._behind.stop(grace))
        calls = set(self.calls.values())
        if grace and calls:
            await asyncio.wait(calls, timeout=grace)
        for call in calls:
            call.cancel()
        await asyncio.gather(behind, *calls, return_exceptions=True)
        self._send()
        if self._front is not None:
            await asyncio.to_thread(self._front.close)
        self._waiters.shutdown(wait=False)
        if self._folder:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        self._terminated.set()

    # From events to calls. A thread waits where there is nothing to do; as long as there is, the loop looks itself.

    def _wait(self) -> None:
        while (events := self._front.recv_batch_details(EVENTS)) is not None:
            try:
                self._loop.call_soon_threadsafe(self._begin, events)
            except RuntimeError:  # the loop was closed, and the server not stopped
                self._front.close()
                return
            self._turn.acquire()

    def _look(self) -> None:
        if events := self._front.recv_batch_details(EVENTS, 0):
            self._begin(events)
        else:
            self._turn.release()

    def _begin(self, events: Sequence[Any]) -> None:
        self._loop.call_soon(self._look)
        for kind, call, method, payload, _, details in events:
            if kind == EVENT_CANCEL:  # the caller has gone, or its time is over
                if (task := self.calls.get(call)) is not None:
                    task.cancel()
            elif self._stopping:
                self._fail(call, grpc.StatusCode.UNAVAILABLE, "the server stops / 服务正在停止")
            elif len(payload) > self._largest:
                self._fail(call, grpc.StatusCode.RESOURCE_EXHAUSTED, _large(payload, self._largest))
            else:
                self._call(call, self._methods[method][1], payload, Context(*details))

    def _call(self, call: int, method: Any, payload: bytes, context: Context) -> None:
        answered = self._answered(call, method, payload, context)
        task = asyncio.Task(answered, loop=self._loop, **AT_ONCE)
        if not task.done():
            self.calls[call] = task
            if not AT_ONCE:  # it may be cancelled before it begins, and then never ends itself
                task.add_done_callback(lambda _: self.calls.pop(call, None))

    # From calls to answers.

    async def _answered(self, call: int, method: Any, payload: bytes, context: Context) -> None:
        try:
            if method.response_streaming:
                await self._stream(call, method.unary_stream(payload, context))
            else:
                self._hand_over(call, await method.unary_unary(payload, context))
        except asyncio.CancelledError:  # by whom it may be: of those who have gone nobody hears it
            self._fail(call, grpc.StatusCode.CANCELLED, CANCELLED)
            raise
        except Exception as error:  # noqa: BLE001 - whoever waits is told, whatever it was
            self._fail(call, *ending(error))
        finally:
            self.calls.pop(call, None)

    def _hand_over(self, call: int, answer: bytes) -> None:
        """Answer with what else is answered in this turn of the loop."""
        if not isinstance(answer, bytes):
            raise TypeError(f"an answer is bytes, not {type(answer).__name__}")
        self._answers.append((call, answer))
        if len(self._answers) == 1:
            self._loop.call_soon(self._send)
        elif len(self._answers) == ANSWERS:
            self._send()

    def _send(self) -> None:
        answers, self._answers = self._answers, []
        for call, answer in answers:
            self._front.respond(call, answer)

    def _fail(self, call: int, code: grpc.StatusCode, text: str, more: Metadata = ()) -> None:
        try:
            self._front.fail(call, code.value[0], text, trailing_metadata=list(more))
        except Exception as error:  # noqa: BLE001 - the caller hears of an end, whatever it was to be
            log.error("status_refused", error=type(error).__name__)
            self._front.fail(call, grpc.StatusCode.INTERNAL.value[0], NO_STATUS)

    async def _stream(self, call: int, answers: AsyncGenerator[bytes, None]) -> None:
        async with contextlib.aclosing(answers):
            async for answer in answers:
                if not await self._sent(call, answer):
                    return
        self._front.stream_end(call)

    async def _sent(self, call: int, answer: bytes) -> bool:
        """Send one of a stream's answers, once its caller has taken enough of those before; False: it has gone."""
        sent = self._front.stream_try_send(call, answer)
        if sent == STREAM_FULL:
            send = self._front.stream_send
            return bool(await self._loop.run_in_executor(self._waiters, send, call, answer))
        return bool(sent != STREAM_CLOSED)


def _large(payload: bytes, largest: int) -> str:
    size = len(payload)
    return (
        f"the request has {size} bytes, of at most {largest}; send less at a time / "
        f"请求为 {size} 字节，上限 {largest}，请分次发送"
    )

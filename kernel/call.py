"""One call of gRPC's: from the events of its queue to the handler, and from the handler to its caller."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
import structlog
from grpc._cython import cygrpc  # type: ignore[attr-defined] # the package's types leave it out

from kernel.front import AT_ONCE, CANCELLED, NO_STATUS, Ended, Metadata, ending

if TYPE_CHECKING:
    from kernel.grpcio import Server

log = structlog.get_logger(__name__)

NO_DEADLINE = 1e11  # seconds since 1970, and more: the caller names none


class Call:
    """A call, and what its handler is told of it: of grpcio's context the part that ours, health and reflection use."""

    __slots__ = (
        "_began",
        "_core",
        "_deadline",
        "_metadata",
        "_method",
        "_over",
        "_server",
        "_task",
    )

    def __init__(self, server: "Server", event: Any, method: Any) -> None:
        self._server, self._core, self._method = server, event.call, method
        self._metadata, self._deadline = event.invocation_metadata, event.call_details.deadline
        self._task: asyncio.Task[None] | None = None
        self._began = self._over = False

    @classmethod
    def is_quiet(cls, event: Any) -> bool:
        """Tell whether an event only ends a call, of which no handler hears any more: any thread may take it."""
        kind = getattr(event.tag, "__func__", None)
        if kind is cls._left:
            return not event.batch_operations[0].cancelled()
        return kind is cls._told

    @staticmethod
    def is_streams(event: Any) -> bool:
        """Tell whether an event is of a message within a stream: its handler goes on in the next turn, and may send another."""
        return isinstance(event.tag, partial)

    # What a handler may ask of it.

    def invocation_metadata(self) -> Metadata:
        return self._metadata  # type: ignore[no-any-return]

    def time_remaining(self) -> float | None:
        """Seconds; None: its caller names no deadline."""
        if self._deadline > NO_DEADLINE:
            return None
        return max(0.0, float(self._deadline - time.time()))

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = ()
    ) -> NoReturn:
        raise Ended(code, details, trailing_metadata)

    async def write(self, answer: Any) -> None:
        """Send one of a stream's answers; return when its caller has taken enough of those before."""
        message, sent = self._message(answer), self._promise()
        self._send(partial(_succeeded, sent), message)
        if not await sent:
            raise asyncio.CancelledError  # the caller has gone

    # From its events to its handler.

    def begin(self) -> None:
        self._server.calls.add(self)
        if self._method is None:
            self._end(grpc.StatusCode.UNIMPLEMENTED, "there is no such method / 没有此方法")
        elif self._method.request_streaming:
            self._work(self._requests())
        else:
            self._start(self._came, cygrpc.ReceiveMessageOperation(0))

    def _came(self, event: Any) -> None:
        raw = event.batch_operations[0].message()
        if raw is None or self._server.closed:  # none was sent, or gRPC has refused it and said so
            self._end(grpc.StatusCode.UNIMPLEMENTED, "one request is needed / 缺少请求")
        else:
            self._work(raw)

    def _work(self, request: Any) -> None:
        task = asyncio.Task(self._answered(request), loop=self._server.loop, **AT_ONCE)
        if task.done():
            self._worked(task)
        else:
            self._task = task
            task.add_done_callback(self._worked)
            self._start(self._left, cygrpc.ReceiveCloseOnServerOperation(0))

    def _worked(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if (
            task.cancelled()
        ):  # by whom it may be, and before it began: of those who have gone nobody hears it
            self._end(grpc.StatusCode.CANCELLED, CANCELLED)

    def _left(self, event: Any) -> None:
        """The call is over. Where its caller has gone, or its time is up, so is the work on it."""
        self._over = True
        if self._task is not None and event.batch_operations[0].cancelled():
            self._task.cancel()

    async def _requests(self) -> AsyncIterator[Any]:
        while True:
            came = self._promise()
            self._start(partial(_brought, came), cygrpc.ReceiveMessageOperation(0))
            if (raw := await came) is None:
                return
            yield self._read(raw)

    # From its handler to its caller.

    async def _answered(self, request: Any) -> None:
        try:
            await self._handled(request)
        except Exception as error:  # noqa: BLE001 - whoever waits is told, whatever it was
            self._end(*ending(error))

    async def _handled(self, request: Any) -> None:
        method = self._method
        if method.request_streaming:
            answer = (method.stream_stream or method.stream_unary)(request, self)
        else:
            answer = (method.unary_unary or method.unary_stream)(self._read(request), self)
        if not method.response_streaming:
            self._end(grpc.StatusCode.OK, "", (), self._message(await answer))
            return
        if hasattr(answer, "__aiter__"):
            async with contextlib.aclosing(answer):
                async for one in answer:
                    await self.write(one)
        else:
            await answer  # it writes itself
        self._end(grpc.StatusCode.OK, "")

    def _end(self, code: grpc.StatusCode, text: str, more: Metadata = (), *answer: Any) -> None:
        """Send the status, and before it what there is of an answer, unless the call is over."""
        if self._over or self._server.closed:
            self._told()
            return
        try:
            self._send(self._told, *answer, _status(code, text, more))
        except Exception as error:  # noqa: BLE001 - the caller hears of an end, whatever it was to be
            log.error("status_refused", error=type(error).__name__)
            self._send(self._told, _status(grpc.StatusCode.INTERNAL, NO_STATUS))
        self._over = True

    def _told(self, _: Any = None) -> None:
        """The status has gone out, or its caller has."""
        self._server.calls.discard(self)

    def _send(self, tell: Any, *operations: Any) -> None:
        """Start operations of an answer, the first time with its headers."""
        if self._began:
            self._start(tell, *operations)
        else:
            self._start(tell, cygrpc.SendInitialMetadataOperation((), 0), *operations)
            self._began = True

    def _start(self, tell: Any, *operations: Any) -> None:
        """`tell`: is called with the event that says what became of them. Raises RuntimeError: they cannot be."""
        if self._server.closed:  # gRPC would end the process
            raise RuntimeError("the server has ended")
        if error := self._core.start_server_batch(operations, tell):
            raise RuntimeError(f"gRPC refuses operations on a call: {error}")

    def _promise(self) -> "asyncio.Future[Any]":
        """Raises CancelledError: the call is over."""
        if self._over or self._server.closed:
            raise asyncio.CancelledError
        return self._server.loop.create_future()

    def _read(self, raw: bytes) -> Any:
        read = self._method.request_deserializer
        return raw if read is None else read(raw)

    def _message(self, answer: Any) -> Any:
        """Raises TypeError: it is no message."""
        if (write := self._method.response_serializer) is not None:
            answer = write(answer)
        if not isinstance(answer, bytes):
            raise TypeError(f"an answer is bytes, not {type(answer).__name__}")
        return cygrpc.SendMessageOperation(answer, 0)


def _status(code: grpc.StatusCode, text: str, more: Metadata = ()) -> Any:
    return cygrpc.SendStatusFromServerOperation(
        more, code.value[0], text.encode("utf-8", "replace"), 0
    )


# The event holds the operations, and what is told of them: a future that were given the event would be one of a circle.


def _succeeded(done: "asyncio.Future[bool]", event: Any) -> None:
    if not done.done():
        done.set_result(event.success)


def _brought(done: "asyncio.Future[bytes | None]", event: Any) -> None:
    if not done.done():
        done.set_result(event.batch_operations[0].message())

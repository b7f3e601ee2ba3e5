"""What is done to every call on its way out, and to its answer on the way back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import grpc
from google.protobuf.message import Message

from luoshu.client.errors import LuoshuError, TooLate, from_call
from luoshu.client.identity import Identity
from luoshu.client.retry import Backoff, is_repeatable


@dataclass(frozen=True, slots=True)
class Details(grpc.ClientCallDetails):
    """grpc's description of a call, with our metadata and what is left of the deadline."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: Any
    compression: Any


class Interceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Adds identity, deadline and request id; retries what is repeatable; raises typed errors."""

    def __init__(
        self, identity: Identity, deadline: float, backoff: Backoff, new_id: Callable[[], str]
    ) -> None:
        self._metadata = tuple(identity.metadata())
        self._deadline, self._backoff, self._new_id = deadline, backoff, new_id

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Call, and call again while that is safe and the deadline leaves time.

        Raises LuoshuError.
        """
        request = self._identified(request)
        allowed = self._deadline if details.timeout is None else details.timeout
        start = self._backoff.clock()
        end, last = start + allowed, start + min(allowed, self._backoff.patience)
        attempt, unsent = 0, True
        while True:
            left = end - self._backoff.clock()
            call = continuation(self._described(details, left), request)
            if call.code() is grpc.StatusCode.OK:
                return call
            error = from_call(call, getattr(request, "request_id", ""))
            unsent = error.unsent = unsent and error.unsent  # of all attempts
            self._pause(error, attempt, last, is_repeatable(_name(details), request))
            attempt += 1

    def _pause(self, error: LuoshuError, attempt: int, last: float, repeatable: bool) -> None:
        wait = self._backoff.wait(error, attempt) if repeatable else None
        if wait is None or self._backoff.clock() + wait >= last:
            raise error
        self._backoff.sleep(wait)

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return Stream(
            continuation(self._described(details, details.timeout), self._identified(request))
        )

    def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        return Stream(continuation(self._described(details, details.timeout), requests))

    def intercept_stream_unary(self, continuation: Any, details: Any, requests: Any) -> Any:
        call = continuation(self._described(details, details.timeout or self._deadline), requests)
        if call.code() is not grpc.StatusCode.OK:
            raise from_call(call)
        return call

    def _described(self, details: Any, timeout: float | None) -> Details:
        if timeout is not None and timeout <= 0:
            raise TooLate(
                "the deadline has passed",
                "已超过截止时间",
                status=grpc.StatusCode.DEADLINE_EXCEEDED,
            )
        metadata = (*(details.metadata or ()), *self._metadata)
        ready, packed = details.wait_for_ready, details.compression
        return Details(_name(details), timeout, metadata, details.credentials, ready, packed)

    def _identified(self, request: Any) -> Any:
        """Return the request with a request id, a copy where it had none: the caller's own message
        stays as it was.
        """
        field = cast(Message, request).DESCRIPTOR.fields_by_name.get("request_id")
        if field is None or request.request_id:
            return request
        filled = type(request)()
        filled.CopyFrom(request)
        filled.request_id = self._new_id()
        return filled


class Stream:
    """A stream of answers that raises LuoshuError in place of grpc's error. `cancel` ends it."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as error:
            raise from_call(error) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


def _name(details: Any) -> str:
    """Return `/package.Service/Method`; grpc gives it as text or bytes."""
    method = details.method
    return method.decode() if isinstance(method, bytes) else str(method)

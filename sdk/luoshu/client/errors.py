"""What a call can be answered with besides a result: one class a kind, with texts in both
languages.

The server sends google.rpc.Status details (AIP-193): ErrorInfo, BadRequest, PreconditionFailure,
RetryInfo and LocalizedMessage in zh-CN. A server or a proxy that sends none still gives the right
class, by the status code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2 as details_pb2
from google.rpc import status_pb2

DETAILS = "grpc-status-details-bin"
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: path of the field (empty: the whole), stable code in capitals, text
    in both languages.
    """

    field: str
    code: str
    text_en: str
    text_zh: str


class LuoshuError(Exception):
    """A call was not answered with a result.

    `code`: stable reason in capitals. `status`: gRPC status. `retry_after`: seconds, when the
    server named them. `request_id`: the id that the call carried; sending it again settles an
    unknown outcome. `unsent`: no connection was made, so nothing reached a server and nothing was
    done. `metadata`: of ErrorInfo.
    """

    code = "UNKNOWN"
    unsent = False

    def __init__(
        self,
        text_en: str,
        text_zh: str = "",
        *,
        status: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        code: str = "",
        problems: tuple[Problem, ...] = (),
        retry_after: float | None = None,
        metadata: Mapping[str, str] | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(text_en)
        self.text_en, self.text_zh, self.status = text_en, text_zh or text_en, status
        self.code = code or self.code
        self.problems, self.retry_after = problems, retry_after
        self.metadata, self.request_id = dict(metadata or {}), request_id


class Invalid(LuoshuError):
    """The request itself is wrong; sending it again cannot help."""

    code = "INVALID"


class NotFound(LuoshuError):
    """No such record, or none that this caller may see."""

    code = "NOT_FOUND"


class AlreadyExists(LuoshuError):
    """The name is taken."""

    code = "ALREADY_EXISTS"


class Reused(LuoshuError):
    """The request id was used before, for another content."""

    code = "REQUEST_ID_REUSED"


class Stale(LuoshuError):
    """The record moved on since it was read; read it again."""

    code = "STALE_ETAG"


class Refused(LuoshuError):
    """The record's state, or a rule of the domain, does not allow the action."""

    code = "STATE_FORBIDS"


class Denied(LuoshuError):
    """The caller lacks the right."""

    code = "PERMISSION_DENIED"


class Unauthenticated(LuoshuError):
    """Nobody said, or proved, who calls."""

    code = "UNAUTHENTICATED"


class Overloaded(LuoshuError):
    """Too much is under way; `retry_after` says when to try again."""

    code = "OVERLOADED"


class Unavailable(LuoshuError):
    """Nobody answers, or the outcome is unknown: the same request id settles it."""

    code = "UNAVAILABLE"


class TooLate(LuoshuError):
    """The deadline passed before the answer was there: the same request id settles it."""

    code = "DEADLINE_EXCEEDED"


class Unsupported(LuoshuError):
    """The server does not know the call; it may be older than this client."""

    code = "UNIMPLEMENTED"


class Unexpected(LuoshuError):
    """The server failed; `metadata` may hold an incident id for its operator."""

    code = "INTERNAL"


BY_STATUS: Mapping[grpc.StatusCode, type[LuoshuError]] = {
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.UNKNOWN: Unexpected,
    grpc.StatusCode.INVALID_ARGUMENT: Invalid,
    grpc.StatusCode.DEADLINE_EXCEEDED: TooLate,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.PERMISSION_DENIED: Denied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.FAILED_PRECONDITION: Refused,
    grpc.StatusCode.ABORTED: Stale,
    grpc.StatusCode.OUT_OF_RANGE: Invalid,
    grpc.StatusCode.UNIMPLEMENTED: Unsupported,
    grpc.StatusCode.INTERNAL: Unexpected,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DATA_LOSS: Unexpected,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
}
"""The class of every status that is not OK; a test proves it complete."""

UNTOLD: Mapping[grpc.StatusCode, tuple[str, str]] = {
    grpc.StatusCode.UNAVAILABLE: ("the server cannot be reached", "无法连接服务器"),
    grpc.StatusCode.DEADLINE_EXCEEDED: ("the deadline has passed", "已超过截止时间"),
    grpc.StatusCode.CANCELLED: ("the call was cancelled", "调用已取消"),
    grpc.StatusCode.UNIMPLEMENTED: (
        "the server does not offer this call: its service does not run there",
        "服务器未提供该调用：相应服务未在该处运行",
    ),
    grpc.StatusCode.INTERNAL: (
        "the call failed inside the server, or on the way to it",
        "服务器内部或传输途中出错",
    ),
    grpc.StatusCode.UNAUTHENTICATED: ("nobody says who calls", "未说明调用者身份"),
    grpc.StatusCode.PERMISSION_DENIED: ("not allowed", "无权限"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: ("too much is under way", "请求过多或过大"),
}
"""Texts where no server of ours said anything: the client's own library, or a proxy, did."""

BY_REASON: Mapping[str, type[LuoshuError]] = {"REQUEST_ID_REUSED": Reused, "STALE_ETAG": Stale}
"""Reasons that say more than their status."""


UNCONNECTED = ("failed to connect to all addresses", "DNS resolution failed")
"""How gRPC's core begins what it says where it found no connection to send a call over."""


def from_call(call: Any, request_id: str = "") -> LuoshuError:
    """Return the error of a failed call (anything with `code()`, `details()` and
    `trailing_metadata()`).
    """
    own = getattr(call, "exception", lambda: None)()
    if isinstance(own, LuoshuError):  # ours, raised before anything was sent: gRPC only wraps it
        return own
    sent = status_pb2.Status()
    for key, value in call.trailing_metadata() or ():
        if key == DETAILS:
            sent = _decoded(value)
    text = call.details() or ""
    error = from_status(call.code(), text, sent, request_id)
    error.unsent = not sent.details and text.startswith(UNCONNECTED)
    return error


def from_status(
    status: grpc.StatusCode, text: str, sent: status_pb2.Status, request_id: str = ""
) -> LuoshuError:
    """Return the error that a status and its details tell of."""
    information = _first(sent, details_pb2.ErrorInfo) or details_pb2.ErrorInfo()
    retry = _first(sent, details_pb2.RetryInfo)
    kind = BY_REASON.get(information.reason, BY_STATUS.get(status, Unexpected))
    texts = [m.message for m in _every(sent, details_pb2.LocalizedMessage) if _is_zh(m.locale)]
    told = bool(sent.details)
    en, zh = UNTOLD.get(status, (f"the call failed: {status.name}", f"调用失败（{status.name}）"))
    return kind(
        (sent.message or text) if told else f"{en} ({text})" if text else en,
        texts[0] if texts else "" if told else zh,
        status=status,
        code=information.reason,
        problems=tuple(_problems(sent)),
        retry_after=None if retry is None else retry.retry_delay.ToNanoseconds() / 1e9,
        metadata=information.metadata,
        request_id=request_id,
    )


def _decoded(value: bytes) -> status_pb2.Status:
    try:
        return status_pb2.Status.FromString(value)
    except DecodeError:
        return status_pb2.Status()


def _every(sent: status_pb2.Status, kind: type[M]) -> Iterable[M]:
    descriptor: Any = kind.DESCRIPTOR
    for detail in sent.details:
        message = kind()
        if detail.Is(descriptor) and detail.Unpack(message):
            yield message


def _first(sent: status_pb2.Status, kind: type[M]) -> M | None:
    return next(iter(_every(sent, kind)), None)


def _is_zh(locale: str) -> bool:
    return locale.lower().replace("_", "-").startswith("zh")


def _problems(sent: status_pb2.Status) -> Iterable[Problem]:
    for request in _every(sent, details_pb2.BadRequest):
        for violation in request.field_violations:
            problem = Problem(
                violation.field, violation.reason, violation.description, violation.description
            )
            if _is_zh(violation.localized_message.locale):
                problem = replace(problem, text_zh=violation.localized_message.message)
            yield problem
    for failure in _every(sent, details_pb2.PreconditionFailure):
        for broken in failure.violations:
            yield Problem(broken.subject, broken.type, broken.description, broken.description)

"""Which gRPC status a refusal is, and what its details say: the one table, complete by a test."""

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status

from kernel import errors

CODES: dict[type[errors.DomainError], grpc.StatusCode] = {
    errors.Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.Stale: grpc.StatusCode.ABORTED,
    errors.Refused: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Denied: grpc.StatusCode.PERMISSION_DENIED,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Reused: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.OwnerSilent: grpc.StatusCode.UNAVAILABLE,
    errors.Silent: grpc.StatusCode.UNAVAILABLE,
    errors.Stopping: grpc.StatusCode.UNAVAILABLE,
    errors.Unsettled: grpc.StatusCode.UNAVAILABLE,
    errors.TooLate: grpc.StatusCode.DEADLINE_EXCEEDED,
}
DOMAIN = "luoshu"
DETAILS_KEY = "grpc-status-details-bin"
TEXT_LIMIT, PATH_LIMIT, PROBLEMS_LIMIT = 600, 200, 2400
"""Bytes of UTF-8. A status travels in headers, which peers limit to 8 KiB in all: long texts and long lists are cut."""


def code_of(error: errors.DomainError) -> grpc.StatusCode:
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


def status_of(error: errors.DomainError) -> tuple[grpc.StatusCode, str, bytes]:
    """Return (code, English text, serialised google.rpc.Status)."""
    code, text = code_of(error), _cut(error.en)
    status = Status(code=code.value[0], message=text)
    status.details.add().Pack(_info(error))
    status.details.add().Pack(details.LocalizedMessage(locale="zh-CN", message=_cut(error.zh)))
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        status.details.add().Pack(_bad_request(error))
    if code is grpc.StatusCode.FAILED_PRECONDITION:
        status.details.add().Pack(_precondition(error))
    seconds = getattr(error, "retry_after", 0.0)
    if seconds:
        status.details.add().Pack(_retry(seconds))
    return code, text, status.SerializeToString()


def crash(incident: str) -> tuple[grpc.StatusCode, str, bytes]:
    """Return what a caller is told of a fault of the program: its number, nothing of what it is."""
    text = f"internal error, incident {incident}; tell the operator this number"
    status = Status(code=grpc.StatusCode.INTERNAL.value[0], message=text)
    info = details.ErrorInfo(reason="INTERNAL", domain=DOMAIN, metadata={"incident": incident})
    status.details.add().Pack(info)
    chinese = f"系统内部错误，编号 {incident}；请将编号告知运维"
    status.details.add().Pack(details.LocalizedMessage(locale="zh-CN", message=chinese))
    return grpc.StatusCode.INTERNAL, text, status.SerializeToString()


def _info(error: errors.DomainError) -> details.ErrorInfo:
    return details.ErrorInfo(reason=error.code, domain=DOMAIN)


def _bad_request(error: errors.DomainError) -> details.BadRequest:
    """Return as many of the problems as fit, the first in any case."""
    answer = details.BadRequest()
    for problem in error.problems:
        violation = answer.field_violations.add(
            field=_cut(problem.field, PATH_LIMIT),
            description=_cut(problem.en),
            reason=problem.code,
        )
        violation.localized_message.locale = "zh-CN"
        violation.localized_message.message = _cut(problem.zh)
        if answer.ByteSize() > PROBLEMS_LIMIT:
            del answer.field_violations[max(1, len(answer.field_violations) - 1) :]
            break
    return answer


def _precondition(error: errors.DomainError) -> details.PreconditionFailure:
    answer = details.PreconditionFailure()
    answer.violations.add(type=error.code, subject=error.field, description=_cut(error.en))
    return answer


def _retry(seconds: float) -> details.RetryInfo:
    delay = Duration()
    delay.FromMilliseconds(int(seconds * 1000))
    return details.RetryInfo(retry_delay=delay)


def _cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return at most so many bytes of a text, whole characters."""
    raw = text.encode()
    return text if len(raw) <= limit else f"{raw[:limit].decode(errors='ignore')}…"

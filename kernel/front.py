"""Which server stands in front, and what both have in common.

`native` is `pygrpc-native`, an extra (`pip install luoshu[accelerated]`): up to a third more creates. It closes no connection by
age, so a proxy that does stands before it: docs/operations.md.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import grpc
import structlog

log = structlog.get_logger(__name__)

GRPCIO, NATIVE = "grpcio", "native"
FRONTS = (GRPCIO, NATIVE)
Options = Sequence[tuple[str, int]]
Metadata = Sequence[tuple[str, str | bytes]]
AT_ONCE: dict[str, Any] = {"eager_start": True} if sys.version_info >= (3, 12) else {}
"""How a handler's task is made: it begins where it is made (Python 3.12 and newer)."""
CANCELLED = "the call was cancelled / 调用已取消"
NO_STATUS = "the call ended with no status that can be sent / 调用以无法发送的状态结束"

LEFT_TO_THE_PROXY = frozenset(
    {
        "grpc.max_allowed_incoming_connections",
        "grpc.max_connection_age_ms",
        "grpc.max_connection_age_grace_ms",
        "grpc.max_connection_idle_ms",
    }
)
"""Options that the native front refuses."""


class Ended(Exception):
    """A handler has ended its call: the status, its text, and the metadata that comes with it."""


def ending(error: Exception) -> tuple[grpc.StatusCode, str, Metadata]:
    """Return how a call ends whose handler raised: nothing of what went wrong is told."""
    if isinstance(error, Ended):
        return error.args
    log.error("call_failed", error=type(error).__name__)
    return grpc.StatusCode.UNKNOWN, "the call failed / 调用失败", ()


class Front:
    """What each server has: its end can be waited for."""

    def __init__(self) -> None:
        self._terminated = asyncio.Event()

    async def wait_for_termination(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - as grpcio's
        """Tell whether the time was over first."""
        try:
            await asyncio.wait_for(self._terminated.wait(), timeout)
        except TimeoutError:
            return True
        return False


class NoFront(Exception):
    """The server asked for is not there; the text says what would work, in both languages."""


def server(front: str, options: Options) -> Any:
    """Return a server of the running loop. Raises NoFront."""
    if front == GRPCIO:
        from kernel import grpcio

        return grpcio.Server(options)
    if front != NATIVE:
        raise NoFront(
            f"no front {front}; there are: {', '.join(FRONTS)} / 可用：{', '.join(FRONTS)}"
        )
    return _native(without_proxy(options))


def without_proxy(options: Options) -> Options:
    """Return the options that are the native front's own."""
    return [option for option in options if option[0] not in LEFT_TO_THE_PROXY]


def _native(options: Options) -> Any:
    try:
        from kernel import native
    except ImportError:
        raise NoFront(
            "the native front is not installed: pip install 'luoshu[accelerated]', or leave LUOSHU_FRONT at grpcio / "
            "未安装 native 前端：请运行 pip install 'luoshu[accelerated]'，或将 LUOSHU_FRONT 设为 grpcio"
        ) from None
    return native.Server(options)

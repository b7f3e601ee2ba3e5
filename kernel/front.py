"""Which server stands in front: grpcio's, or one whose HTTP/2 runs outside of the interpreter's lock.

`native` is `pygrpc-native`, an extra (`pip install luoshu[accelerated]`): a create costs about half of the CPU time, a get a
fifth. It speaks no TLS and closes no connection by age, so a proxy that does both stands before it: docs/operations.md.
"""

from collections.abc import Sequence
from typing import Any

import grpc

GRPCIO, NATIVE = "grpcio", "native"
FRONTS = (GRPCIO, NATIVE)
Options = Sequence[tuple[str, int]]

LEFT_TO_THE_PROXY = frozenset(
    {
        "grpc.max_allowed_incoming_connections",
        "grpc.max_connection_age_ms",
        "grpc.max_connection_age_grace_ms",
        "grpc.max_connection_idle_ms",
    }
)
"""Options that the native front refuses."""


class NoFront(Exception):
    """The server asked for is not there; the text says what would work, in both languages."""


def server(front: str, options: Options) -> Any:
    """Return a server of the running loop. Raises NoFront."""
    if front == GRPCIO:
        return grpc.aio.server(options=options)
    if front != NATIVE:
        raise NoFront(
            f"no front {front}; there are: {', '.join(FRONTS)} / 可用：{', '.join(FRONTS)}"
        )
    return _native(without_proxy(options))


def without_proxy(options: Options) -> Options:
    """Return the options that are the native front's own."""
    return [option for option in options if option[0] not in LEFT_TO_THE_PROXY]


def add(server: Any, service: str, methods: dict[str, Any]) -> None:
    """Add a service's handlers to a server that has not started, in the way that it answers fastest."""
    if not isinstance(server, grpc.aio.Server):
        server.add(service, methods)
        return
    # grpcio would wait for each registered method anew with every call: a fifth of what a change costs.
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))


def _native(options: Options) -> Any:
    try:
        from kernel.native import Server
    except ImportError:
        raise NoFront(
            "the native front is not installed: pip install 'luoshu[accelerated]', or leave LUOSHU_FRONT at grpcio / "
            "未安装 native 前端：请运行 pip install 'luoshu[accelerated]'，或将 LUOSHU_FRONT 设为 grpcio"
        ) from None
    return Server(options)

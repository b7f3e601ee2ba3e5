"""An empty RPC of the same framework as its makers ship it: what a handler costs that does nothing.

`python -m bench.empty grpcio|native|ours`: grpcio's and pygrpc-native's own asyncio servers, and ours on grpcio's core.
"""

import sys
from typing import Any

import grpc

from kernel import front as fronts
from kernel.rpc import SERVER_OPTIONS

METHOD = "/bench.peer.v1.Peer/Echo"
OURS = "ours"


async def main(front: str) -> None:
    async def echo(request: bytes, _: Any) -> bytes:
        return request

    listening = _server(front)
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    if front != fronts.GRPCIO:
        listening.add_registered_method_handlers("bench.peer.v1.Peer", handlers)
    else:  # it would wait for each registered method anew with every call
        generic = grpc.method_handlers_generic_handler("bench.peer.v1.Peer", handlers)
        listening.add_generic_rpc_handlers((generic,))
    port = listening.add_insecure_port("127.0.0.1:0")
    await listening.start()
    print(port, flush=True)
    await listening.wait_for_termination()


def _server(front: str) -> Any:
    if front == OURS:
        return fronts.server(fronts.GRPCIO, SERVER_OPTIONS)
    if front == fronts.GRPCIO:
        return grpc.aio.server(options=SERVER_OPTIONS)
    from pygrpc_native.aio import Server

    return Server(options=fronts.without_proxy(SERVER_OPTIONS), io_threads=1)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(sys.argv[1]))

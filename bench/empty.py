"""An empty RPC of the same framework: what a handler costs that does nothing. `python -m bench.empty grpcio|native`."""

import sys
from typing import Any

import grpc

from kernel.front import add, server
from kernel.rpc import SERVER_OPTIONS

METHOD = "/bench.peer.v1.Peer/Echo"


async def main(front: str) -> None:
    async def echo(request: bytes, _: Any) -> bytes:
        return request

    listening = server(front, SERVER_OPTIONS)
    handler = grpc.unary_unary_rpc_method_handler(echo)
    add(listening, "bench.peer.v1.Peer", {"Echo": handler})
    port = listening.add_insecure_port("127.0.0.1:0")
    await listening.start()
    print(port, flush=True)
    await listening.wait_for_termination()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(sys.argv[1]))

"""Whether a service serves, as gRPC's own health service tells: `python -m app.cluster.health HOST:PORT`."""

import sys
from collections.abc import Sequence
from typing import Any

PATIENCE = 3.0  # seconds that a service has to answer


def serving(address: str, seconds: float = PATIENCE) -> bool:
    """Tell whether everything at an address is SERVING."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=seconds)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def main(arguments: Sequence[str]) -> int:
    """Return 0 when every address named serves."""
    silent = [address for address in arguments if not serving(address)]
    for address in silent:
        print(f"{address}: not serving / 未就绪", file=sys.stderr)
    return int(bool(silent))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Get by name, beside an empty RPC of the same framework."""

import sys
from collections.abc import Iterator

from app import migrate
from bench import empty
from bench.contest import Contestant, children, contest, over_grpc
from bench.creators import as_empty, postgres
from bench.results import FRONTS, Line, at_least
from bench.rows import platform
from bench.serving import APPLICANT, AUDITOR, SERVICE, Served, served, started
from luoshu.platforms.v1 import platforms_pb2 as pb

GET = "/luoshu.platforms.v1.PlatformService/GetPlatform"


def lines() -> Iterator[Line]:
    with postgres() as server:
        server.create(SERVICE)
        migrate.upgrade(SERVICE, server.url(SERVICE))
        for database, url in (("SQLite", ""), ("PostgreSQL", server.url(SERVICE))):
            for front in FRONTS:
                command = (sys.executable, "-m", "bench.empty", front)
                with served(front=front, database=url) as ours, started(command) as nothing:
                    yield _got(f"{front}, {database}", ours, nothing)
        command = (sys.executable, "-m", "bench.empty", empty.OURS)
        with served() as ours, started(command) as nothing:
            got = _got("on our own server", ours, nothing)
            yield Line(got.what, got.found, detail=got.detail)


def _got(what: str, ours: Served, nothing: Served) -> Line:
    request = pb.GetPlatformRequest(name=_one(ours)).SerializeToString()
    got = over_grpc(ours.address, GET, request, dict(AUDITOR))
    contestants = (Contestant("Get", got, lambda: children(ours.pid)), as_empty("empty", nothing))
    found = contest(contestants, 32)
    spent = found.cpu("Get") - found.cpu("empty")
    return at_least(
        f"Get by name at 32 callers against an empty RPC, {what}",
        found.ratio("Get", "empty"), 0.5, found.all_told(),
        why=f"beside the framework's {found.cpu('empty'):,.0f} µs a Get takes {spent:,.0f} µs of CPU in Python: contract, "
        "caller, the row, rights, the answer; to hold, it may take about as much as the framework with its caller",
    )  # fmt: skip


def _one(service: Served) -> str:
    """Register a platform and return its name."""
    import grpc

    from luoshu.platforms.v1 import platforms_pb2_grpc

    with grpc.insecure_channel(service.address) as channel:
        stub = platforms_pb2_grpc.PlatformServiceStub(channel)
        request = pb.CreatePlatformRequest(platform=platform(1))
        return str(stub.CreatePlatform(request, metadata=APPLICANT).name)

"""Who creates records: ours on both fronts, alone and as two replicas, and the peers; each is a server that runs."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from app import migrate
from app.cluster.ports import free_port
from app.cluster.postgres import Postgres
from bench import empty
from bench.contest import Contestant, children, over_grpc
from bench.peers import build
from bench.results import FRONTS
from bench.rows import platform
from bench.serving import APPLICANT, SERVICE, Served, served, started
from luoshu.platforms.v1 import platforms_pb2 as pb

CREATE = "/luoshu.platforms.v1.PlatformService/CreatePlatform"
BATCH = "/luoshu.platforms.v1.PlatformService/BatchCreatePlatforms"
PEER = "/bench.peer.v1.Peer/Create"
REQUEST_ID, BATCHED = 3, 100
LOG, PIECE = 2048, 16  # MB of PostgreSQL's log that is kept, and of a message in it
DEFAULT, FAST = "Luoshu", "Luoshu, native front"
EMPTY = {DEFAULT: "an empty RPC on grpcio's asyncio server", FAST: "an empty RPC on pygrpc-native"}
TWO, TWO_FAST = "Luoshu, two replicas", "Luoshu, two replicas, native front"
BATCHES = "Luoshu, batches of 100"
PER_REQUEST, ONE_TRIP, GROUPED = "Go, a commit a request", "Go, one round trip", "Go, group commit"
ORDINARY = "ordinary Python"


def as_contestant(name: str, *replicas: Served) -> Contestant:
    """Return the service, or replicas of it on one database, among which the callers share their connections."""
    body = pb.CreatePlatformRequest(platform=platform(1)).SerializeToString()
    addresses = ",".join(service.address for service in replicas)
    arguments = over_grpc(addresses, CREATE, body, dict(APPLICANT), REQUEST_ID)
    return Contestant(name, arguments, lambda: [p for s in replicas for p in children(s.pid)])


def batches_of(service: Served) -> Contestant:
    one = pb.CreatePlatformRequest(platform=platform(1))
    body = pb.BatchCreatePlatformsRequest(requests=[one] * BATCHED).SerializeToString()
    field = pb.BatchCreatePlatformsRequest.DESCRIPTOR.fields_by_name["request_id"].number
    arguments = over_grpc(service.address, BATCH, body, dict(APPLICANT), field)
    return Contestant(BATCHES, arguments, lambda: children(service.pid), BATCHED)


def _peer(name: str, service: Served) -> Contestant:
    body = pb.CreatePlatformRequest(platform=platform(1)).SerializeToString()
    return Contestant(
        name, over_grpc(service.address, PEER, body, {}, REQUEST_ID), lambda: children(service.pid)
    )


@contextlib.contextmanager
def creators_on(server: Postgres) -> Iterator[tuple[list[Contestant], Contestant]]:
    server.create(SERVICE, "fast", "two", "two_fast", "request", "trip", "group", "ordinary")
    for database in (SERVICE, "fast", "two", "two_fast"):
        migrate.upgrade(SERVICE, server.url(database))
    for database in ("request", "trip", "group", "ordinary"):
        _schema(server.url(database))
    with contextlib.ExitStack() as running:
        start, go = running.enter_context, str(build.program("service"))
        ours = start(served(database=server.url(SERVICE)))
        fast = start(served(database=server.url("fast"), front="native"))
        two = start(_replicas(server.url("two"), "grpcio"))
        two_fast = start(_replicas(server.url("two_fast"), "native"))
        peers = [
            _peer(name, start(started((go, "-database", server.url(how), "-commit", how))))
            for name, how in ((PER_REQUEST, "request"), (ONE_TRIP, "trip"), (GROUPED, "group"))
        ]
        url = server.url("ordinary").replace("postgresql://", "postgresql+psycopg://")
        ordinary = start(started((sys.executable, "-m", "bench.peers.ordinary", url)))
        yield (
            [
                as_contestant(DEFAULT, ours),
                as_contestant(FAST, fast),
                as_contestant(TWO, *two),
                as_contestant(TWO_FAST, *two_fast),
                *empties(running),
                *peers,
                _peer(ORDINARY, ordinary),
            ],
            batches_of(ours),
        )


def empties(running: contextlib.ExitStack) -> Iterator[Contestant]:
    """What each front does where there is nothing to do."""
    for ours, front in zip((DEFAULT, FAST), FRONTS, strict=True):
        server = running.enter_context(started((sys.executable, "-m", "bench.empty", front)))
        yield as_empty(EMPTY[ours], server)


def as_empty(name: str, server: Served) -> Contestant:
    asked = over_grpc(server.address, empty.METHOD, b"", {})
    return Contestant(name, asked, lambda: children(server.pid))


@contextlib.contextmanager
def _replicas(database: str, front: str) -> Iterator[tuple[Served, Served]]:
    """Serve one database by two processes, which have one secret."""
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        shared = partial(served, database=database, front=front, folder=Path(folder))
        with shared() as one, shared() as other:
            yield one, other


def _schema(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute((build.HERE / "schema.sql").read_text("utf-8"))


def _run_in(server: Postgres) -> None:
    """Write the log full; a checkpoint gives its files back to be written again."""
    import psycopg

    with psycopg.connect(server.url(), autocommit=True) as connection:
        for _ in range(LOG // PIECE):
            connection.execute(
                "SELECT pg_logical_emit_message(false, 'bench', repeat('x', %s))", (PIECE * 10**6,)
            )
        connection.execute("CHECKPOINT")


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A server as it is when it has run for a while: it writes its log into files that are there. A new one makes each of
    16 MB and syncs it, which holds up for 50 ms whoever commits.
    """
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        Path(folder).chmod(0o755)
        options = (f"min_wal_size={LOG}MB", f"max_wal_size={LOG}MB")
        server = Postgres(Path(folder) / "postgres", free_port(), options)
        server.start()
        try:
            _run_in(server)
            yield server
        finally:
            server.stop()

"""Durable creates: beside what a user would pick instead."""

import contextlib
import json
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from app import migrate
from app.cluster.ports import free_port
from app.cluster.postgres import Postgres
from bench import empty
from bench.contest import Contestant, Rounds, children, contest, over_grpc, over_http
from bench.peers import build
from bench.results import FRONTS, Line, at_least, at_most
from bench.rows import platform
from bench.serving import APPLICANT, AUDITOR, SERVICE, Served, served, started
from luoshu.platforms.v1 import platforms_pb2 as pb

CREATE = "/luoshu.platforms.v1.PlatformService/CreatePlatform"
BATCH = "/luoshu.platforms.v1.PlatformService/BatchCreatePlatforms"
GET = "/luoshu.platforms.v1.PlatformService/GetPlatform"
PEER = "/bench.peer.v1.Peer/Create"
REQUEST_ID, BATCHED = 3, 100
DEFAULT, FAST = "Luoshu", "Luoshu, native front"
TWO, TWO_FAST = "Luoshu, two replicas", "Luoshu, two replicas, native front"
BATCHES = "Luoshu, batches of 100"
PER_REQUEST, ONE_TRIP, GROUPED = "Go, a commit a request", "Go, one round trip", "Go, group commit"
ORDINARY, POCKETBASE = "ordinary Python", "PocketBase 0.36"


def on_postgres() -> Iterator[Line]:
    """Ours and the peers' on one server, each on a database of its own."""
    with postgres() as server, _contestants(server) as (creators, batches):
        for callers in (32, 128):
            found = contest(creators, callers)
            yield from _against_go(found)
        yield from _of_the_database(server, creators)
        alone = contest([c for c in creators if c.name in (DEFAULT, FAST, PER_REQUEST)], 1)
        yield at_least(
            "creates of one caller, PostgreSQL, against Go a commit a request",
            alone.ratio(DEFAULT, PER_REQUEST), 0.6, _all(alone), _left(alone),
        )  # fmt: skip
        per_request = next(c for c in creators if c.name == PER_REQUEST)
        batched = contest([batches, per_request], 8)
        yield at_least(
            "records a second by BatchCreate of 100, against Go a commit a request, 8 callers",
            batched.ratio(BATCHES, PER_REQUEST), 3, _all(batched), _left(batched, BATCHES),
        )  # fmt: skip


def _of_the_database(server: Postgres, creators: list[Contestant]) -> Iterator[Line]:
    """What PostgreSQL itself uses a create, at 32 callers."""
    assert server.process is not None
    pid = server.process.pid
    for creator in creators:
        found = contest([replace(creator, pids=lambda: children(pid))], 32, rounds=2)
        yield Line(
            f"CPU of PostgreSQL a create, {creator.name}", f"{found.cpu(creator.name):,.0f} µs"
        )


def _against_go(found: Rounds) -> Iterator[Line]:
    callers, detail, left = found.callers, _all(found), _left(found)
    of, fast = f"creates at {callers} callers, PostgreSQL", _left(found, FAST)
    yield at_least(
        f"{of}, against {PER_REQUEST}", found.ratio(DEFAULT, PER_REQUEST), 0.8, detail, left
    )
    yield at_least(f"{of}, against {ORDINARY}", found.ratio(DEFAULT, ORDINARY), 5, why=left)
    yield at_least(
        f"{of}, native front against {PER_REQUEST}",
        found.ratio(FAST, PER_REQUEST),
        1.5 if callers <= 32 else 2,
        why=fast,
    )
    yield at_most(
        f"{of}, p99 against Go's", found.ratio(DEFAULT, PER_REQUEST, "p99"), 1.5, why=left
    )
    yield at_most(
        f"{of}, p99 of the native front against Go's",
        found.ratio(FAST, PER_REQUEST, "p99"),
        1,
        why=fast,
    )
    for ours in (TWO, TWO_FAST):
        replicas = ours.removeprefix("Luoshu, ")
        yield Line(
            f"{of}, {replicas}, against {PER_REQUEST}", f"{found.ratio(ours, PER_REQUEST):.2f}"
        )
        yield Line(
            f"{of}, {replicas}, p99 against Go's", f"{found.ratio(ours, PER_REQUEST, 'p99'):.2f}"
        )
    for peer in (ONE_TRIP, GROUPED):
        yield Line(f"{of}, against {peer}", f"{found.ratio(DEFAULT, peer):.2f}")
        yield Line(f"{of}, native front against {peer}", f"{found.ratio(FAST, peer):.2f}")


def on_sqlite() -> Iterator[Line]:
    """Ours, synced, beside PocketBase as it comes, which does not sync."""
    with served() as ours, served(front="native") as fast, _pocketbase() as other:
        contestants = [as_contestant(DEFAULT, ours), as_contestant(FAST, fast), other]
        for callers in (32, 128):
            found, of = contest(contestants, callers), f"creates at {callers} callers, SQLite"
            yield at_least(
                f"{of}, against {POCKETBASE}", found.ratio(DEFAULT, POCKETBASE), 0.7, _all(found),
                _left(found, DEFAULT, POCKETBASE),
            )  # fmt: skip
            yield at_least(
                f"{of}, native front against {POCKETBASE}", found.ratio(FAST, POCKETBASE), 1.3,
                why=_left(found, FAST, POCKETBASE),
            )  # fmt: skip


def gets() -> Iterator[Line]:
    """Get by name, beside an empty RPC of the same framework."""
    with postgres() as server:
        server.create(SERVICE)
        migrate.upgrade(SERVICE, server.url(SERVICE))
        for database, url in (("SQLite", ""), ("PostgreSQL", server.url(SERVICE))):
            for front in FRONTS:
                command = (sys.executable, "-m", "bench.empty", front)
                with served(front=front, database=url) as ours, started(command) as nothing:
                    yield _got(f"{front}, {database}", ours, nothing)


def _got(what: str, ours: Served, nothing: Served) -> Line:
    request = pb.GetPlatformRequest(name=_one(ours)).SerializeToString()
    got = over_grpc(ours.address, GET, request, dict(AUDITOR))
    echoed = over_grpc(nothing.address, empty.METHOD, b"", {})
    contestants = (
        Contestant("Get", got, lambda: children(ours.pid)),
        Contestant("empty", echoed, lambda: children(nothing.pid)),
    )
    found = contest(contestants, 32)
    spent = found.cpu("Get") - found.cpu("empty")
    return at_least(
        f"Get by name at 32 callers against an empty RPC, {what}",
        found.ratio("Get", "empty"), 0.5, _all(found),
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


def as_contestant(name: str, *replicas: Served) -> Contestant:
    """Return the service, or replicas of it on one database, among which the callers share their connections."""
    body = pb.CreatePlatformRequest(platform=platform(1)).SerializeToString()
    addresses = ",".join(service.address for service in replicas)
    arguments = over_grpc(addresses, CREATE, body, dict(APPLICANT), REQUEST_ID)
    return Contestant(name, arguments, lambda: [p for s in replicas for p in children(s.pid)])


def _batches(service: Served) -> Contestant:
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
def _contestants(server: Postgres) -> Iterator[tuple[list[Contestant], Contestant]]:
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
                *peers,
                _peer(ORDINARY, ordinary),
            ],
            _batches(ours),
        )


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


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder) / "postgres", free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def _pocketbase() -> Iterator[Contestant]:
    """PocketBase as it comes, with one collection of the same fields that everybody may write to."""
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        port, program = free_port(), str(build.pocketbase())
        said = ("--dir", f"{folder}/pb_data")  # its migrations lie beside it
        secret = secrets.token_hex(8)
        account = (program, "superuser", "upsert", "bench@example.com", secret, *said)
        subprocess.run(account, check=True, capture_output=True)
        command = (program, "serve", "--http", f"127.0.0.1:{port}", *said)
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                url = f"http://127.0.0.1:{port}/api/collections"
                token = _token(url, secret)
                _post(url, _collection(), token)
                body = json.dumps(_fields()).encode()
                yield Contestant(
                    POCKETBASE,
                    over_http(f"{url}/platforms/records", body),
                    lambda: children(process.pid),
                )
            finally:
                process.terminate()


def _fields() -> dict[str, str]:
    row = platform(1)
    names = (
        "title",
        "kind",
        "division",
        "direction",
        "supporting_unit_code",
        "supporting_unit_name",
        "abstract",
    )
    return {name: getattr(row, name) for name in names}


def _collection() -> dict[str, object]:
    fields = [{"name": name, "type": "text", "required": True} for name in _fields()]
    return {"name": "platforms", "type": "base", "fields": fields, "createRule": "", "viewRule": ""}


def _token(url: str, secret: str) -> str:
    limit = time.monotonic() + 30
    while True:
        try:
            said = {"identity": "bench@example.com", "password": secret}
            return str(_post(f"{url}/_superusers/auth-with-password", said)["token"])
        except urllib.error.URLError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.1)


def _post(url: str, said: dict[str, object] | dict[str, str], token: str = "") -> dict[str, object]:
    headers = {"Content-Type": "application/json", "Authorization": token}
    request = urllib.request.Request(url, json.dumps(said).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.load(answer))


def _left(found: Rounds, ours: str = DEFAULT, other: str = PER_REQUEST) -> str:
    """Say what is between us and a peer, from what both use."""
    mine, theirs = found.cpu(ours), found.cpu(other)
    busy = found.rate(ours) * mine / 1e6
    return (
        f"{ours} takes {mine:,.0f} µs of CPU in its process for what takes {other} {theirs:,.0f} µs, and is busy with it for "
        f"{busy:.2f} of a core: Python's own part runs on one core at a time, whatever else waits; by part and thread see *parts*"
    )


def _all(found: Rounds) -> str:
    return "; ".join(map(found.told, found.found))

"""Input that nobody means well with, and what must hold whatever comes: see `Finding`.

python -m tests.hostile.fuzz --size ci          # quick, ci or soak
"""

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from app.catalogue import NAMES, REGISTRIES
from luoshu.audit.v1 import audit_pb2
from luoshu.journal.v1 import journal_pb2
from luoshu.reports.v1 import reports_pb2
from tests import invariants
from tests.hostile import frames, wire
from tests.hostile.load import Connection
from tests.hostile.malice import Malice
from tests.live.spread.size import measured
from tests.running import MovableClock, Running, Who
from tests.service.registry_suite import APPLICANT, AUDITOR, OFFICER, UNIT, furnish

EVERYBODY = (
    APPLICANT,
    OFFICER,
    AUDITOR,
    Who("zhao", "DST", ("approver", "case_officer", "finance_officer")),
    Who("sun", UNIT, ("importer", "applicant")),
    Who("luoshu", "SYSTEM", ("system",)),
    Who("王伟", "科技厅", ()),
)
CONTRACTS = (
    *(service.contract for service in REGISTRIES),
    audit_pb2.DESCRIPTOR.services_by_name["AuditService"],
    reports_pb2.DESCRIPTOR.services_by_name["ReportService"],
    journal_pb2.DESCRIPTOR.services_by_name["JournalService"],
)
METHODS = [method for contract in CONTRACTS for method in contract.methods]
LEAKS = (
    b"Traceback",
    b"sqlite",
    b"sqlalchemy",
    b"psycopg",
    b"Error(",
    b"Exception",
    b".py",
    b"SELECT ",
)
CODES = {code.value[0]: code.name for code in grpc.StatusCode}
FORBIDDEN = ("INTERNAL", "UNKNOWN")
OWN = re.compile(rf"(import|tick)~|[a-z-]+~({'|'.join(NAMES)})~")
"""How request ids begin that the services make: of rows, of days, of what follows from another service's event."""
UNSETTLED = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")
LARGE = 60_000  # bytes: what a stream takes before the server asks for more
TOGETHER, LINES = 8, 4  # calls at once on each of so many connections


class Size(NamedTuple):
    """How many inputs of each kind: requests made from the contract, bytes in their place, connections that break HTTP/2."""

    structured: int
    raw: int
    connections: int

    def times(self, scale: float) -> "Size":
        return Size(*(max(1, round(count * scale)) for count in self))


SIZES = {
    "quick": Size(1_000, 1_000, 60),
    "ci": Size(15_000, 15_000, 500),
    "soak": Size(590_000, 590_000, 20_000),
}


class Input(NamedTuple):
    """A call."""

    method: MethodDescriptor
    who: Who
    raw: bytes

    @property
    def headers(self) -> bytes:
        path = f"/{self.method.containing_service.full_name}/{self.method.name}"
        watched = self.method.server_streaming and not self.method.client_streaming
        return wire.block(path, self.who.metadata, "50m" if watched else "10S")

    @property
    def request(self) -> Any:
        """Return what the bytes say, or None."""
        try:
            return GetMessageClass(self.method.input_type).FromString(self.raw)
        except DecodeError:
            return None


class Outcome(NamedTuple):
    """How it ended."""

    input: Input
    code: str
    status: wire.Status


def inputs(malice: Malice, size: Size) -> Iterator[Input]:
    """Structured requests, each with a request id of its own where it takes one; then bytes."""
    for number in range(size.structured):
        method = malice.dice.choice(METHODS)
        request = malice.request(method)
        if "request_id" in request.DESCRIPTOR.fields_by_name and malice.dice.random() < 0.9:
            request.request_id = f"hostile-{number}"
        raw = request.SerializeToString()
        yield Input(method, malice.dice.choice(EVERYBODY), raw if len(raw) < LARGE else raw[:LARGE])
    for _ in range(size.raw):
        method = malice.dice.choice(METHODS)
        yield Input(method, malice.dice.choice(EVERYBODY), malice.bytes_of(method)[:LARGE])


async def pour(address: str, given: Iterable[Input]) -> list[Outcome]:
    """Make calls, some at once, and return how they ended."""
    left, outcomes = iter(given), list[Outcome]()
    loop = asyncio.get_running_loop()
    host, _, port = address.rpartition(":")

    async def line() -> None:
        place = asyncio.Semaphore(TOGETHER)

        def done(one: Input, status: wire.Status) -> None:
            outcomes.append(
                Outcome(one, CODES.get(status.code, f"no status: {status.code}"), status)
            )
            place.release()

        connection = Connection(done)
        await loop.create_connection(lambda: connection, host, int(port))
        for one in left:
            await asyncio.wait_for(place.acquire(), 60)
            connection.ask(one, one.headers, one.raw)
            connection.flush()
        for _ in range(TOGETHER):
            await asyncio.wait_for(place.acquire(), 60)
        connection.leave()

    await asyncio.gather(*(line() for _ in range(LINES)))
    return outcomes


class Finding(NamedTuple):
    """Something that must not be."""

    what: str
    of: str


def findings(outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    """No call ends as a fault of the program, none without a status, and no status tells of the program."""
    for one in outcomes:
        said = f"{one.input.method.full_name} {one.input.who.actor} {one.status.text} {one.input.raw[:300]!r}"
        if one.code in FORBIDDEN or one.code.startswith("no status"):
            yield Finding(one.code, said)
        if any(
            leak in part
            for leak in LEAKS
            for part in (one.status.text.encode(), one.status.details)
        ):
            yield Finding("a status tells of the program", said)


def request_ids(running: Running) -> set[str]:
    """Return the request ids of all journals, which keep the registries' own invariants."""
    found: set[str] = set()
    for service in REGISTRIES:
        seen = invariants.seen(running.settings.database(service.name), service)
        lines = invariants.demand_all(seen, service).lines
        found |= {line.request_id.partition("~r")[0].partition("~p")[0] for line in lines}
    return found


def rows_of_refused(new: Iterable[str], outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    """A journal has nothing of a call that was refused, or of a trial. `new`: the request ids that were not there before."""
    may, unnamed = set[str](), 0
    for one in outcomes:
        request = one.input.request
        tried = request is None or getattr(request, "validate_only", False)
        if (one.code == "OK" or one.code in UNSETTLED) and not tried:
            may.add(getattr(request, "request_id", ""))
            unnamed += not getattr(request, "request_id", "")
    nobody = [i for i in new if i.startswith("auto~")]
    if len(nobody) > unnamed:
        yield Finding("rows of nobody", str(nobody))
    for request_id in new:
        if not (request_id.startswith("auto~") or OWN.match(request_id)) and request_id not in may:
            yield Finding("a refused call left rows", request_id)


def crashes(log: Path, since: int) -> Iterator[Finding]:
    """The log has no crash, and nothing of an exception."""
    for line in log.read_bytes()[since:].splitlines():
        if b"Traceback" in line or json.loads(line)["event"] == "rpc_crashed":
            yield Finding("a crash in the log", line.decode()[:2000])


def attack(running: Running, size: Size, seed: int) -> tuple[dict[str, Any], list[Finding]]:
    """Send everything; return figures, and what was found."""
    malice, before, began = Malice(seed), running.log.stat().st_size, time.monotonic()
    known = request_ids(running)
    address = f"127.0.0.1:{running.process.port}"
    outcomes = asyncio.run(pour(address, inputs(malice, size)))
    heads = {service.name: running.head(service.name) for service in REGISTRIES}
    broken = asyncio.run(frames.attack(address, random.Random(seed), size.connections))
    found = [
        *findings(outcomes),
        *rows_of_refused(request_ids(running) - known, outcomes),
        *crashes(running.log, before),
    ]
    found += [Finding(what, of) for what, of in broken.findings]
    if heads != {service.name: running.head(service.name) for service in REGISTRIES}:
        found.append(Finding("frames that are none left rows", str(heads)))
    running.call("ListPlatforms", AUDITOR, page_size=1)  # it still serves
    figures = {
        "inputs": len(outcomes) + broken.connections,
        "seconds": round(time.monotonic() - began),
        "found": len(found),
        "codes": dict(Counter(one.code for one in outcomes).most_common()),
        "frames": broken.frames,
    }
    return figures, found


def main() -> int:
    """Print the figures and what was found; return 1 when anything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="ci")
    parser.add_argument("--scale", type=float, default=1.0, help="of the size")
    parser.add_argument("--seed", type=int, default=20260316)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="luoshu-hostile-") as folder:
        running = Running(Path(folder), NAMES, MovableClock()).start()
        furnish(running)
        figures, found = attack(running, SIZES[said.size].times(said.scale), said.seed)
        running.stop()
    measured(f"hostile input, {said.size}", **figures)
    print(json.dumps(figures, ensure_ascii=False))
    for one in found[:20]:
        print(f"{one.what}: {one.of}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())

"""CPU time of a create by part and by thread: a profile of the server under 32 callers, and a flame graph."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import structlog

from app import logs
from bench import threads
from bench.contest import contest
from bench.creators import as_contestant
from bench.results import FRONTS, HERE, Line
from bench.serving import Served, served
from bench.threads import by_thread, spent

SECONDS, CALLERS, LOGGED = 15, 32, 20_000
GRAPH = HERE / "create.svg"
TITLE = f"creates at {CALLERS} callers, grpcio, SQLite"
PARTS = (
    (
        "journal and rows: SQL",
        ("kernel/store.py", "kernel/database.py", "kernel/trip.py", "sqlalchemy/"),
    ),
    (
        "decision: rules, stamp, event",
        ("kernel/decision.py", "kernel/decide.py", "services/", "kernel/personal.py"),
    ),
    ("permission and standing", ("kernel/rights.py", "kernel/lifecycle.py")),
    ("the writer's rest: lock, group, hand-over", ("kernel/writer.py", "kernel/gather.py")),
    ("validation: contract's rules", ("kernel/rules.py", "kernel/violations.py", "protovalidate/")),
    (
        "identity, command, answer",
        ("kernel/identity.py", "kernel/commands.py", "kernel/servicer.py", "kernel/room.py"),
    ),
    ("log and metrics", ("structlog/", "prometheus_client/", "logging/")),
    ("edge: parse, admit, count", ("kernel/rpc.py", "kernel/clocked.py")),
)
"""Part → files; a sample counts for the first part that one of its frames belongs to, innermost frame first."""
REST = "framework: gRPC, event loop"


def lines() -> Iterator[Line]:
    for front in FRONTS:
        with served(front=front) as service:
            yield from _parts(front, service)
    yield _logged()
    yield from threads.lines()
    with served() as service:
        contestant = as_contestant("flame", service)
        contest([contestant], CALLERS, rounds=1, seconds=1)
        profiler = _profile(service.pid, "flamegraph", GRAPH)
        contest([contestant], CALLERS, rounds=1, seconds=SECONDS)
        profiler.wait()
    _entitle(GRAPH)
    yield Line("flame graph of a create", f"[{GRAPH.name}]({GRAPH.name})")


def _logged() -> Line:
    """What is not in the table: servers here log warnings, as peers log nothing of a call."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        logs.configure("info", "json")
        log, began = structlog.get_logger(), time.process_time()
        for n in range(LOGGED):
            log.info("rpc", method=TITLE, code="OK", seconds=n / LOGGED, actor="accounts/bench")
        taken = (time.process_time() - began) / LOGGED
    logs.configure("warning", "json")
    what = "CPU of a call's line in the log, at the default level info; the servers measured are at warning"
    return Line(what, f"{taken * 1e6:,.0f} µs")


def _entitle(graph: Path) -> None:
    """py-spy's title is its command line, with the paths of the machine."""
    titled = re.sub(r'(<text id="title"[^>]*>)[^<]*', rf"\1{TITLE}", graph.read_text("utf-8"))
    graph.write_text(titled, "utf-8")


def _parts(front: str, service: Served) -> Iterator[Line]:
    """Samples tell how each thread divides its time; what threads without Python use is the framework's."""
    contestant = as_contestant(front, service)
    contest([contestant], CALLERS, rounds=1, seconds=1)
    with tempfile.TemporaryDirectory() as folder:
        raw, before = Path(folder) / "raw", by_thread(service.pid)
        profiler = _profile(service.pid, "raw", raw)
        cpu = contest([contestant], CALLERS, rounds=1, seconds=SECONDS).cpu(front)
        profiler.wait()
        used = spent(before, by_thread(service.pid))
        parts = _shares(raw.read_text("utf-8"), used)
    for part, share in sorted(parts.items(), key=lambda one: -one[1]):
        yield _line(f"CPU of a create, {front}: {part}", share, cpu)
    for thread, share in used.items():
        if share >= 0.01:
            yield _line(f"CPU of a create by thread, {front}: {thread}", share, cpu)


def _line(what: str, share: float, cpu: float) -> Line:
    return Line(what, f"{share * cpu:,.0f} µs", detail=f"{share:.0%} of {cpu:,.0f} µs")


def _profile(pid: int, kind: str, out: Path) -> "subprocess.Popen[bytes]":
    program = Path(sys.executable).with_name("py-spy")
    said = (
        "-d",
        str(SECONDS - 2),
        "-r",
        "200",
        "--nonblocking",
        "--threads",
        "-f",
        kind,
        "-o",
        str(out),
    )
    return subprocess.Popen(
        (str(program), "record", "-p", str(pid), *said),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _shares(raw: str, used: Mapping[str, float]) -> dict[str, float]:
    """Return part → share of the CPU time. `used`: thread → its share; a sample begins with its thread."""
    samples = dict[str, Counter[str]]()
    for line in raw.splitlines():
        stack, _, number = line.rpartition(" ")
        thread, *frames = stack.split(";")
        name = thread.partition(": ")[2]
        samples.setdefault(name, Counter())[_part(frames)] += int(number)
    parts = dict[str, float]()
    for thread, share in used.items():
        found = samples.get(thread) or Counter({REST: 1})
        for part, number in found.items():
            parts[part] = parts.get(part, 0.0) + share * number / found.total()
    return parts


def _part(frames: list[str]) -> str:
    for frame in reversed(frames):
        for part, files in PARTS:
            if any(f"({file}" in frame or f"/{file}" in frame for file in files):
                return part
    return REST

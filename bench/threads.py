"""CPU time by thread, and what parts of a create cost alone, with cold caches and in company."""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from app import migrate
from app.catalogue import registry
from app.settings import Settings
from bench.contest import TICKS
from bench.results import Line
from bench.rows import UNIT, platform
from bench.serving import SERVICE
from kernel import database
from kernel.case import Caller
from kernel.commands import Commands
from kernel.outcome import Command
from kernel.pack import load
from kernel.personal import Vault
from kernel.registry import Resource
from kernel.rules import Rules
from kernel.store import Store
from kernel.writer import Work, Writer
from luoshu.platforms.v1 import platforms_pb2 as pb

BATCH, BATCHES, CALLS, ROUNDS = 12, 40, 300, 5
COLD = "with cold caches"
APPLICANT = Caller("accounts/bench", UNIT, frozenset({"applicant"}))
IMPORTER = Caller("accounts/bench", UNIT, frozenset({"importer"}))
KEY = bytes(32)
ELSEWHERE = "gRPC's own threads"
BUSY = "x = bytearray(1 << 22)\nwhile True: x[::64] = bytes(1 << 16)"
"""A program that keeps a core and a part of the shared cache."""


def by_thread(pid: int) -> dict[str, float]:
    """Return thread → seconds of CPU that it has used so far; threads without Python are one."""
    names, found = _names(pid), dict[str, float]()
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = names.get(int(task.name), ELSEWHERE)
        with contextlib.suppress(OSError):
            said = (task / "stat").read_text("ascii", "replace").rsplit(")", 1)[1].split()
            found[name] = found.get(name, 0.0) + (int(said[11]) + int(said[12])) / TICKS
    return found


def _names(pid: int) -> dict[int, str]:
    """Return the system's number → name of the threads that Python knows."""
    program = Path(sys.executable).with_name("py-spy")
    command = (str(program), "dump", "--pid", str(pid), "--json", "--nonblocking")
    threads = json.loads(subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL))
    return {thread["os_thread_id"]: thread["thread_name"] or "loop" for thread in threads}


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return thread → its share of the CPU time between, the largest first."""
    each = {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}
    total = sum(each.values()) or 1.0
    return {name: each[name] / total for name in sorted(each, key=lambda n: -each[n])}


def lines() -> Iterator[Line]:
    """Two parts of a create on SQLite, in one thread: CPU time alone, with cold caches and in company, interleaved."""
    company: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "alone": contextlib.nullcontext,
        COLD: contextlib.nullcontext,
        "beside a thread that wants the interpreter": _thread,
        "beside a busy process": _process,
    }
    with _parts() as parts:
        for part, work in parts.items():
            found = {name: list[float]() for name in company}
            for _ in range(ROUNDS):
                for name, beside in company.items():
                    with beside():
                        found[name].append(work(_evicted if name == COLD else _left))
            yield from _told(part, {name: statistics.median(s) for name, s in found.items()})


def _told(part: str, found: Mapping[str, float]) -> Iterator[Line]:
    """Say what a part costs in each company, and which makes it the dearest."""
    times = {name: seconds / found["alone"] for name, seconds in found.items()}
    for name, seconds in found.items():
        told = "" if name == "alone" else f"{times[name]:.1f} times what it takes alone"
        yield Line(f"CPU of a create: {part}, {name}", f"{seconds * 1e6:,.0f} µs", detail=told)
    most = max(times, key=lambda name: times[name])
    yield Line(
        f"what makes it dearer in the server than timed alone: {part}",
        most.removeprefix("with ").removeprefix("beside "),
        detail=f"{times[most]:.1f} times; between two pieces of one kind a server runs all the others, gRPC's among them, and "
        "the processor's caches hold the code and data of the last",
    )


Before = Callable[[], object]
"""What is done before each piece of work, and not counted."""
_MEMORY = bytearray(1 << 24)


def _left() -> None: ...


def _evicted() -> None:
    """Read more memory than a core's caches hold, as other work between two calls does."""
    _MEMORY.count(1)


@contextlib.contextmanager
def _writer() -> Iterator[Writer]:
    """A writer on a fresh SQLite database."""
    service = registry(SERVICE)
    assert service is not None
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        url = f"sqlite:///{folder}/{SERVICE}.sqlite3"
        migrate.upgrade(SERVICE, url)
        engine = database.writing(url)
        pack = load(Settings({}).pack)
        yield Writer(Store(service, engine), engine, pack, Vault(KEY), _now)
        engine.dispose()


def of_rows(messages: Sequence[pb.ImportPlatformsRequest]) -> dict[str, float]:
    """Return part → CPU seconds of an imported row, in one thread."""
    clock, rules, commands = _Clock(), Rules(), Commands(KEY)
    with _writer() as writer:
        resource = writer.store.service.by_collection["platforms"]
        save = writer.store.save
        writer.store.save = lambda *told, **last: clock.run(
            "rows written", partial(save, **last), *told
        )  # type: ignore[method-assign]
        for raw in [message.SerializeToString() for message in messages]:
            request = clock.run("parsed", pb.ImportPlatformsRequest.FromString, raw)
            clock.run("validated", rules.broken, request)
            made = clock.run("made a command", _commands, commands, resource, request)
            (settled,) = clock.run("decided", writer.write, [Work(made)])
            if isinstance(settled, Exception):
                raise settled
    count, taken = sum(len(message.rows) for message in messages), clock.taken
    taken["decided"] -= taken["rows written"]
    return {part: seconds / count for part, seconds in taken.items()}


def _commands(commands: Commands, resource: Resource, request: Any) -> tuple[Command, ...]:
    return tuple(commands.row(resource, "bench", row, IMPORTER, False) for row in request.rows)


class _Clock:
    """Adds up the CPU seconds of this thread by part."""

    def __init__(self) -> None:
        self.taken = dict[str, float]()

    def run(self, part: str, work: Callable[..., Any], *told: Any) -> Any:
        began = time.thread_time()
        try:
            return work(*told)
        finally:
            self.taken[part] = self.taken.get(part, 0.0) + time.thread_time() - began


@contextlib.contextmanager
def _parts() -> Iterator[dict[str, Callable[[Before], float]]]:
    """Part → what does it many times and returns the CPU seconds of a create."""
    with _writer() as writer:
        commands, rules = Commands(KEY), Rules()
        resource = writer.store.service.by_collection["platforms"]

        def command() -> Command:
            one = pb.CreatePlatformRequest(platform=platform(1), request_id=uuid.uuid4().hex)
            return made(one.SerializeToString())

        def made(raw: bytes) -> Command:
            request = pb.CreatePlatformRequest.FromString(raw)
            rules.broken(request)
            return commands.create(resource, request, APPLICANT)

        def call(before: Before) -> float:
            raw = pb.CreatePlatformRequest(platform=platform(1), request_id="x" * 32)
            body = raw.SerializeToString()
            return _timed([partial(made, body)] * CALLS, before) / CALLS

        def write(before: Before) -> float:
            batches = [[Work((command(),)) for _ in range(BATCH)] for _ in range(BATCHES)]
            return _timed([partial(writer.write, b) for b in batches], before) / (BATCH * BATCHES)

        yield {
            "parse, validate, make the command": call,
            f"decide and write, {BATCH} a batch": write,
        }


def _timed(works: Sequence[Callable[[], object]], before: Before) -> float:
    """Return the CPU seconds of this thread."""
    taken = 0.0
    for work in works:
        before()
        began = time.thread_time()
        work()
        taken += time.thread_time() - began
    return taken


def _now() -> Timestamp:
    stamp = Timestamp()
    stamp.GetCurrentTime()
    return stamp


@contextlib.contextmanager
def _process() -> Iterator[None]:
    with subprocess.Popen((sys.executable, "-c", BUSY)) as busy:
        time.sleep(0.2)
        try:
            yield
        finally:
            busy.kill()


@contextlib.contextmanager
def _thread() -> Iterator[None]:
    """A thread that takes the interpreter and lets it go again, as one does that serves calls."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            sum(range(2_000))  # some 20 µs
            time.sleep(0)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()

"""Contestants side by side: the same callers ask one after another, in rounds, so that what slows the machine slows all alike."""

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.peers.build import program

TICKS = os.sysconf("SC_CLK_TCK")
SECONDS, WARM = 2.5, 1.0


@dataclass(frozen=True)
class Contestant:
    """Who is asked. `arguments`: of the callers' program; `records`: how many one answer is worth; `pids`: of its server."""

    name: str
    arguments: Sequence[str]
    pids: Callable[[], Iterable[int]] = tuple
    records: int = 1


@dataclass(frozen=True)
class Answered:
    """One round. `per_second`: records; times in milliseconds; `cpu`: of the server, microseconds a record."""

    per_second: float
    p50: float
    p99: float
    cpu: float


@dataclass
class Rounds:
    """Every contestant's rounds, in step."""

    callers: int
    found: dict[str, list[Answered]] = field(default_factory=dict)

    def rate(self, name: str) -> float:
        """Return records a second, the median of the rounds."""
        return statistics.median(a.per_second for a in self.found[name])

    def p50(self, name: str) -> float:
        return statistics.median(a.p50 for a in self.found[name])

    def p99(self, name: str) -> float:
        return statistics.median(a.p99 for a in self.found[name])

    def cpu(self, name: str) -> float:
        return statistics.median(a.cpu for a in self.found[name])

    def ratio(self, one: str, other: str, of: str = "per_second") -> float:
        """Return the median of the rounds' ratios."""
        pairs = zip(self.found[one], self.found[other], strict=True)
        return statistics.median(getattr(a, of) / getattr(b, of) for a, b in pairs)

    def told(self, name: str) -> str:
        return (
            f"{name} {self.rate(name):,.0f}/s (p50 {self.p50(name):.1f}, p99 {self.p99(name):.1f} ms; "
            f"{self.cpu(name):,.0f} µs of CPU)"
        )

    def all_told(self) -> str:
        return "; ".join(map(self.told, self.found))


def contest(
    contestants: Sequence[Contestant], callers: int, rounds: int = 5, seconds: float = SECONDS
) -> Rounds:
    """Ask each in turn, again and again."""
    result = Rounds(callers, {c.name: [] for c in contestants})
    for contestant in contestants:
        _asked(contestant, callers, WARM)
    for _ in range(rounds):
        for contestant in contestants:
            result.found[contestant.name].append(_asked(contestant, callers, seconds))
    return result


def _asked(contestant: Contestant, callers: int, seconds: float) -> Answered:
    pids = list(contestant.pids())
    before = sum(map(cpu_seconds, pids))
    command = (
        str(program("load")),
        *contestant.arguments,
        "-callers",
        str(callers),
        "-seconds",
        str(seconds),
    )
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    used = sum(map(cpu_seconds, pids)) - before
    if said["refused"]:
        raise RuntimeError(f"{contestant.name} refused {said['refused']}: {said['first_refusal']}")
    count = max(1, said["answered"] * contestant.records)
    return Answered(count / said["seconds"], said["p50_ms"], said["p99_ms"], used / count * 1e6)


def cpu_seconds(pid: int) -> float:
    """Return what a process has used so far; 0: it has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def children(pid: int) -> list[int]:
    """Return a process and those that it has started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text("ascii").split():
            found += children(int(child))
    return found


def over_grpc(
    address: str, method: str, request: bytes, metadata: Mapping[str, str], id_field: int = 0
) -> list[str]:
    """Return the callers' arguments: the same bytes every time, with an id of its own in a text field."""
    said = [word for key, value in metadata.items() for word in ("-say", f"{key}={value}")]
    own = ("-id", str(id_field)) if id_field else ()
    return ["-address", address, "-method", method, "-request", _kept(request), *own, *said]


def over_http(url: str, body: bytes = b"", headers: Mapping[str, str] = {}) -> list[str]:
    said = [word for key, value in headers.items() for word in ("-say", f"{key}={value}")]
    return ["-url", url, *said, *(("-request", _kept(body)) if body else ("-get",))]


def _kept(content: bytes) -> str:
    """The callers' program reads requests from files; they lie there until the bench ends."""
    with tempfile.NamedTemporaryFile(dir=_FOLDER.name, delete=False) as file:
        file.write(content)
    return file.name


_FOLDER = tempfile.TemporaryDirectory(prefix="luoshu-bench-requests-")

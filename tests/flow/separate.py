"""Services as processes of their own, to be killed; and the little that a test's client needs."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

ROOT = Path(__file__).resolve().parents[2]
MAIN = "import sys; from app import serve; serve.main(sys.argv[1:])"
PATIENCE = 60.0  # seconds until a test gives up; the machine may be busy
T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def metadata(
    actor: str, department: str = "", *roles: str
) -> tuple[tuple[str, str], tuple[str, str], tuple[str, str]]:
    return (
        ("luoshu-actor", actor),
        ("luoshu-department", department),
        ("luoshu-roles", ",".join(roles)),
    )


AUDITOR = metadata("accounts/auditor", "AUDIT", "auditor")
IMPORTER = metadata("accounts/importer", "DST", "importer")


@dataclass
class Separate:
    """Some services in one process of their own, on SQLite in `folder`.

    `environment`: settings beside the folder; the same for all processes that are to find one another.
    """

    names: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        key = f"LUOSHU_{self.names[0].upper()}_LISTEN" if len(self.names) == 1 else "LUOSHU_LISTEN"
        return self.environment[key]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def start(self) -> "Separate":
        """Start; when it returns, the address answers."""
        assert self.process is None
        settings = {"LUOSHU_DATA_DIR": str(self.folder), "LUOSHU_LOG_FORMAT": "json"}
        path = os.pathsep.join((str(ROOT), str(ROOT / "sdk")))
        environment = {**os.environ, **settings, **self.environment, "PYTHONPATH": path}
        with (self.folder / f"{self.names[0]}.log").open("ab") as log:
            self.process = subprocess.Popen(
                (sys.executable, "-c", MAIN, *self.names), env=environment, stdout=log, stderr=log
            )
        await until(self._serves, f"{self.names} to serve: {self._log()}")
        return self

    async def _serves(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self._log()
        async with grpc.aio.insecure_channel(self.address) as channel:
            try:
                health = health_pb2_grpc.HealthStub(channel)
                answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=5)
            except grpc.aio.AioRpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def _log(self) -> str:
        path = self.folder / f"{self.names[0]}.log"
        return path.read_text("utf-8")[-2000:] if path.exists() else ""

    def kill(self) -> None:
        """End it with SIGKILL, and see that it was this process, and no other, that served the address."""
        assert self.process is not None
        assert listens(self.address)
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(PATIENCE) == -signal.SIGKILL
        assert not listens(self.address), "something else serves the address"
        self.process = None

    def stop(self) -> int:
        """Ask it to stop; return its exit status. Nothing happens when it does not run."""
        if self.process is None:
            return 0
        self.process.terminate()
        status, self.process = self.process.wait(PATIENCE), None
        return status

    def metrics(self) -> dict[str, float]:
        """Return sample → value, as /metrics tells them."""
        key = f"LUOSHU_{self.names[0].upper()}_METRICS_LISTEN"
        alone = len(self.names) == 1
        return scraped(self.environment[key if alone else "LUOSHU_METRICS_LISTEN"])


def listens(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((host, int(port))) == 0


def scraped(address: str) -> dict[str, float]:
    """Return what a /metrics page says: `name{labels}` → value."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        page = answer.read().decode()
    lines = (line for line in page.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def addresses(names: Iterable[str]) -> dict[str, str]:
    """Return settings that give every service, and the process of several, free addresses."""
    found = {"LUOSHU_LISTEN": local(), "LUOSHU_METRICS_LISTEN": local()}
    for name in names:
        found[f"LUOSHU_{name.upper()}_LISTEN"] = local()
        found[f"LUOSHU_{name.upper()}_METRICS_LISTEN"] = local()
    return found


def local() -> str:
    return f"127.0.0.1:{free_port()}"


async def until(
    holds: Callable[[], Awaitable[T]], what: str = "it", seconds: float = PATIENCE
) -> T:
    """Return what `holds` returns as soon as it is true. Raises AssertionError when the patience ends."""
    end = time.monotonic() + seconds
    while not (found := await holds()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        await asyncio.sleep(0.05)
    return found


class ClientJournal:
    """What a client asked and was answered: each line is on the disk before the client goes on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab")

    def asked(self, key: str) -> None:
        self._write({"asked": key})

    def answered(self, answers: Mapping[str, str]) -> None:
        """Keep key → record."""
        self._write({"answered": dict(answers)})

    def _write(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def acknowledged(self) -> dict[str, str]:
        """Return key → record of all that was answered."""
        return {
            key: name for line in self._lines() for key, name in line.get("answered", {}).items()
        }

    def open_(self) -> list[str]:
        """Return the keys that were asked and not answered: their outcome is unknown."""
        answered = self.acknowledged()
        asked = dict.fromkeys(line["asked"] for line in self._lines() if "asked" in line)
        return [key for key in asked if key not in answered]

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._path.read_bytes().splitlines()]

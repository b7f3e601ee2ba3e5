"""Services as processes of their own, to be killed; and what a client of theirs keeps."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc
import sqlalchemy as sa
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kernel import database
from tests.running import METHODS, Who, request

ROOT = Path(__file__).resolve().parents[2]
MAIN = "import sys; from app.serve import main; main(sys.argv[1:])"
MOVED = "import sys; from tests.flow.moved import main; main(sys.argv[1:])"
"""The same with a clock that is as far ahead as the file `moved` says, in days."""
PATIENCE = 180.0  # seconds until a test gives up; the machine may be busy
PROMPT = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200))
T = TypeVar("T")


@dataclass
class Separate:
    """Some services in one process of their own, on SQLite in `folder`.

    `environment`: settings beside the folder; the same for all processes that are to find one another. `main`: MAIN or MOVED.
    """

    names: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    main: str = MAIN
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    channel: Any = field(default=None, init=False)

    def start(self) -> "Separate":
        """Start; when it returns, the address answers."""
        self.spawn()
        return self.ready()

    def __enter__(self) -> "Separate":
        self.spawn()
        try:
            return self.ready()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def spawn(self) -> None:
        assert self.process is None
        self.folder.mkdir(exist_ok=True)
        settings = {"LUOSHU_DATA_DIR": str(self.folder), "LUOSHU_LOG_FORMAT": "json"}
        path = os.pathsep.join((str(ROOT), str(ROOT / "sdk")))
        environment = {**os.environ, **settings, **self.environment, "PYTHONPATH": path}
        command = (sys.executable, "-c", self.main, *self.names)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def ready(self) -> "Separate":
        try:
            until(self._serves, f"{self.names} to serve")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log.read_text('utf-8')[-2000:]}") from None
        self.channel = grpc.insecure_channel(self.address, PROMPT)
        return self

    def _serves(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text("utf-8")[-2000:]
        with grpc.insecure_channel(self.address) as channel:
            try:
                health = health_pb2_grpc.HealthStub(channel)
                answer = health.Check(health_pb2.HealthCheckRequest(), timeout=5)
            except grpc.RpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def kill(self) -> None:
        """End it with SIGKILL, and see that it was this process, and no other, that served the address."""
        assert self.process is not None
        assert listens(self.address)
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(PATIENCE) == -signal.SIGKILL
        assert not listens(self.address), "something else serves the address"
        self._leave()

    def stop(self) -> int:
        """Ask it to stop; return its exit status. Nothing happens when it does not run."""
        if self.process is None:
            return 0
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        self._leave()
        return status

    def _leave(self) -> None:
        if self.channel is not None:
            self.channel.close()
        self.process = self.channel = None

    # Talking to it, and looking behind it.

    def call(self, rpc: str, who: Who, timeout: float = 30, **said: Any) -> Any:
        """Make a unary call with a request of these fields."""
        call = self.channel.unary_unary(*_wire(rpc))
        return call(request(rpc, **said), metadata=who.metadata, timeout=timeout)

    def feed(self, rpc: str, who: Who, messages: Iterable[Any], timeout: float = 60) -> list[Any]:
        """Send a stream of requests and return its answers."""
        call = self.channel.stream_stream(*_wire(rpc))
        return list(call(iter(messages), metadata=who.metadata, timeout=timeout))

    def watch(self, rpc: str, who: Who, timeout: float = 60, **said: Any) -> Any:
        """Open a stream of answers; cancel it, or read it to its end."""
        call = self.channel.unary_stream(*_wire(rpc))
        return call(request(rpc, **said), metadata=who.metadata, timeout=timeout)

    def move_clock(self, days: int) -> None:
        """Set how many days its clock is ahead; it was started with MOVED."""
        draft = self.folder / "moved.draft"
        draft.write_text(str(days))
        draft.replace(self.folder / "moved")

    def rows(self, sql: str, service: str = "") -> list[Any]:
        """Ask a database: of the service named, or of the only one."""
        engine = database.reading(self.database(service))
        try:
            with engine.connect() as tx:
                return list(tx.execute(sa.text(sql)))
        finally:
            engine.dispose()

    def metrics(self) -> dict[str, float]:
        """Return sample → value, as /metrics tells them."""
        return scraped(self.environment[self._key("METRICS_LISTEN")])

    @property
    def address(self) -> str:
        return self.environment[self._key("LISTEN")]

    def _key(self, what: str) -> str:
        alone = len(self.names) == 1
        return f"LUOSHU_{self.names[0].upper()}_{what}" if alone else f"LUOSHU_{what}"

    @property
    def log(self) -> Path:
        return self.folder / f"{'-'.join(self.names)}.log"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def database(self, service: str = "") -> str:
        return f"sqlite:///{self.folder / (service or self.names[0])}.sqlite3"


def _wire(rpc: str) -> tuple[str, Any, Any]:
    method = METHODS[rpc]
    answer = GetMessageClass(method.output_type).FromString
    path = f"/{method.containing_service.full_name}/{rpc}"
    return path, lambda message: message.SerializeToString(), answer


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
    """Return settings that give every service, and a process of several, free addresses."""
    prefixes = ("LUOSHU_", *(f"LUOSHU_{name.upper()}_" for name in names))
    own = {p + what: local() for p in prefixes for what in ("LISTEN", "METRICS_LISTEN")}
    return {**own, "LUOSHU_AUDIT_HTTP_LISTEN": local()}


def local() -> str:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{bound.getsockname()[1]}"


def until(holds: Callable[[], T], what: str = "it", seconds: float = PATIENCE) -> T:
    """Return what `holds` returns as soon as it is true. Raises AssertionError when the patience ends."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)
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
        lines = (line.get("answered", {}) for line in self._lines())
        return {key: name for answers in lines for key, name in answers.items()}

    def unanswered(self) -> list[str]:
        """Return the keys that were asked and not answered: their outcome is unknown."""
        answered = self.acknowledged()
        asked = dict.fromkeys(line["asked"] for line in self._lines() if "asked" in line)
        return [key for key in asked if key not in answered]

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._path.read_bytes().splitlines()]

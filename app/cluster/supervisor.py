"""Starts and stops the processes of a cluster, on purpose only: what ends by itself stays ended, to be seen.

Every process is known by a file in `run/`, so that any command can stop it, also when the one that started it has gone.
"""

import contextlib
import fcntl
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.catalogue import NAMES
from app.cluster import kafka, processes
from app.cluster.health import serving
from app.cluster.plan import POSTGRES, Plan
from app.cluster.ports import Broken, tail, wait_until
from app.cluster.postgres import FAST_SHUTDOWN, Postgres
from app.cluster.processes import Known

SERVING, SILENT, ENDED, STOPPED = "serving", "silent", "ended", "stopped"
CONNECTIONS = "max_connections=300"  # every service keeps some
SERVE = ("app.cli", "serve")
GRACE = 30.0  # seconds that a process gets to end before it is killed


class Server(Protocol):
    """What can be started and asked whether it serves."""

    @property
    def log(self) -> Path: ...
    def spawn(self) -> "subprocess.Popen[bytes]": ...
    def serves(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Service:
    """One service as a process of its own. `program`: what Python runs, before the service's name."""

    name: str
    plan: Plan
    program: Sequence[str]

    @property
    def log(self) -> Path:
        return self.plan.folder / "services" / f"{self.name}.log"

    def spawn(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", *self.program, self.name]
        return processes.spawn(command, self.log, self.plan.environment())

    def serves(self) -> bool:
        return serving(self.plan.address(self.name))


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of one process. `state`: serving; silent: it runs and does not serve; ended: by itself; stopped."""

    name: str
    state: str
    address: str
    metrics: str
    pid: int | None
    log: str


class Cluster:
    """The processes of a plan. `pause`: waits for some seconds, and may raise to break off. `program`: of the services."""

    def __init__(
        self,
        plan: Plan,
        pause: Callable[[float], object] = time.sleep,
        program: Sequence[str] = SERVE,
    ) -> None:
        self.plan, self._pause = plan, pause
        ports = plan.ports
        self.postgres = Postgres(plan.folder / POSTGRES, ports[POSTGRES], (CONNECTIONS,))
        nodes = kafka.brokers(
            plan.folder / "kafka",
            ports=[ports[name] for name in plan.brokers],
            controllers=[ports[f"{name}-controller"] for name in plan.brokers],
        )
        self.servers: dict[str, Server] = {
            POSTGRES: self.postgres,
            **dict(zip(plan.brokers, nodes, strict=True)),
            **{name: Service(name, plan, program) for name in NAMES},
        }
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def up(self) -> None:
        """Start everything; when it returns, every service is SERVING. Raises Broken: then nothing of it runs."""
        with self._alone():
            self.refuse_a_second()  # before the `try`: the first one goes on
            self.plan.save()
            try:
                self._start([POSTGRES, *self.plan.brokers])
                self._prepare()
                self._start(NAMES)
            except BaseException:
                self._down()
                raise

    def serve(self, program: Sequence[str] = SERVE) -> None:
        """Stop the services and start them again, as another program. Raises Broken."""
        with self._alone():
            self._stop(NAMES)
            self.servers.update({name: Service(name, self.plan, program) for name in NAMES})
            self._start(NAMES)

    def start(self, name: str) -> None:
        """Start one that does not run. Raises Broken."""
        self._check(name)
        with self._alone():
            if self.running(name):
                raise Broken(f"{name} already runs", f"{name} 已在运行")
            self._start([name])

    def stop(self, name: str, number: signal.Signals | None = None) -> None:
        """End one, as it should be ended or by the signal given. Raises Broken: there is no such name."""
        self._check(name)
        with self._alone():
            self._stop([name], number)

    def kill(self, name: str) -> None:
        self.stop(name, signal.SIGKILL)

    def down(self) -> None:
        """End everything."""
        with self._alone(hurried=True):
            self._down()

    def status(self) -> list[Status]:
        return [self._status(name) for name in self.servers]

    def running(self, name: str) -> Known | None:
        """Return the process of a name while it runs, whoever started it."""
        if name in self._children:
            self._children[name].poll()  # else one that ended would stay in the system's table
        process = processes.remembered(self._file(name))
        return process if process and processes.runs(process) else None

    def left(self) -> list[str]:
        """Return the names that nobody stopped: they run, or ended by themselves."""
        return [name for name in self.servers if self._file(name).exists()]

    def ended(self) -> list[str]:
        """Return the names that ended by themselves; none while a command is at work, which may be ending them."""
        with self._lock() as lock:
            return [name for name in self.left() if not self.running(name)] if _taken(lock) else []

    def _down(self) -> None:
        """First who asks, last who is asked."""
        for group in (NAMES, self.plan.brokers, [POSTGRES]):
            self._stop(group)

    def _start(self, names: Sequence[str]) -> None:
        for name in names:
            child = self._children[name] = self.servers[name].spawn()
            if process := processes.known(child.pid):
                processes.remember(self._file(name), process)
        for name in names:
            server = self.servers[name]
            try:
                wait_until(server.serves, self._children[name], server.log, pause=self._pause)
            except Broken as broken:
                raise Broken(f"{name}: {broken.en}", f"{name}：{broken.zh}") from None

    def _stop(self, names: Sequence[str], number: signal.Signals | None = None) -> None:
        """End some at once, and forget them; who does not go in time is killed."""
        them = {name: process for name in names if (process := self.running(name))}
        for name, process in them.items():
            processes.signal_to(process, number or goodbye(name))
        if not processes.gone(list(them.values()), GRACE):
            for process in them.values():
                processes.signal_to(process, signal.SIGKILL)
            processes.gone(list(them.values()), GRACE)
        for name in names:
            if child := self._children.pop(name, None):
                child.wait()
            self._file(name).unlink(missing_ok=True)

    def _prepare(self) -> None:
        """Bring databases and topics up to date, as an operator would."""
        self.postgres.create(*NAMES)
        log = self.plan.folder / "services" / "migrate.log"
        child = processes.spawn(
            [sys.executable, "-m", "app.cli", "migrate"], log, self.plan.environment()
        )
        try:
            while child.poll() is None:
                self._pause(processes.PAUSE)
        finally:
            processes.end(child, signal.SIGTERM)
        if child.returncode:
            raise Broken(
                f"luoshu migrate failed; see {log}\n{tail(log)}",
                f"luoshu migrate 失败；请查看 {log}",
            )

    def _status(self, name: str) -> Status:
        process, server = self.running(name), self.servers[name]
        state = ENDED if self._file(name).exists() else STOPPED
        if process:
            state = SERVING if server.serves() else SILENT
        metrics = self.plan.address(f"{name}-metrics") if name in NAMES else ""
        pid = process.pid if process else None
        return Status(name, state, self.plan.address(name), metrics, pid, str(server.log))

    def refuse_a_second(self) -> None:
        """Raises Broken: something of it runs."""
        if found := [name for name in self.servers if self.running(name)]:
            names = ", ".join(found)
            raise Broken(
                f"in {self.plan.folder} run already: {names}; stop them with `luoshu cluster stop`",
                f"{self.plan.folder} 中已在运行：{names}；请先用 luoshu cluster stop 停止",
            )

    def _check(self, name: str) -> None:
        if name not in self.servers:
            there = ", ".join(self.servers)
            raise Broken(f"no {name}; there are: {there}", f"没有 {name}；可用：{there}")

    def _file(self, name: str) -> Path:
        return self.plan.folder / "run" / f"{name}.json"

    @contextlib.contextmanager
    def _alone(self, *, hurried: bool = False) -> Iterator[None]:
        """One command at a time changes a cluster. `hurried`: nothing breaks off the waiting."""
        pause = time.sleep if hurried else self._pause
        with self._lock() as lock:
            while not _taken(lock):
                pause(processes.PAUSE)
            yield

    @contextlib.contextmanager
    def _lock(self) -> Iterator[int]:
        self.plan.folder.mkdir(parents=True, exist_ok=True)
        with (self.plan.folder / "lock").open("w") as lock:
            yield lock.fileno()


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def goodbye(name: str) -> signal.Signals:
    """Return the signal that asks a process to end in an orderly way."""
    return FAST_SHUTDOWN if name == POSTGRES else signal.SIGTERM

"""A process that serves: the composition root. All services by default, or the ones named."""

import asyncio
import contextlib
import gc
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
import uvloop
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import start_http_server

from app import logs, migrate
from app.catalogue import FOLLOWING, LOOKING, NAMES, READERS, REGISTRIES, own_behaviours, own_rpcs
from app.operating import started, stopped
from app.others import Others
from app.processor import stay_together
from app.secrets import secret_of, wrong_secret
from app.settings import PREFIX, Settings, SettingsError, load
from app.upkeep import Upkeep
from kernel import metrics, rpc
from kernel.access_room import AccessRoom
from kernel.consumer import REST, Follower, RoomSink
from kernel.erasure import PrivacyServicer
from kernel.events import EventServicer
from kernel.front import NoFront
from kernel.identity import Identity, is_loopback
from kernel.journal import Journal, JournalServicer, entries_of
from kernel.outcome import Clock
from kernel.pack import Pack, PackError
from kernel.pack import load as load_pack
from kernel.parking import Parks
from kernel.registry import Service
from kernel.relay import LEAD, LEAD_ACCESS, RelaySink
from kernel.room import Circumstances, Room
from kernel.servicer import behaviours
from kernel.turns import Told, Turns
from kernel.web import Handler, WebServer
from luoshu.events.v1 import events_pb2
from luoshu.journal.v1 import journal_pb2
from luoshu.privacy.v1 import privacy_pb2

log = structlog.get_logger(__name__)

Contract = tuple[Any, dict[str, rpc.Behaviour], rpc.Keeper]
"""A contract, the code of its RPCs, and who keeps what they deny and hand out."""
MOST_PORT = 65_535
THREADS = 64  # at most; those that wait for a broker or a database leave enough for the others
FAREWELL = 0.3  # seconds in which calls that are on their way are told so; gRPC would cancel them without a word
YOUNG = 50_000  # new objects between two looks for cycles: there are next to none, and 700 made looking cost a tenth of a create
SWITCH = 0.0005  # seconds that a thread keeps the interpreter while others want it: the loop and the writers take turns
GRACE = 5.0  # seconds that calls under way get when the process is told to stop


def now() -> Timestamp:
    stamp = Timestamp()
    stamp.FromMicroseconds(time.time_ns() // 1000)
    return stamp


@dataclass(slots=True)
class Process:
    """What runs in this process. `names`: the services; `clock`: the time, so that a test can move it."""

    settings: Settings
    names: tuple[str, ...]
    clock: Clock = now
    most: int = 256
    rooms: dict[str, Room] = field(default_factory=dict)
    recorders: dict[str, Room | AccessRoom] = field(default_factory=dict)
    journals: dict[str, Journal] = field(default_factory=dict)
    followers: list[Follower] = field(default_factory=list)
    upkeep: Upkeep | None = None
    port: int = 0
    _gate: rpc.Gate | None = None
    _server: Any = None
    _health: Any = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _runs: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)
    _web: WebServer | None = None
    _served: list[tuple[Any, dict[str, rpc.Handler]]] = field(default_factory=list)
    _sinks: list[Any] = field(default_factory=list)
    _hurrying: list[Callable[[], None]] = field(default_factory=list)
    _ending: list[Callable[[], None]] = field(default_factory=list)
    _closing: list[Callable[[], None]] = field(default_factory=list)
    _others: Others = field(init=False)

    def __post_init__(self) -> None:
        self._others = Others(self.settings, self.rooms, self.journals)

    @property
    def listen(self) -> str:
        return self.settings[self.setting("LISTEN")]

    @property
    def metrics_listen(self) -> str:
        return self.settings[self.setting("METRICS_LISTEN")]

    @property
    def files_port(self) -> int:
        """Port of the audit's files; 0 where they are not served here."""
        return self._web.port if self._web else 0

    def setting(self, name: str) -> str:
        """Return the setting that says an address here: a service alone has its own."""
        return f"{self.names[0].upper()}_{name}" if len(self.names) == 1 else name

    async def start(self) -> None:
        """Bring everything up; when it returns, the address answers."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
        pack = _pack(self.settings)
        for name in self.names:
            migrate.ready(name, self.settings.database(name))
        self._gate, edges = rpc.Gate(self._identity()), list[rpc.Edge]()
        for contract, code, keeper in self._contracts(pack):
            methods, its_edges = rpc.handlers(self._gate, contract, code, keeper)
            self._served.append((contract, methods))
            edges += its_edges
        self._health = _health()
        self._server = self._made()
        self.port = _bound(self._server, self.listen, self.setting("LISTEN"))
        await self._server.start()
        if self._web:
            self._web.start()
        for edge in edges:
            edge.warm()
        await started(self.settings, self.recorders)
        self._start_tasks()
        await self._set_health(serving=True)

    def _identity(self) -> Identity:
        loopback = is_loopback(self.listen)
        if self.settings.believes_anywhere:
            log.warning(
                "development_identity",
                listen=self.listen,
                text="callers are believed without proof / 未经证明即相信调用方身份",
            )
        metrics.DEVELOPMENT.set(int(self.settings.believes_anywhere))
        return Identity(believes=loopback or self.settings.believes_anywhere)

    def _contracts(self, pack: Pack) -> list[Contract]:
        """Open the services; return what each serves, and who keeps what it denies."""
        contracts: list[Contract] = []
        for service in REGISTRIES:
            if service.name in self.names:
                room = self._open(service, pack)
                code = behaviours(room, own_behaviours(room))
                contracts.append((service.contract, code, rpc.always(room)))
        contracts += [self._reader(name, pack) for name in READERS if name in self.names]
        journal = journal_pb2.DESCRIPTOR.services_by_name["JournalService"]
        servicer = JournalServicer(self.journals, self.recorders)
        contracts.append((journal, own_rpcs(servicer), rpc.nobody))
        self._relay_all()
        for name, reactions in FOLLOWING.items():
            if name in self.names:
                room = self.rooms[name]
                looks = {source: look(room) for source, look in LOOKING.get(name, {}).items()}
                sink = RoomSink(room, name, reactions, asyncio.get_running_loop(), looks)
                self._sinks.append(sink)
                self._hurrying.append(sink.hurry)
        for sink in self._sinks:  # now every journal of this process is known
            self._follow(sink)
        if self.rooms:
            privacy = privacy_pb2.DESCRIPTOR.services_by_name["PrivacyService"]
            code = own_rpcs(PrivacyServicer(self.rooms))
            contracts.append((privacy, code, rpc.named("service", self.rooms)))
        events = events_pb2.DESCRIPTOR.services_by_name["EventService"]
        code = own_rpcs(EventServicer(self._parking, self.recorders))
        contracts.append((events, code, rpc.named("consumer", self.recorders)))
        return contracts

    def _open(self, service: Service, pack: Pack) -> Room:
        room = Room(
            service,
            Circumstances(
                url=self.settings.database(service.name),
                secret=secret_of(self.settings, service.name),
                pack=pack,
                clock=self.clock,
                ask=self._others.ask,
                most=self.most,
            ),
        )
        self.rooms[service.name] = self.recorders[service.name] = room
        self.journals |= {room.source: room, room.access.source: room.access}
        if not room.has_its_secret():
            raise wrong_secret(self.settings, service.name)
        return room

    def _reader(self, name: str, pack: Pack) -> Contract:
        from app import readers

        reader = (
            readers.audit(self.settings, pack, self.clock)
            if name == "audit"
            else readers.reports(self.settings, pack, self.clock)
        )
        self._closing.append(reader.close)
        self.recorders[name] = reader.access
        self.journals[reader.access.access.source] = reader.access.access
        self._sinks.append(reader.sink)
        if name == "audit":
            self._audit(reader)
        return reader.contract, own_rpcs(reader.servicer), rpc.always(reader.access)

    @property
    def _parking(self) -> dict[str, Parks]:
        """The consumers here that put aside what they cannot apply."""
        sinks = (follower.sink for follower in self.followers)
        return {sink.name: sink for sink in sinks if isinstance(sink, Parks)}

    def _audit(self, reader: Any) -> None:
        """What the audit does beside following: sign, ask the witnesses, show files."""
        from app.cosigning import Cosigning
        from app.sealing import Sealing

        self._runs += [
            Sealing(self._others.lines, *reader.sealers).run,
            Cosigning(*reader.collectors).run,
        ]
        address = self.settings["AUDIT_HTTP_LISTEN"]
        if address != "off":
            self._web = opened("AUDIT_HTTP_LISTEN", address, reader.files.answer)
            self._closing.append(self._web.stop)

    def _follow(self, sink: Any) -> None:
        turns = self._turns(sink.name)
        for source in sink.sources:
            owner, bus = turns.taking(self._journal(source)), self.settings["KAFKA"]
            journal = _topic(bus, source) if bus else owner
            rest = REST if isinstance(sink, RoomSink) else 0.0
            self.followers.append(Follower(sink, source, journal, owner, turns, rest))

    def _relay_all(self) -> None:
        """Publish the journals of this process, where there is a bus to publish them to."""
        if not self.settings["KAFKA"]:
            return
        for room in self.rooms.values():
            self._relay(room.store, room.writing, room.source, LEAD)
        for recorder in self.recorders.values():
            access = recorder.access
            self._relay(access.store, recorder.writing, access.source, LEAD_ACCESS)

    def _relay(self, cursors: Any, engine: Any, source: str, lock: int) -> None:
        from kernel.kafka import KafkaPublisher  # loaded only where there is a bus

        sink = RelaySink(cursors, engine, KafkaPublisher(self.settings["KAFKA"]), source, lock)
        self._hurrying.append(sink.hurry)
        turns = self._turns(f"{source}-relay")
        self._ending.append(sink.close)
        owner = turns.taking(self._journal(source))
        self.followers.append(Follower(sink, source, sink.leading(owner), owner, turns))

    def _turns(self, name: str) -> Turns:
        turns = Turns(name)
        self._ending.append(turns.end)
        return turns

    def _journal(self, source: str) -> Told:
        """A source's journal: of this process where it is here, else read from its address."""
        if source in self.journals:
            return partial(entries_of, self.journals[source], follow=True)
        return partial(self._others.journal, source)

    def _made(self) -> Any:
        """Return a server with everything that is served here. Raises SettingsError."""
        from grpc_health.v1 import health, health_pb2_grpc
        from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

        server = _server(self.settings)
        for contract, methods in self._served:
            rpc.serve(server, contract, methods)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = [*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME]
        servicer = reflection.aio.ReflectionServicer(names)
        add: Any = reflection_pb2_grpc.add_ServerReflectionServicer_to_server
        add(servicer, server)
        return server

    @property
    def _names(self) -> list[str]:
        return [contract.full_name for contract, _ in self._served]

    async def _set_health(self, *, serving: bool) -> None:
        from grpc_health.v1 import health_pb2

        answer = health_pb2.HealthCheckResponse
        for name in ("", *self._names):
            await self._health.set(name, answer.SERVING if serving else answer.NOT_SERVING)

    def _start_tasks(self) -> None:
        self.upkeep = Upkeep(
            self.rooms,
            self.followers,
            self._parking,
            self.clock,
            self._others.head,
            self.recorders,
        )
        runs = [follower.run() for follower in self.followers]
        looks = [recorder.look_out() for recorder in self.recorders.values()]
        more = [run() for run in (self.upkeep.run, *self._runs)]
        self._tasks = [asyncio.create_task(run) for run in (*runs, *looks, *more)]

    async def stop(self) -> None:
        """Take no new calls, let those under way end, then leave."""
        await self._set_health(serving=False)
        await stopped(self.recorders)
        for recorder in self.recorders.values():
            recorder.end()
        if self._gate:
            self._gate.closed = True
        await asyncio.sleep(FAREWELL)
        if self._server:
            await self._server.stop(GRACE)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._leave_off()
        for recorder in self.recorders.values():
            await asyncio.to_thread(recorder.close)
        for close in self._closing:
            close()
        await self._others.close()

    async def _leave_off(self) -> None:
        """Let what is being taken come to its end, while all that it needs is there: of a consumer a transaction."""
        for leave in (*self._hurrying, *self._ending):
            await asyncio.to_thread(leave)


def _health() -> Any:
    from grpc_health.v1 import health

    return health.aio.HealthServicer()


def _topic(bootstrap: str, source: str) -> Any:
    from kernel.kafka import journal_of  # loaded only where there is a bus

    return journal_of(bootstrap, source)


def _pack(settings: Settings) -> Pack:
    """Raises SettingsError: the pack cannot be used."""
    try:
        return load_pack(settings.pack)
    except PackError as error:
        raise SettingsError(
            f"the policy pack cannot be used: {error} / 政策包 {settings.pack} 不可用：{error}"
        ) from None


def _server(settings: Settings) -> Any:
    """Raises SettingsError: the server asked for is not there."""
    try:
        return rpc.server(settings["FRONT"])
    except NoFront as error:
        raise SettingsError(str(error)) from None


def _bound(server: Any, address: str, setting: str) -> int:
    """Return the port that the server listens at. Raises SettingsError: it cannot."""
    port = address.rpartition(":")[2]
    if port.isdigit() and int(port) > MOST_PORT:  # gRPC would take what is left of it
        raise _no_address(address, setting)
    try:
        return int(server.add_insecure_port(address))
    except RuntimeError:
        raise _no_address(address, setting) from None


def measured(address: str, setting: str) -> Any:
    """Serve the metrics, and return their server. Raises SettingsError: the address cannot be had."""
    host, _, port = address.rpartition(":")
    try:
        return start_http_server(int(port), host, metrics.REGISTRY)[0]
    except (OSError, OverflowError, ValueError):
        raise _no_address(address, setting) from None


def opened(setting: str, address: str, handler: Handler, *, most: int = 0) -> WebServer:
    """Return an HTTP server that listens and does not yet answer. Raises SettingsError: the address cannot be had."""
    try:
        return WebServer(address, handler, most=most)
    except (OSError, OverflowError, ValueError):
        raise _no_address(address, setting) from None


def _no_address(address: str, setting: str) -> SettingsError:
    name = f"{PREFIX}{setting}"
    return SettingsError(
        f"{name}={address} cannot be listened at: it is in use, or no host:port of this machine; "
        f"stop who uses it, or set {name} to another host:port / "
        f"无法监听 {name}={address}：已被占用，或不是本机的 主机:端口；请停止占用者，或将 {name} 设为其他地址"
    )


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Return the services to run. Raises SettingsError for one that there is not."""
    for name in names:
        if name not in NAMES:
            known = ", ".join(NAMES)
            raise SettingsError(
                f"no service {name}; there are: {known} / 没有服务 {name}；可用：{known}"
            )
    return tuple(names) or NAMES


def settle(settings: Settings) -> "asyncio.Task[None] | None":
    """Set the interpreter up for serving, once all is loaded. Return what goes on beside it, if anything: keep it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    sys.setswitchinterval(SWITCH)
    return asyncio.create_task(stay_together()) if settings["PROCESSOR"] == "one" else None


async def run(settings: Settings, names: tuple[str, ...], clock: Clock) -> None:
    """Serve until the process is told to stop."""
    process = Process(settings, names, clock)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = measured(process.metrics_listen, process.setting("METRICS_LISTEN"))
    await process.start()
    together = settle(settings)
    log.info("serving", services=list(names), listen=process.listen, metrics=process.metrics_listen)
    await stop.wait()
    log.info("stopping")
    await process.stop()
    server.shutdown()
    if together is not None:
        together.cancel()


def main(services: Sequence[str] = (), clock: Clock = now) -> None:
    """Serve the services named, or all of them, until SIGTERM or Ctrl-C."""
    settings = load()
    logs.configure(settings["LOG_LEVEL"], settings["LOG_FORMAT"])
    for name in settings.unknown:
        log.warning("unknown_setting", name=name)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(run(settings, chosen(services), clock))

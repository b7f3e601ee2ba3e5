"""Apache Kafka as child processes, without its scripts: each node is a broker and a controller (KRaft)."""

import base64
import signal
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.cluster.java import jars, java
from app.cluster.ports import HOST, answers, free_ports, wait_until
from app.cluster.processes import end, spawn
from app.settings import ROOT

LOGGING = ROOT / "deploy" / "kafka" / "log4j2.yaml"
JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")  # fmt: skip

SMALL = {
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 2,
    "num.recovery.threads.per.data.dir": 1,
    "log.cleaner.dedupe.buffer.size": 2 * 1024 * 1024,
    "offsets.topic.num.partitions": 3,
    "transaction.state.log.num.partitions": 3,
    "share.coordinator.state.topic.num.partitions": 1,
}
"""What a broker on one machine can do with; sizes in bytes."""

QUICK = {
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 300,
    # Not under a second: a follower's fetch may wait 500 ms, and a shorter time unseats each new leader at once.
    "controller.quorum.fetch.timeout.ms": 1500,
    "controller.quorum.election.timeout.ms": 500,
    "controller.quorum.election.backoff.max.ms": 300,
    "controlled.shutdown.max.retries": 1,
    "group.initial.rebalance.delay.ms": 0,
}
"""A broker that is killed is missed, and one that comes back is heard, within seconds."""


@dataclass(slots=True)
class Broker:
    """One node with its data under `home`.

    `port`: of clients; `voters`: node → port of its controller, the same for every node; `cluster`: its id.
    """

    home: Path
    number: int
    port: int
    voters: Mapping[int, int]
    cluster: str
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "kafka.log"

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start the program; it does not serve yet. Raises Broken."""
        program, libraries = java(), jars()
        self._format()
        file = self.home / "server.properties"
        lines = (f"{name}={value}\n" for name, value in self.properties().items())
        file.write_text("".join(lines), encoding="utf-8")
        logging = f"-Dlog4j2.configurationFile={LOGGING.as_uri()}"
        command = [program, *JVM, logging, "-cp", f"{libraries}/*", "kafka.Kafka", str(file)]
        self.process = spawn(command, self.log)
        return self.process

    def start(self) -> None:
        """Return when it takes part; of several nodes, when enough of the others run. Raises Broken."""
        wait_until(self.serves, self.spawn(), self.log)

    def serves(self) -> bool:
        """Tell whether it counts itself among the live ones: then topics can be made on it."""
        from kafka.admin import KafkaAdminClient
        from kafka.errors import KafkaError

        if not answers(self.port):
            return False
        try:
            admin = KafkaAdminClient(bootstrap_servers=self.address, bootstrap_timeout_ms=3000)
            try:
                told = admin.describe_cluster()
            finally:
                admin.close()
        except (KafkaError, OSError):
            return False
        return any(broker["broker_id"] == self.number for broker in told["brokers"])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it with a signal and wait for it."""
        if self.process is not None:
            end(self.process, number)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def _format(self) -> None:
        """Mark a new folder as this node's: what `kafka-storage format` writes, without starting a Java for it."""
        marks = self.data / "meta.properties"
        if marks.exists():
            return
        self.data.mkdir(parents=True, exist_ok=True)
        marks.write_text(
            f"version=1\ncluster.id={self.cluster}\nnode.id={self.number}\ndirectory.id={new_id()}\n",
            encoding="ascii",
        )

    def properties(self) -> dict[str, str | int]:
        """Return the node's settings, as of Kafka's `server.properties`."""
        return {
            "process.roles": "broker,controller",
            "node.id": self.number,
            "controller.quorum.voters": ",".join(f"{n}@{HOST}:{p}" for n, p in self.voters.items()),
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{HOST}:{self.voters[self.number]}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.data),
            "auto.create.topics.enable": "false",
            **copies(len(self.voters)),
            **SMALL,
            **QUICK,
        }


def copies(nodes: int) -> dict[str, str | int]:
    """Return how often things are kept: on three nodes at most, and one of them may be missing."""
    kept = min(nodes, 3)
    needed = max(1, kept - 1)
    topics = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
    return {
        "default.replication.factor": kept,
        "min.insync.replicas": needed,
        **{f"{topic}.replication.factor": kept for topic in topics},
        **{f"{topic}.min.isr": needed for topic in topics[1:]},
    }


def brokers(
    home: Path, count: int = 1, ports: Sequence[int] = (), controllers: Sequence[int] = ()
) -> list[Broker]:
    """Return the nodes of a cluster, not started yet; ports that are not named are free ones."""
    ports, controllers = ports or free_ports(count), controllers or free_ports(count)
    voters = dict(enumerate(controllers, 1))
    cluster = _cluster_id(home)
    return [
        Broker(home / str(number), number, port, voters, cluster)
        for number, port in enumerate(ports, 1)
    ]


def bootstrap(nodes: Sequence[Broker]) -> str:
    """Return what clients are told: `host:port,…`."""
    return ",".join(node.address for node in nodes)


def start(nodes: Sequence[Broker], seconds: float = 180) -> None:
    """Start all at once; return when each takes part. Raises Broken."""
    for node, process in [(node, node.spawn()) for node in nodes]:
        wait_until(node.serves, process, node.log, seconds=seconds)


def stop(nodes: Sequence[Broker]) -> None:
    """End all at once: one after the other, the last would wait for a majority that has gone."""
    for node in nodes:
        if node.process is not None and node.process.poll() is None:
            node.process.terminate()
    for node in nodes:
        node.stop()


def new_id() -> str:
    """Return a new identifier as Kafka writes them: 22 characters, the first not a dash."""
    text = "-"
    while text.startswith("-"):
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
    return text


def _cluster_id(home: Path) -> str:
    """Return the identifier of the cluster in a folder, made when it is first asked for."""
    file = home / "cluster.id"
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        file.write_text(new_id(), encoding="ascii")
    return file.read_text(encoding="ascii")

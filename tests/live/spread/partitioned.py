"""Three services and their engines, with a link that can be spoiled between each two that talk."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.cluster import kafka
from app.cluster.kafka import Broker
from app.cluster.ports import HOST, free_ports
from app.cluster.postgres import Postgres
from tests.live import engines
from tests.live.on_postgres import OnEngines
from tests.live.spread.spread import Spread
from tests.live.toxics import Link, Proxies, proxies

NAMES = ("platforms", "funding", "audit")
CALLERS = "callers-platforms"
SERVICE_DATABASE = "platforms-postgresql"
RELAY = "relay-kafka"
CONSUMER = "audit-kafka"
CONSUMER_DATABASE = "audit-postgresql"
OWNER = "funding-platforms"
LINKS = (CALLERS, SERVICE_DATABASE, RELAY, CONSUMER, CONSUMER_DATABASE, OWNER)


@dataclass(slots=True)
class WithDoors(Broker):
    """A broker that tells some clients other addresses than its own. `doors`: name → (where it listens, what it tells)."""

    doors: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def properties(self) -> dict[str, str | int]:
        told = Broker.properties(self)
        for name, (listens, tells) in self.doors.items():
            told["listeners"] = f"{told['listeners']},{name}://{HOST}:{listens}"
            told["advertised.listeners"] = f"{told['advertised.listeners']},{name}://{HOST}:{tells}"
            map_ = "listener.security.protocol.map"
            told[map_] = f"{told[map_]},{name}:PLAINTEXT"
        return told


class Partitioned(Spread):
    """`links`: name → the way through a toxiproxy; nobody takes another."""

    def __init__(self, folder: Path, server: Postgres, node: WithDoors, links: Proxies) -> None:
        super().__init__(folder, server, [node], NAMES)
        database, platforms = f"{HOST}:{server.port}", self["platforms"].address
        doors = {
            name: node.doors[door] for name, door in ((RELAY, "RELAY"), (CONSUMER, "CONSUMER"))
        }
        self.links: dict[str, Link] = {
            CALLERS: links.link(CALLERS, platforms),
            OWNER: links.link(OWNER, platforms),
            SERVICE_DATABASE: links.link(SERVICE_DATABASE, database),
            CONSUMER_DATABASE: links.link(CONSUMER_DATABASE, database),
            **{
                name: links.link(name, f"{HOST}:{listens}", tells)
                for name, (listens, tells) in doors.items()
            },
        }
        self._lead_through("platforms", "PLATFORMS_DATABASE", SERVICE_DATABASE)
        self._lead_through("platforms", "KAFKA", RELAY)
        self._lead_through("audit", "AUDIT_DATABASE", CONSUMER_DATABASE)
        self._lead_through("audit", "KAFKA", CONSUMER)
        self._lead_through("funding", "PLATFORMS_ADDRESS", OWNER)

    def _lead_through(self, name: str, setting: str, link: str) -> None:
        """Let a process find something at the near end of a link."""
        address, process = self.links[link].address, self.processes[name]
        at = address
        if setting.endswith("_DATABASE"):
            at = self.server.url(name).replace(f"{HOST}:{self.server.port}", address)
        environment = {**process.environment, f"LUOSHU_{setting}": at}
        self.processes[name] = OnEngines((name,), process.folder, environment)


@contextmanager
def partitioned() -> Iterator[Partitioned]:
    with (
        engines.demanded(),
        engines.folder() as folder,
        engines.a_postgres("max_connections=100") as server,
        proxies() as links,
    ):
        node = a_broker_with_doors(folder / "kafka")
        try:
            node.start()
            apart = Partitioned(folder, server, node, links).prepare()
            apart.start()
            yield apart
            assert set(apart.stop()) == {0}
        finally:
            node.stop()


def a_broker_with_doors(home: Path) -> WithDoors:
    ports = free_ports(4)
    doors = {"RELAY": (ports[0], ports[1]), "CONSUMER": (ports[2], ports[3])}
    (node,) = kafka.brokers(home)
    return WithDoors(node.home, node.number, node.port, node.voters, node.cluster, doors=doors)

"""Every service as a process of its own, on its own PostgreSQL database, with Kafka between them."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from app import migrate
from app.catalogue import JOURNALS, NAMES, READERS, REGISTRIES
from app.cluster.kafka import Broker, bootstrap
from app.cluster.ports import Broken, tail
from app.cluster.postgres import Postgres
from kernel import kafka
from tests import invariants
from tests.flow.separate import Separate, addresses, local, until
from tests.flow.test_separate_processes import Province
from tests.live import engines
from tests.live.on_postgres import OnEngines
from tests.live.proofs import demand_signed
from tests.live.spread.topic import demand_topic, positions

SERVICES = {service.name: service for service in REGISTRIES}
DRAINED = 90.0  # seconds that everything may take to catch up


class Spread(Province):
    """Processes of services, all by default, and their two engines, to be killed."""

    def __init__(
        self, folder: Path, server: Postgres, nodes: Sequence[Broker], names: Sequence[str] = NAMES
    ) -> None:
        self.folder, self.server, self.nodes, self.node = folder, server, nodes, nodes[0]
        databases = {f"LUOSHU_{name.upper()}_DATABASE": server.url(name) for name in NAMES}
        self.environment = {**addresses(NAMES), **databases, "LUOSHU_KAFKA": bootstrap(nodes)}
        self.processes: dict[str, Separate] = {
            name: OnEngines((name,), folder, self.environment) for name in names
        }

    @property
    def sources(self) -> list[str]:
        return [name for name in SERVICES if name in self.processes]

    @property
    def readers(self) -> list[str]:
        return [name for name in READERS if name in self.processes]

    def prepare(self) -> "Spread":
        """What `luoshu migrate` does: databases, tables, topics."""
        self.server.create(*NAMES)
        for name in NAMES:
            migrate.upgrade(name, self.server.url(name))
        brokers = len(self.nodes)
        kafka.make_topics(bootstrap(self.nodes), list(JOURNALS), brokers=brokers)
        return self

    @contextmanager
    def second(self, name: str) -> Iterator[Separate]:
        """A second process of a service, on the same database, at other addresses."""
        own = {f"LUOSHU_{name.upper()}_{what}": local() for what in ("LISTEN", "METRICS_LISTEN")}
        own["LUOSHU_AUDIT_HTTP_LISTEN"] = local()
        process = OnEngines((name,), self.folder, {**self.environment, **own})
        process.start()
        try:
            yield process
        finally:
            assert process.stop() == 0

    # What is killed.

    def kill(self, victim: str) -> None:
        """SIGKILL to a service, the broker, PostgreSQL, or a backend of it: `backend of <database>`."""
        if victim == "broker":
            self.node.kill()
        elif victim == "postgresql":
            self.server.kill()
        elif victim.startswith("backend of "):
            os.kill(self._backend(victim.removeprefix("backend of ")), signal.SIGKILL)
        else:
            self[victim].kill()

    def revive(self, victim: str) -> None:
        """Start what was killed; from a backend's death PostgreSQL recovers by itself."""
        if victim == "broker":
            self.node.start()
        elif victim == "postgresql":
            until(self._restarted, "PostgreSQL to start")
        elif victim.startswith("backend of "):
            until(self.server.serves, "PostgreSQL to recover")
        else:
            self[victim].start()

    def _restarted(self) -> bool:
        """Tell whether PostgreSQL serves again: it refuses to start while a child of the killed one has not gone yet."""
        try:
            self.server.start()
        except Broken:
            return False
        return True

    def _backend(self, name: str) -> int:
        """Return the process of the connection that wrote last in a database, once there is one again."""
        query = """SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'
                   ORDER BY xact_start DESC NULLS LAST, state_change DESC LIMIT 1"""
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            row = until(
                lambda: connection.execute(query, [name]).fetchone(), f"a connection to {name}"
            )
        return int(row[0])

    # What must hold.

    def rows(self, service: str, sql: str) -> list[Any]:
        """Ask a database, past everything that may be wrong with its service's way to it."""
        with psycopg.connect(self.server.url(service)) as connection:
            return connection.execute(sql.encode()).fetchall()

    def backlog(self, source: str) -> float:
        sample = f'luoshu_relay_backlog_events{{source="{source}"}}'
        return self[source].metrics().get(sample, -1)

    def drained(self) -> None:
        """I4: wait until everything has been relayed and taken in."""
        for source in self.sources:
            self._until(source, lambda s=source: self.backlog(s) == 0, "relayed")
            for consumer in self.readers:
                self._until(
                    consumer, lambda c=consumer, s=source: self.caught_up(c, s), f"up with {source}"
                )

    def _until(self, name: str, holds: Callable[[], bool], what: str) -> None:
        """Wait; who does not come so far is shown by the end of its log."""
        try:
            until(holds, f"{name} to be {what}", DRAINED)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{tail(self[name].log, 4000)}") from None

    def demand_all(self) -> dict[str, invariants.Database]:
        """I3 to I5, of every journal, its topic, the audit and the reports."""
        found = {}
        for name in self.sources:
            found[name] = invariants.demand_sound(self.server.url(name), SERVICES[name])
            lines = found[name].lines
            demand_topic(self.node.address, name, lines)
            invariants.demand_audited(lines, self.server.url("audit"), name)
            if "reports" in self.readers:
                invariants.demand_reported(lines, self.server.url("reports"), name)
        demand_signed(self.server.url("audit"), self.folder / "audit.key")
        return found

    def repeats(self, source: str) -> int:
        """Return how many messages of a topic were there already."""
        told = positions(self.node.address, source)
        return len(told) - len(set(told))


@contextmanager
def spread(brokers: int = 1) -> Iterator[Spread]:
    """Start everything; stopping it must succeed too."""
    with (
        engines.folder() as folder,
        engines.a_postgres("max_connections=300") as server,
        engines.some_brokers(brokers) as nodes,
    ):
        everything = Spread(folder, server, nodes).prepare()
        everything.start()
        yield everything
        with ThreadPoolExecutor() as pool:
            assert set(pool.map(Separate.stop, everything.processes.values())) == {0}

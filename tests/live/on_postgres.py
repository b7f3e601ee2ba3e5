"""One service alone on a PostgreSQL of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app import migrate
from app.cluster.postgres import Postgres
from tests.flow.separate import Separate, addresses
from tests.live import engines


class OnEngines(Separate):
    """A process whose databases are where its settings say."""

    def database(self, service: str = "") -> str:
        return self.environment[f"LUOSHU_{(service or self.names[0]).upper()}_DATABASE"]


@contextmanager
def alone_on_postgres(
    *options: str, home: Path | None = None, name: str = "platforms"
) -> Iterator[tuple[OnEngines, Postgres]]:
    """Yield the service and its server. `home`: where PostgreSQL keeps its data, if it matters."""
    with engines.folder() as folder, engines.a_postgres(*options, home=home) as server:
        server.create(name)
        migrate.upgrade(name, server.url(name))
        database = {f"LUOSHU_{name.upper()}_DATABASE": server.url(name)}
        with OnEngines((name,), folder, {**addresses([name]), **database}) as service:
            yield service, server


def children(server: Postgres) -> list[int]:
    """Return the processes of a PostgreSQL: the one that it was started by, and its children."""
    assert server.process is not None
    of = server.process.pid
    tasks = Path(f"/proc/{of}/task/{of}/children").read_text().split()
    return [of, *map(int, tasks)]

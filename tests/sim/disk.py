"""What survives a crash: SQLite files, with the engines that hold their connections.

Engines outlive a run because they only hold connections and compiled statements; a crash closes the connections.
"""

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakSet

import sqlalchemy as sa

from app.catalogue import registry
from app.migrate import metadata_of
from kernel import database
from kernel.database import Kept
from kernel.store import Store
from kernel.tables import tables_of
from tests.sim.points import Current, watch

MEMORY = Path("/dev/shm")
Image = Mapping[str, bytes]
"""The files of some databases, by name."""


class Disk:
    """A folder of databases. `current`: the points of the run under way."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.path, self.current = Path(self._folder.name), Current()
        self._engines: dict[tuple[str, str, str], sa.Engine] = {}
        self._kept = WeakSet[Kept]()

    def url(self, name: str) -> str:
        return f"sqlite:///{self.path / name}.sqlite3"

    def engine(self, name: str, kind: str, process: str = "") -> sa.Engine:
        """Return a process's engine on a database. `kind`: writing or reading."""
        key = (name, kind, process or name)
        if key not in self._engines:
            engine: sa.Engine = getattr(database, kind)(self.url(name))
            sa.event.listen(engine, "connect", _impatient)
            watch(engine, process or name, self.current)
            self._engines[key] = engine
        return self._engines[key]

    def keep(self, engine: sa.Engine) -> Kept:
        """Return what keeps a connection, until its process ends."""
        kept = Kept(engine)
        self._kept.add(kept)
        return kept

    def close(self, process: str = "") -> None:
        """Close the connections of a process, or all; one in the middle of a transaction stays: a slow twin goes on with it."""
        for (_, _, owner), engine in self._engines.items():
            pool: Any = engine.pool
            if process in ("", owner) and pool.checkedin() + pool.checkedout() > 0:
                for kept in list(self._kept):
                    if kept.engine is engine:
                        kept.leave()
                engine.dispose()

    def write(self, image: Image) -> None:
        """Replace all databases."""
        self.close()
        for path in self.path.iterdir():
            path.unlink()
        for name, body in image.items():
            (self.path / f"{name}.sqlite3").write_bytes(body)

    def read(self) -> dict[str, bytes]:
        """Return all databases; SQLite folds its log into the file when the last connection closes."""
        self.close()
        return {path.stem: path.read_bytes() for path in self.path.glob("*.sqlite3")}

    def make(self, name: str) -> None:
        """Make an empty database for a service that has none yet."""
        path = self.path / f"{name}.sqlite3"
        if not path.exists():
            path.write_bytes(empty(name))


def _impatient(connection: object, _: object) -> None:
    """A lock that is held is told at once: the one that holds it cannot go on while this thread waits."""
    connection.execute("PRAGMA busy_timeout=0")  # type: ignore[attr-defined]


@cache
def empty(name: str) -> bytes:
    """Return a service's database with its tables and nothing in them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        engine = database.writing(f"sqlite:///{path}")
        with engine.begin() as tx:
            metadata_of(name).create_all(tx)
            service = registry(name)
            if service is not None:
                head = tables_of(service).head
                tx.execute(sa.insert(head).values(id=1, position=0, commit_time=0))
        engine.dispose()
        return path.read_bytes()


@cache
def disk() -> Disk:
    """Return this process's disk."""
    return Disk()


@cache
def store_of(name: str) -> Store:
    """Return a service's statements: made once, they hold nothing of a run."""
    service = registry(name)
    assert service is not None, name
    return Store(service, disk().engine(name, "writing"))

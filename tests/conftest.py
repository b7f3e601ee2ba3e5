"""One process of all services a session: started when the first test asks for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import migrate
from app.catalogue import NAMES
from tests.running import MovableClock, Running

ENGINE = os.environ.get("LUOSHU_TEST_ENGINE", "sqlite")
"""Where that process keeps its data: sqlite or postgresql."""


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """All services on databases of their own; nobody moves its clock."""
    folder = tmp_path_factory.mktemp("luoshu")
    if ENGINE == "postgresql":
        yield from _on_postgres(folder)
        return
    process = Running(folder, NAMES, MovableClock()).start()
    yield process
    process.stop()


def _on_postgres(folder: Path) -> Iterator[Running]:
    from tests.live import engines

    with engines.a_postgres() as server:
        server.create(*NAMES)
        databases = {f"LUOSHU_{name.upper()}_DATABASE": server.url(name) for name in NAMES}
        for name in NAMES:
            migrate.upgrade(name, server.url(name))
        process = Running(folder, NAMES, MovableClock(), databases, server.data).start()
        yield process
        process.stop()

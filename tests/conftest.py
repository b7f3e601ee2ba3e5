"""One process of all services a session: started when the first test asks for it."""

from collections.abc import Iterator

import pytest

from app.catalogue import NAMES
from tests.running import MovableClock, Running


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """All services on SQLite files of their own; nobody moves its clock."""
    process = Running(tmp_path_factory.mktemp("luoshu"), NAMES, MovableClock()).start()
    yield process
    process.stop()

"""The registries' suite: one process, furnished once."""

import pytest

from tests.running import Running
from tests.service.registry_suite import furnish


@pytest.fixture(scope="session")
def registries(running: Running) -> Running:
    """The process with the programme and the call that applications need."""
    furnish(running)
    return running

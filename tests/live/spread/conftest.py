"""One spread-out province a session: its tests leave it running, and drained."""

from collections.abc import Iterator

import pytest

from tests.flow.province import Funding
from tests.flow.province import today as business_day
from tests.live.spread.spread import Spread, spread


@pytest.fixture(scope="session")
def province() -> Iterator[Spread]:
    """Six services on six databases, and a broker."""
    with spread() as everything:
        yield everything


@pytest.fixture(scope="session")
def applying(province: Spread) -> Funding:
    """A programme and a call that applications are made to."""
    return Funding(province["funding"].call, business_day()).furnish()

"""What no client library sends: the process answers, or hangs up, and goes on serving everybody."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.catalogue import NAMES
from kernel import metrics
from tests.hostile import frames
from tests.running import MovableClock, Running
from tests.service.registry_suite import AUDITOR


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path, NAMES, MovableClock()).start()
    yield running
    running.stop()


def _serves(running: Running) -> None:
    answer = running.channel.unary_unary("/luoshu.platforms.v1.PlatformService/ListPlatforms")
    assert answer(b"", metadata=AUDITOR.metadata, timeout=20, wait_for_ready=True) is not None


def test_a_path_that_is_no_text_does_not_end_the_service(victim: Running) -> None:
    """It ends the server of grpc.aio 1.85; another takes its place, as often as it has to."""
    before = metrics.SERVERS_FAILED._value.get()
    address = f"127.0.0.1:{victim.process.port}"
    watching = victim.watch(
        "WatchPlatforms", AUDITOR, timeout=300
    )  # does not keep the next one waiting
    for _ in range(3):
        _serves(victim)
        asyncio.run(frames.exchanged(address, frames.PATH_WITHOUT_TEXT))
    _serves(victim)
    watching.cancel()
    replaced = 3 if victim.process.settings["FRONT"] == "grpcio" else 0
    assert metrics.SERVERS_FAILED._value.get() == before + replaced


def test_connections_that_break_http2_hold_nobody_up(victim: Running) -> None:
    address = f"127.0.0.1:{victim.process.port}"
    broken = asyncio.run(frames.attack(address, random.Random(7), 2 * len(frames.SCRIPTS)))
    assert broken.findings == []
    _serves(victim)

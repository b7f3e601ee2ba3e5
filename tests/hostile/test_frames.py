"""What no client library sends: the process answers, or hangs up, and goes on serving everybody."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.catalogue import NAMES
from tests.flow.separate import Separate, addresses, listens, until
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


def test_after_a_path_that_is_no_text_the_address_answers_or_the_process_has_ended(
    tmp_path: Path,
) -> None:
    """It ends the server of grpc.aio 1.85, and sometimes the process: never is one left that answers nobody."""
    with Separate(("platforms",), tmp_path, addresses(["platforms"])) as service:
        asyncio.run(frames.exchanged(service.address, frames.PATH_WITHOUT_TEXT))
        assert service.process is not None
        ended = service.process.poll
        until(lambda: ended() is not None or listens(service.address), "an end, or an answer")


def test_connections_that_break_http2_hold_nobody_up(victim: Running) -> None:
    address = f"127.0.0.1:{victim.process.port}"
    broken = asyncio.run(frames.attack(address, random.Random(7), 2 * len(frames.SCRIPTS)))
    assert broken.findings == []
    _serves(victim)

"""What no client library sends: the process answers, or hangs up, and goes on serving everybody."""

import asyncio
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest

from app.catalogue import NAMES
from tests.flow.separate import until
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


def test_a_path_that_is_no_text_is_none_that_there_is_and_nobody_else_notices(
    victim: Running,
) -> None:
    """It ends the server of grpc.aio 1.85."""
    watch = victim.channel.unary_stream("/luoshu.platforms.v1.PlatformService/WatchPlatforms")
    watching = watch(b"", metadata=AUDITOR.metadata, timeout=60)
    address = f"127.0.0.1:{victim.process.port}"
    unimplemented = grpc.StatusCode.UNIMPLEMENTED.value[0]
    ask = partial(frames.exchanged, address, frames.PATH_WITHOUT_TEXT)
    until(lambda: unimplemented in frames.codes(asyncio.run(ask())), "its status")
    _serves(victim)
    assert watching.is_active()
    watching.cancel()


def test_connections_that_break_http2_hold_nobody_up(victim: Running) -> None:
    address = f"127.0.0.1:{victim.process.port}"
    broken = asyncio.run(frames.attack(address, random.Random(7), 2 * len(frames.SCRIPTS)))
    assert broken.findings == []
    _serves(victim)

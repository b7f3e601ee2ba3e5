"""The interpreter's threads on one processor, and free again."""

import asyncio
import errno
import gc
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Never
from unittest.mock import Mock

import grpc
import pytest
from structlog.testing import capture_logs

from app import processor, serve
from app.processor import stay_together
from app.settings import Settings
from kernel.copier import NAME

ALL = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
pytestmark = pytest.mark.skipif(len(ALL) < 2, reason="one processor is all there is")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "STAY", 0.05)
    monkeypatch.setattr(processor, "LOOSE", 0.005)


@pytest.fixture
def worker() -> Iterator[int]:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    yield thread.native_id or 0
    done.set()
    thread.join()


@asynccontextmanager
async def together() -> AsyncIterator[None]:
    task = asyncio.create_task(stay_together())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def where(thread: int = 0) -> set[int]:
    return os.sched_getaffinity(thread)


def refused(*_: object) -> Never:
    raise OSError(errno.EMFILE, "too many open files")


async def test_the_loop_and_its_threads_share_one_processor_and_are_free_at_the_end(
    worker: int,
) -> None:
    async with together():
        assert len(where()) == 1
        assert where(worker) == where()
    assert where() == where(worker) == ALL


async def test_a_thread_made_meanwhile_is_free_at_the_end_too(
    request: pytest.FixtureRequest,
) -> None:
    async with together():
        made = request.getfixturevalue("worker")
        assert where(made) == where() != ALL
    assert where(made) == ALL


async def test_the_system_may_choose_anew_from_time_to_time(worker: int) -> None:
    seen = list[bool]()
    async with together():
        for _ in range(10_000):
            seen.append(where() == where(worker) == ALL)
            if any(seen) and not seen[-1]:
                break
            await asyncio.sleep(0.001)
    assert seen[0] is seen[-1] is False
    assert any(seen)


async def test_the_thread_that_waits_for_calls_goes_where_it_likes() -> None:
    server = grpc.aio.server()
    await server.start()
    *_, waits = [t.native_id for t in threading.enumerate() if "_poll_wrapper" in t.name]
    async with together():
        assert where() != where(waits or 0) == ALL
    await server.stop(None)


async def test_the_thread_that_copies_a_log_goes_where_it_likes() -> None:
    done = threading.Event()
    copies = threading.Thread(target=done.wait, name=f"platforms-{NAME}")
    copies.start()
    async with together():
        assert where() != where(copies.native_id or 0) == ALL
    done.set()
    copies.join()


async def test_what_fails_is_told_once_and_tried_again(
    worker: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as said:
        with monkeypatch.context() as without_descriptors:
            without_descriptors.setattr(processor, "_processor", refused)
            async with together():
                await asyncio.sleep(5 * processor.STAY)
                assert where() == where(worker) == ALL
        async with together():
            assert len(where()) == 1
    assert said == [{"event": "threads_apart", "error": "OSError", "log_level": "warning"}]


async def test_after_a_failure_they_come_together_and_without_descriptors_they_are_freed(
    worker: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with together():
        with monkeypatch.context() as without_descriptors:
            without_descriptors.setattr(Path, "iterdir", refused)
            await asyncio.sleep(3 * processor.STAY)
        await asyncio.sleep(3 * processor.STAY)
        monkeypatch.setattr(processor, "LOOSE", 1e-9)
        for _ in range(1000):
            if len(where()) == 1:
                break
            await asyncio.sleep(0.001)
        assert where() == where(worker) != ALL
        monkeypatch.setattr(Path, "iterdir", refused)
    assert where() == where(worker) == ALL


@pytest.mark.parametrize(("chosen", "bound"), [("one", True), ("any", False)])
async def test_a_service_does_so_unless_it_is_told_not_to(
    chosen: str, bound: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "gc", Mock(get_threshold=gc.get_threshold))
    monkeypatch.setattr(sys, "setswitchinterval", Mock())
    task = serve.settle(Settings({"LUOSHU_PROCESSOR": chosen}))
    await asyncio.sleep(0)
    assert (len(where()) == 1) is bound
    if task is not None:
        task.cancel()
        await asyncio.wait([task])


async def test_of_one_processor_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.delattr(os, "sched_setaffinity")
    await stay_together()

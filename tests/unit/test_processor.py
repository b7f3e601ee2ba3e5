"""The interpreter's threads on one processor, and free again."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import grpc
import pytest
from structlog.testing import capture_logs

from app import processor
from app.processor import stay_together

ALL = os.sched_getaffinity(0)
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
    yield
    task.cancel()
    await asyncio.wait([task])


def where(thread: int = 0) -> set[int]:
    return os.sched_getaffinity(thread)


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
    (waits,) = [t.native_id for t in threading.enumerate() if processor.APART in t.name]
    async with together():
        assert where() != where(waits or 0) == ALL
    await server.stop(None)


async def test_where_it_is_not_allowed_the_log_says_so_and_nothing_else_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refused)
    with capture_logs() as said:
        await stay_together()
    assert said == [{"event": "threads_apart", "error": "PermissionError", "log_level": "warning"}]


async def test_of_one_processor_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.delattr(os, "sched_setaffinity")
    await stay_together()

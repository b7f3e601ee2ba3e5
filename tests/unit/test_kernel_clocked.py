"""The time limit: it is kept, and no clock runs where nothing is waited for."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kernel.clocked import in_time


@contextmanager
def told(limit: float) -> Iterator[tuple[list[float], "object"]]:
    asked = list[float]()

    def says() -> float:
        asked.append(limit)
        return limit

    yield asked, says


async def test_what_does_not_wait_is_not_timed() -> None:
    async def at_once() -> str:
        return "here"

    with told(0) as (asked, limit):
        assert await in_time(at_once(), limit) == "here"
    assert not asked


async def test_what_fails_at_once_fails_so() -> None:
    async def fails() -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        await in_time(fails(), lambda: 1)


async def test_what_waits_goes_on_to_its_answer() -> None:
    async def steps() -> int:
        loop, found = asyncio.get_running_loop(), 0
        for n in range(5):
            answer = loop.create_future()
            loop.call_soon(answer.set_result, n)
            found += await answer
            await asyncio.sleep(0)
        return found

    assert await in_time(steps(), lambda: 5) == 10


async def test_what_it_waits_for_may_fail_and_it_may_mend_that() -> None:
    async def mends() -> str:
        failed = asyncio.get_running_loop().create_future()
        failed.set_exception(ValueError("away"))
        try:
            await asyncio.sleep(0)
            await failed
        except ValueError as error:
            return str(error)
        return ""

    assert await in_time(mends(), lambda: 5) == "away"


async def test_a_limit_ends_it() -> None:
    ends = list[str]()

    async def waits() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ends.append("ended")

    with pytest.raises(TimeoutError):
        await in_time(waits(), lambda: 0.01)
    assert ends == ["ended"]


async def test_a_cancellation_reaches_it_and_is_no_timeout() -> None:
    begun, heard = asyncio.Event(), list[str]()

    async def waits() -> None:
        begun.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            heard.append("cancelled")
            await asyncio.sleep(0)
            raise

    task = asyncio.create_task(in_time(waits(), lambda: 30))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard == ["cancelled"]

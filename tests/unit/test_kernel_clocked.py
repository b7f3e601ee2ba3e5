"""The time limit: it is kept, and no clock runs where nothing is waited for."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from kernel.clocked import Clock


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
        assert await Clock().in_time(at_once(), limit) == "here"
    assert not asked


async def test_what_fails_at_once_fails_so() -> None:
    async def fails() -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        await Clock().in_time(fails(), lambda: 1)


async def test_what_waits_goes_on_to_its_answer() -> None:
    async def steps() -> int:
        loop, found = asyncio.get_running_loop(), 0
        for n in range(5):
            answer = loop.create_future()
            loop.call_soon(answer.set_result, n)
            found += await answer
            await asyncio.sleep(0)
        return found

    assert await Clock().in_time(steps(), lambda: 5) == 10


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

    assert await Clock().in_time(mends(), lambda: 5) == "away"


async def test_a_limit_ends_it() -> None:
    ends = list[str]()

    async def waits() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ends.append("ended")

    with pytest.raises(TimeoutError):
        await Clock().in_time(waits(), lambda: 0.01)
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

    task = asyncio.create_task(Clock().in_time(waits(), lambda: 30))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard == ["cancelled"]


async def test_of_many_limits_each_is_kept_and_one_timer_runs() -> None:
    clock, loop, ended = Clock(), asyncio.get_running_loop(), list[float]()

    async def waits(seconds: float) -> None:
        began = loop.time()
        with pytest.raises(TimeoutError):
            await clock.in_time(asyncio.sleep(30), lambda: seconds)
        ended.append(seconds)
        assert loop.time() - began > seconds - 0.002

    async def answers(seconds: float) -> None:
        await clock.in_time(asyncio.sleep(seconds), lambda: 30)

    limits = [0.05, 0.01, 0.03, 0.07]
    with timers(loop) as running:
        async with asyncio.TaskGroup() as group:
            for seconds in limits:
                group.create_task(waits(seconds))
                group.create_task(answers(seconds))
            await asyncio.sleep(0.005)
            assert sum(not timer.cancelled() for timer in running) == 1
    assert ended == sorted(limits)


async def test_what_does_not_hear_of_its_end_is_told_once_and_holds_up_nobody() -> None:
    clock, deaf = Clock(), asyncio.Event()

    async def hears_later() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await deaf.wait()

    late = asyncio.create_task(clock.in_time(hears_later(), lambda: 0.01))
    await asyncio.sleep(0.02)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await clock.in_time(asyncio.sleep(30), lambda: 0.01)
    assert not late.done()
    deaf.set()
    with pytest.raises(TimeoutError):
        await late


@contextmanager
def timers(loop: asyncio.AbstractEventLoop) -> Iterator[list[asyncio.TimerHandle]]:
    """The timers that are set to look after limits."""
    made, call_at = list[asyncio.TimerHandle](), loop.call_at

    def counts(when: float, callback: Any, *args: Any, **more: Any) -> asyncio.TimerHandle:
        timer = call_at(when, callback, *args, **more)
        if getattr(callback, "__self__", None).__class__ is Clock:
            made.append(timer)
        return timer

    with patch.object(loop, "call_at", counts):
        yield made

"""The time limit: it is kept, and no clock runs where nothing is waited for."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import uvloop

from kernel.clocked import Limits


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
        assert await Limits().in_time(at_once(), limit) == "here"
    assert not asked


async def test_what_fails_at_once_fails_so() -> None:
    async def fails() -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        await Limits().in_time(fails(), lambda: 1)


async def test_what_waits_goes_on_to_its_answer() -> None:
    async def steps() -> int:
        loop, found = asyncio.get_running_loop(), 0
        for n in range(5):
            answer = loop.create_future()
            loop.call_soon(answer.set_result, n)
            found += await answer
            await asyncio.sleep(0)
        return found

    assert await Limits().in_time(steps(), lambda: 5) == 10


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

    assert await Limits().in_time(mends(), lambda: 5) == "away"


async def test_a_limit_ends_it() -> None:
    ends = list[str]()

    async def waits() -> None:
        try:
            await asyncio.sleep(1)
        finally:
            ends.append("ended")

    with pytest.raises(TimeoutError):
        await Limits().in_time(waits(), lambda: 0.01)
    assert ends == ["ended"]


async def test_a_cancellation_reaches_it_and_is_no_timeout() -> None:
    begun, heard = asyncio.Event(), list[str]()

    async def waits() -> None:
        begun.set()
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            heard.append("cancelled")
            await asyncio.sleep(0)
            raise

    task = asyncio.create_task(Limits().in_time(waits(), lambda: 1))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard == ["cancelled"]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_of_many_limits_each_is_kept_and_one_timer_runs(run: Any) -> None:
    ended = list[float]()

    async def story() -> None:
        kept = Limits()

        async def waits(seconds: float) -> None:
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                await kept.in_time(asyncio.sleep(1), lambda: seconds)
            ended.append(seconds)
            assert time.monotonic() - began > seconds - 0.003

        async def answers(seconds: float) -> None:
            await kept.in_time(asyncio.sleep(seconds), lambda: 1)

        with timers() as running:
            async with asyncio.TaskGroup() as group:
                for seconds in limits:
                    group.create_task(waits(seconds))
                    group.create_task(answers(seconds))
                await asyncio.sleep(0)
                assert sum(not timer.cancelled() for timer in running) == 1
        assert not kept._ends

    limits = [0.2, 0.1, 0.15, 0.25]
    run(story())
    assert ended == sorted(limits)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_what_is_over_when_it_comes_ends_before_it_goes_on(run: Any) -> None:
    async def story() -> None:
        with pytest.raises(TimeoutError):
            await Limits().in_time(asyncio.sleep(0), lambda: 0)

    run(story())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_what_is_over_when_it_comes_ends_though_another_is_overdue(run: Any) -> None:
    async def story() -> None:
        kept = Limits()
        other = asyncio.create_task(kept.in_time(asyncio.sleep(1), lambda: 0.01))
        await asyncio.sleep(0)
        time.sleep(0.02)  # noqa: ASYNC251 - the loop stands still
        for late in (0, -1, 0):
            with pytest.raises(TimeoutError):
                await kept.in_time(asyncio.sleep(0), lambda late=late: late)
        with pytest.raises(TimeoutError):
            await other
        assert not kept._ends

    run(story())


async def test_a_limit_within_a_limit_is_refused() -> None:
    kept = Limits()
    inner = kept.in_time(asyncio.sleep(1), lambda: 1)

    async def outer() -> None:
        await asyncio.sleep(0)
        await inner

    with pytest.raises(AssertionError):
        await kept.in_time(outer(), lambda: 1)


async def test_a_look_after_what_has_answered_meanwhile_leaves_other_limits_as_they_are() -> None:
    kept = Limits()
    for _ in range(3):
        await kept.in_time(asyncio.sleep(0), lambda: 0.01)
        await asyncio.sleep(0.02)
    with pytest.raises(TimeoutError):
        await kept.in_time(asyncio.sleep(1), lambda: 0.01)


async def test_what_does_not_hear_of_its_end_is_told_once_and_holds_up_nobody() -> None:
    kept, deaf = Limits(), asyncio.Event()

    async def hears_later() -> None:
        try:
            await asyncio.sleep(1)
        finally:
            await deaf.wait()

    late = asyncio.create_task(kept.in_time(hears_later(), lambda: 0.01))
    await asyncio.sleep(0.02)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await kept.in_time(asyncio.sleep(1), lambda: 0.01)
    assert not late.done()
    deaf.set()
    with pytest.raises(TimeoutError):
        await late


async def test_who_is_told_of_an_end_is_nobody_who_was_cancelled_and_can_go_on() -> None:
    async def story() -> str:
        with pytest.raises(TimeoutError):
            await Limits().in_time(asyncio.sleep(1), lambda: 0.01)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0.01)
        return "here"

    assert await asyncio.create_task(story()) == "here"


async def test_what_answers_in_spite_of_its_end_is_heard() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            return "here"
        return "late"

    async def story() -> tuple[str, int]:
        answer = await Limits().in_time(stubborn(), lambda: 0.01)
        task = asyncio.current_task()
        assert task is not None
        return answer, task.cancelling()

    assert await asyncio.create_task(story()) == ("here", 0)


@pytest.mark.parametrize("first", ["limit", "cancel"])
async def test_where_a_limit_and_a_cancellation_meet_it_is_cancelled(first: str) -> None:
    kept = Limits()
    task = asyncio.create_task(kept.in_time(asyncio.sleep(1), lambda: 1))
    await asyncio.sleep(0)
    (running,) = kept._ends
    kept._ends[running] = 0
    loop = asyncio.get_running_loop()
    meet = [lambda: kept._look(loop), lambda: task.cancel()]
    for step in meet if first == "limit" else reversed(meet):
        step()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert not kept._ends


@contextmanager
def timers() -> Iterator[list[asyncio.TimerHandle]]:
    """The timers that are set to look after limits."""
    made, set_ = list[asyncio.TimerHandle](), Limits._set

    def sets(kept: Limits, loop: asyncio.AbstractEventLoop, when: float) -> None:
        set_(kept, loop, when)
        assert kept._timer is not None
        made.append(kept._timer)

    with patch.object(Limits, "_set", sets):
        yield made

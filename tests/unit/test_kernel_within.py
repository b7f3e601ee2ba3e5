"""A limit of time: what ends a block, and what is left behind."""

import asyncio

import pytest

from kernel.within import Within


def task() -> "asyncio.Task[None]":
    running = asyncio.current_task()
    assert running is not None
    return running


async def test_a_block_that_takes_too_long_ends_with_a_timeout_and_its_task_goes_on() -> None:
    for seconds in (0.0, 0.001):
        with pytest.raises(TimeoutError), Within(seconds):
            await asyncio.sleep(5)
        assert task().cancelling() == 0
        await asyncio.sleep(0)


async def test_a_block_that_ends_in_time_is_not_ended_later() -> None:
    with Within(0.005):
        await asyncio.sleep(0)
    await asyncio.sleep(0.02)
    with pytest.raises(KeyError), Within(0.005):
        raise KeyError("its own")
    await asyncio.sleep(0.02)


async def test_who_is_cancelled_is_cancelled_even_when_the_time_is_over() -> None:
    limit = Within(5.0)

    async def waits() -> None:
        with limit:
            await asyncio.sleep(5)

    for over in (False, True):
        waiting = asyncio.create_task(waits())
        await asyncio.sleep(0)
        waiting.cancel()
        if over:
            limit._end()  # in the same turn of the loop
        (answer,) = await asyncio.gather(waiting, return_exceptions=True)
        assert type(answer) is asyncio.CancelledError

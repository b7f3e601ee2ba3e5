"""Reading ahead: in order, one at most, and what fails fails in its turn."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kernel.ahead import one_ahead


async def test_one_is_made_ready_while_another_is_worked_on_and_no_more() -> None:
    made = list[int]()

    async def items() -> AsyncIterator[int]:
        for number in range(1, 6):
            made.append(number)
            yield number

    seen = list[int]()
    async for item in one_ahead(items()):
        await asyncio.sleep(0.01)
        seen.append(item)
        assert len(made) == min(item + 1, 5)
    assert seen == [1, 2, 3, 4, 5]


async def test_what_came_before_a_failure_is_handed_out() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        raise ArithmeticError("the second")

    ahead = one_ahead(items())
    assert await anext(ahead) == 1
    with pytest.raises(ArithmeticError):
        await anext(ahead)


async def test_who_leaves_in_the_middle_leaves_nothing_waiting() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    ahead = one_ahead(items())
    assert await anext(ahead) == 1
    await ahead.aclose()  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1

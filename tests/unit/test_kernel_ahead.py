"""Working through a stream: in order, what is ready together, never two at once, and what fails fails in its turn."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence

import pytest

from kernel.ahead import together


class Worker:
    """Doubles numbers. `share`: of how many at most it answers for at a time; it fails at `bad`, if that is the first."""

    def __init__(self, share: int = 9, bad: int = 0) -> None:
        self.given, self.busy = list[list[int]](), False
        self._share, self._bad = share, bad

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        assert not self.busy
        self.given.append(list(numbers))
        self.busy = True
        await asyncio.sleep(0.01)
        self.busy = False
        if numbers[0] == self._bad:
            raise ArithmeticError(self._bad)
        return [number * 2 for number in numbers[: self._share] if number != self._bad]


async def sent(numbers: Iterable[int], error: Exception | None = None) -> AsyncIterator[int]:
    for number in numbers:
        await asyncio.sleep(0)
        yield number
    if error is not None:
        raise error


async def told(done: AsyncIterator[int], seen: list[int]) -> None:
    async for number in done:
        seen.append(number)  # noqa: PERF401 - also what comes before a failure


async def test_what_came_meanwhile_is_worked_on_together_in_its_order() -> None:
    work = Worker()
    assert [n async for n in together(sent(range(1, 8)), work, 3)] == [2, 4, 6, 8, 10, 12, 14]
    assert work.given == [[1], [2, 3, 4], [5, 6, 7]]


async def test_what_was_not_answered_for_is_worked_on_again() -> None:
    work = Worker(share=1)
    assert [n async for n in together(sent(range(1, 5)), work, 2)] == [2, 4, 6, 8]
    assert work.given == [[1], [2, 3], [3], [4]]


async def test_no_more_is_taken_than_is_ready_to_be_worked_on() -> None:
    taken, go_on = list[int](), asyncio.Event()

    async def items() -> AsyncIterator[int]:
        for number in range(1, 100):
            taken.append(number)
            yield number

    async def work(numbers: Sequence[int]) -> Sequence[int]:
        await go_on.wait()
        return numbers

    done = together(items(), work, 3)
    first = asyncio.ensure_future(anext(done))
    await asyncio.sleep(0.01)
    assert len(taken) <= 3 + 3 + 1  # worked on, ready, in the hand
    go_on.set()
    assert await first == 1
    await done.aclose()  # type: ignore[attr-defined]


async def test_who_waits_for_an_answer_before_the_next_thing_gets_it() -> None:
    answered = asyncio.Event()

    async def items() -> AsyncIterator[int]:
        for number in range(1, 4):
            answered.clear()
            yield number
            await answered.wait()

    seen = list[int]()
    async with asyncio.timeout(5):
        async for number in together(items(), Worker(), 3):
            seen.append(number)
            answered.set()
    assert seen == [2, 4, 6]


async def test_work_that_fails_is_the_last() -> None:
    work, seen = Worker(bad=3), list[int]()
    with pytest.raises(ArithmeticError):
        await told(together(sent(range(1, 9)), work, 2), seen)
    assert seen == [2, 4]
    assert work.given == [[1], [2, 3], [3]]


async def test_what_came_before_a_failure_to_read_is_worked_on_and_told() -> None:
    work, seen = Worker(), list[int]()
    with pytest.raises(OSError, match="cut"):
        await told(together(sent(range(1, 4), OSError("cut")), work, 2), seen)
    assert seen == [2, 4, 6]


async def test_who_leaves_in_the_middle_leaves_nothing_waiting() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        yield 2
        await asyncio.Event().wait()

    done = together(items(), Worker(), 1)
    assert await anext(done) == 2
    await done.aclose()  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1

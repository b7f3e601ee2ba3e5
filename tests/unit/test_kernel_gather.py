"""Gathering: what waits together is answered together, each with its own answer."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import pytest

from kernel import gather
from kernel.errors import Overloaded, Stopping
from kernel.gather import Gatherer, LoopGatherer


class Desk:
    """Answers questions with their double once its door is open; keeps the groups that it saw."""

    def __init__(self) -> None:
        self.door, self.groups = threading.Event(), list[list[int]]()
        self.door.set()

    def __call__(self, questions: Sequence[int]) -> list[int | Exception]:
        self.door.wait(10)
        self.groups.append(list(questions))
        if 13 in questions:
            raise ArithmeticError("the whole group fails")
        return [ValueError(str(q)) if q < 0 else 2 * q for q in questions]


def by_thread(desk: Desk, **more: Any) -> Any:
    return Gatherer(desk, name="t", **more)


def in_the_loop(desk: Desk, **more: Any) -> Any:
    async def work(questions: Sequence[int]) -> list[int | Exception]:
        await asyncio.sleep(0)
        return await asyncio.to_thread(desk, questions)

    return LoopGatherer(work, **more)


Make = Callable[..., Any]


@pytest.fixture(params=[by_thread, in_the_loop])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


async def test_each_caller_gets_its_own_answer(make: Make) -> None:
    gatherer = make(Desk())
    answers = await asyncio.gather(*(gatherer.ask(n) for n in range(14, 100)))
    assert answers == [2 * n for n in range(14, 100)]
    await asyncio.to_thread(gatherer.close)


async def test_what_queued_meanwhile_is_answered_together(make: Make) -> None:
    desk = Desk()
    gatherer = make(desk, most=4)
    desk.door.clear()
    asked = [asyncio.ensure_future(gatherer.ask(n)) for n in range(11)]
    await asyncio.sleep(0.05)
    desk.door.set()
    await asyncio.gather(*asked)
    assert max(map(len, desk.groups)) == 4
    assert [n for group in desk.groups for n in group] == list(range(11))
    await asyncio.to_thread(gatherer.close)


async def test_an_exception_is_one_callers_or_the_groups(make: Make) -> None:
    gatherer = make(Desk())
    answers = await asyncio.gather(*map(gatherer.ask, (1, -1)), return_exceptions=True)
    assert answers[0] == 2
    assert isinstance(answers[1], ValueError)
    with pytest.raises(ArithmeticError):
        await gatherer.ask(13)
    assert await gatherer.ask(4) == 8  # the thread outlived it
    await asyncio.to_thread(gatherer.close)


async def test_a_full_queue_is_refused_at_once(make: Make) -> None:
    desk = Desk()
    gatherer = make(desk, most=1, waiting=3)
    desk.door.clear()
    asked = [asyncio.ensure_future(gatherer.ask(0))]
    await asyncio.sleep(0.05)  # the first is in work, three more wait
    asked += [asyncio.ensure_future(gatherer.ask(n)) for n in range(1, 4)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as wrong:
        await gatherer.ask(9)
    assert wrong.value.retry_after > 0
    desk.door.set()
    assert await asyncio.gather(*asked) == [0, 2, 4, 6]
    await asyncio.to_thread(gatherer.close)


async def test_what_would_be_answered_too_late_is_refused_instead_of_queued(
    monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    """The queue is as long as it is fast; a group's worth may wait however slow it is."""
    monkeypatch.setattr(gather, "PATIENCE", 0.1)
    desk = Desk()
    gatherer = make(desk, most=2, waiting=1000)
    assert gatherer.room == 1000
    for slow in range(1, 4):
        desk.door.clear()
        asked = asyncio.ensure_future(gatherer.ask(slow))
        await asyncio.sleep(0.06)
        desk.door.set()
        await asked
    await asyncio.sleep(0.01)
    assert 2 <= gatherer.room < 10
    desk.door.clear()
    asked_many = [asyncio.ensure_future(gatherer.ask(n)) for n in range(20)]
    await asyncio.sleep(0.02)
    refused = [one for one in asked_many if one.done()]
    assert len(refused) > 8
    assert all(isinstance(one.exception(), Overloaded) for one in refused)
    desk.door.set()
    answered = await asyncio.gather(*asked_many, return_exceptions=True)
    assert sum(isinstance(one, int) for one in answered) == 20 - len(refused)
    await asyncio.to_thread(gatherer.close)


async def test_as_many_may_wait_in_any_case_as_was_said(make: Make) -> None:
    """A watcher is not turned away because many others watch."""
    desk = Desk()
    gatherer = make(desk, most=2, least=30)
    gatherer._pace.took(5.0, 1)
    desk.door.clear()
    asked = [asyncio.ensure_future(gatherer.ask(n)) for n in range(14, 44)]
    await asyncio.sleep(0.02)
    desk.door.set()
    assert await asyncio.gather(*asked) == [2 * n for n in range(14, 44)]
    await asyncio.to_thread(gatherer.close)


async def test_a_caller_who_has_gone_harms_nobody(make: Make) -> None:
    desk = Desk()
    gatherer = make(desk)
    desk.door.clear()
    gone, stays = (asyncio.ensure_future(gatherer.ask(n)) for n in (1, 2))
    await asyncio.sleep(0.02)
    gone.cancel()
    desk.door.set()
    assert await stays == 4
    await asyncio.to_thread(gatherer.close)


async def test_closing_answers_what_is_queued(make: Make) -> None:
    desk = Desk()
    gatherer = make(desk, most=2)
    desk.door.clear()
    asked = [asyncio.ensure_future(gatherer.ask(n)) for n in range(7)]
    await asyncio.sleep(0.02)
    desk.door.set()
    await asyncio.to_thread(gatherer.close)
    assert await asyncio.gather(*asked) == [2 * n for n in range(7)]
    with pytest.raises(Stopping):
        await gatherer.ask(1)


async def test_those_who_wait_are_woken_after_the_answers(make: Make) -> None:
    woken: list[Any] = []
    gatherer = make(Desk(), after=lambda: woken.append(1))
    await gatherer.ask(1)
    await asyncio.sleep(0)
    assert woken == [1]
    await asyncio.to_thread(gatherer.close)


async def test_who_asks_alone_is_at_work_before_the_loop_turns() -> None:
    seen = list[int]()

    async def work(questions: Sequence[int]) -> Sequence[int]:
        seen.extend(questions)
        return questions

    gatherer: LoopGatherer[int, int] = LoopGatherer(work)
    for n in range(3):
        asked = gatherer.ask(n)
        if gather.AT_ONCE:
            with pytest.raises(StopIteration) as answered:
                asked.send(None)
            assert answered.value.value == n
        else:
            assert await asked == n
        assert seen.pop() == n


async def test_work_knows_nothing_of_the_caller_who_began_it() -> None:
    who, seen = ContextVar("who", default="nobody"), list[str]()

    async def work(questions: Sequence[int]) -> Sequence[int]:
        seen.append(who.get())
        return questions

    async def ask(n: int) -> None:
        who.set(f"caller {n}")
        await gatherer.ask(n)

    gatherer: LoopGatherer[int, int] = LoopGatherer(work, most=1)
    await asyncio.gather(*map(ask, range(3)))
    assert seen == ["nobody"] * 3


async def test_what_fails_behind_a_group_stops_no_other(make: Make) -> None:
    told, loop = list[Any](), asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, what: told.append(what["exception"]))

    def fail() -> None:
        raise ArithmeticError

    gatherer = make(Desk(), most=1, after=fail)
    assert await asyncio.gather(*map(gatherer.ask, range(3))) == [0, 2, 4]
    await asyncio.to_thread(gatherer.close)
    await asyncio.sleep(0)
    assert [type(one) for one in told] == [ArithmeticError] * 3


async def test_after_a_group_those_who_were_answered_may_ask_again_first() -> None:
    desk = Desk()
    gatherer = in_the_loop(desk)

    async def ask(n: int) -> None:
        await gatherer.ask(n)
        await gatherer.ask(10 * n)

    desk.door.clear()
    asked = [asyncio.ensure_future(ask(n)) for n in range(1, 6)]
    await asyncio.sleep(0.02)
    desk.door.set()
    await asyncio.gather(*asked)
    assert sorted(desk.groups[-1]) == [10, 20, 30, 40, 50]


@pytest.mark.parametrize(("come", "together"), [(2, True), (1, False)])
async def test_after_a_group_more_is_waited_for_until_half_as_many_have_come(
    monkeypatch: pytest.MonkeyPatch, come: int, *, together: bool
) -> None:
    monkeypatch.setattr(gather, "LINGER", 5.0 if together else 0.05)
    desk = Desk()
    gatherer = in_the_loop(desk, lingers=True)

    async def ask_late(n: int) -> None:
        await asyncio.sleep(0.02)
        await gatherer.ask(n)

    desk.door.clear()
    alone = asyncio.ensure_future(gatherer.ask(1))
    await asyncio.sleep(0.02)
    five = [asyncio.ensure_future(gatherer.ask(n)) for n in range(2, 7)]
    await asyncio.sleep(0.02)
    desk.door.set()
    await asyncio.gather(alone, *five)
    began = time.monotonic()
    await asyncio.gather(gatherer.ask(7), *map(ask_late, range(8, 7 + come)))
    assert desk.groups[2:] == [list(range(7, 7 + come))]
    assert time.monotonic() - began < 1
    await asyncio.to_thread(gatherer.close)


def test_who_closes_behind_the_loop_waits_for_nothing() -> None:
    async def story() -> Any:
        gatherer = in_the_loop(Desk())
        assert await gatherer.ask(1) == 2
        return gatherer

    gatherer = asyncio.run(story())
    gatherer.close()
    with pytest.raises(Stopping):
        asyncio.run(gatherer.ask(1))

"""Gathering: what waits together is answered together, each with its own answer."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from kernel import gather
from kernel.errors import Overloaded
from kernel.gather import Gatherer


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


async def test_each_caller_gets_its_own_answer() -> None:
    gatherer: Gatherer[int, int] = Gatherer(Desk(), name="t")
    answers = await asyncio.gather(*(gatherer.ask(n) for n in range(14, 100)))
    assert answers == [2 * n for n in range(14, 100)]
    gatherer.close()


async def test_what_queued_meanwhile_is_answered_together() -> None:
    desk = Desk()
    gatherer: Gatherer[int, int] = Gatherer(desk, name="t", most=4)
    desk.door.clear()
    asked = [asyncio.ensure_future(gatherer.ask(n)) for n in range(11)]
    await asyncio.sleep(0.05)
    desk.door.set()
    await asyncio.gather(*asked)
    assert max(map(len, desk.groups)) == 4
    assert [n for group in desk.groups for n in group] == list(range(11))
    gatherer.close()


async def test_an_exception_is_one_callers_or_the_groups() -> None:
    gatherer: Gatherer[int, int] = Gatherer(Desk(), name="t")
    answers = await asyncio.gather(*map(gatherer.ask, (1, -1)), return_exceptions=True)
    assert answers[0] == 2
    assert isinstance(answers[1], ValueError)
    with pytest.raises(ArithmeticError):
        await gatherer.ask(13)
    assert await gatherer.ask(4) == 8  # the thread outlived it
    gatherer.close()


async def test_a_full_queue_is_refused_at_once() -> None:
    desk = Desk()
    gatherer: Gatherer[int, int] = Gatherer(desk, name="t", most=1, waiting=3)
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
    gatherer.close()


async def test_what_would_be_answered_too_late_is_refused_instead_of_queued(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The queue is as long as it is fast; a group's worth may wait however slow it is."""
    monkeypatch.setattr(gather, "PATIENCE", 0.1)
    desk = Desk()
    gatherer: Gatherer[int, int] = Gatherer(desk, name="t", most=2, waiting=1000)
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
    gatherer.close()


async def test_as_many_may_wait_in_any_case_as_was_said() -> None:
    """A watcher is not turned away because many others watch."""
    desk = Desk()
    gatherer: Gatherer[int, int] = Gatherer(desk, name="t", most=2, least=30)
    gatherer._pace.took(5.0, 1)
    desk.door.clear()
    asked = [asyncio.ensure_future(gatherer.ask(n)) for n in range(14, 44)]
    await asyncio.sleep(0.02)
    desk.door.set()
    assert await asyncio.gather(*asked) == [2 * n for n in range(14, 44)]
    gatherer.close()


async def test_a_caller_who_has_gone_harms_nobody() -> None:
    desk = Desk()
    gatherer: Gatherer[int, int] = Gatherer(desk, name="t")
    desk.door.clear()
    gone, stays = (asyncio.ensure_future(gatherer.ask(n)) for n in (1, 2))
    await asyncio.sleep(0.02)
    gone.cancel()
    desk.door.set()
    assert await stays == 4
    gatherer.close()


async def test_closing_answers_what_is_queued() -> None:
    desk = Desk()
    gatherer: Gatherer[int, int] = Gatherer(desk, name="t", most=2)
    desk.door.clear()
    asked = [asyncio.ensure_future(gatherer.ask(n)) for n in range(7)]
    await asyncio.sleep(0.02)
    desk.door.set()
    await asyncio.to_thread(gatherer.close)
    assert await asyncio.gather(*asked) == [2 * n for n in range(7)]


async def test_those_who_wait_are_woken_after_the_answers() -> None:
    woken: list[Any] = []
    gatherer: Gatherer[int, int] = Gatherer(Desk(), name="t", after=lambda: woken.append(1))
    await gatherer.ask(1)
    await asyncio.sleep(0)
    assert woken == [1]
    gatherer.close()

"""The event loop's part, played step by step: coroutines that wait for a queue are answered together, in order.

The same code awaits here as in the service; what is left out is `kernel.gather`'s thread and asyncio's own loop.
"""

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any


@dataclass(frozen=True, slots=True)
class Queue:
    """Stands where a Gatherer stands: `work` takes many questions and returns as many answers."""

    work: Callable[[Sequence[Any]], Sequence[Any]]

    async def ask(self, question: Any) -> Any:
        return await Asked(self, question)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that waits for its answer."""

    queue: Queue
    question: Any

    def __await__(self) -> Generator["Asked", Any, Any]:
        return (yield self)


def together(calls: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Run coroutines to their ends; return what each returned, or the Exception that it raised."""
    try:
        return _run(calls)
    except BaseException as crash:
        for call in calls:
            _die(call, crash)
        raise


def _die(call: Coroutine[Any, Any, Any], crash: BaseException) -> None:
    """What waited for an answer dies with its process."""
    if inspect.getcoroutinestate(call) == inspect.CORO_SUSPENDED:
        with contextlib.suppress(BaseException):
            call.throw(crash)
    call.close()


def _run(calls: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    outcomes: list[Any] = [None] * len(calls)
    waiting = [(n, asked) for n in range(len(calls)) if (asked := _advance(calls, n, outcomes))]
    while waiting:
        queue = waiting[0][1].queue
        group = [(n, asked) for n, asked in waiting if asked.queue is queue]
        waiting = [(n, asked) for n, asked in waiting if asked.queue is not queue]
        answers = _answers(queue, [asked.question for _, asked in group])
        for (n, _), answer in zip(group, answers, strict=True):
            if more := _advance(calls, n, outcomes, answer):
                waiting.append((n, more))
    return outcomes


def _advance(
    calls: Sequence[Coroutine[Any, Any, Any]], n: int, outcomes: list[Any], answer: Any = None
) -> Asked | None:
    call = calls[n]
    try:
        asked = call.throw(answer) if isinstance(answer, Exception) else call.send(answer)
    except StopIteration as end:
        outcomes[n] = end.value
    except Exception as error:  # noqa: BLE001 - an outcome like another; a Crash is none
        outcomes[n] = error
    else:
        assert isinstance(asked, Asked), f"waits for {asked!r}, which nothing here answers"
        return asked
    return None


def _answers(queue: Queue, questions: list[Any]) -> Sequence[Any]:
    """As `Gatherer._answers`: an error is everybody's."""
    try:
        return queue.work(questions)
    except Exception as error:  # noqa: BLE001
        return [error] * len(questions)


def alone(call: Coroutine[Any, Any, Any]) -> Any:
    """Run one coroutine to its end and return what it returns, or raise what it raises."""
    (outcome,) = together([call])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def in_place(work: Callable[..., Any], *args: Any) -> Any:
    """Stands for `asyncio.to_thread`."""
    return work(*args)


def _threadsafe(call: Coroutine[Any, Any, Any], _loop: Any) -> Any:
    return SimpleNamespace(result=lambda: alone(call))


def _in_executor(_thread: Any, work: Callable[..., Any], *args: Any) -> Coroutine[Any, Any, Any]:
    return in_place(work, *args)


LOOP: Any = SimpleNamespace(
    to_thread=in_place,
    get_running_loop=lambda: SimpleNamespace(run_in_executor=_in_executor),
    run_coroutine_threadsafe=_threadsafe,
    CancelledError=asyncio.CancelledError,
)
"""What `kernel.consumer` and `kernel.room` see as asyncio."""

Ask = Callable[[str], Awaitable[Any]]

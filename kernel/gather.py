"""What queued while the last answer was being made is answered together: by one thread, or in the event loop."""

import asyncio
import contextvars
import queue
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from kernel.errors import Overloaded, Stopping
from kernel.front import AT_ONCE

Q = TypeVar("Q")
A = TypeVar("A")
LINGER = 0.001  # seconds; after a group of several, where not half as many have come meanwhile: a lone caller never waits for it
PATIENCE = 0.1  # seconds of work that may wait in the queue; what comes then is refused at once instead of late
FULL = 1000  # weight with which a group is done: a rare heavy question must not hold up all that are behind it
RECENT = 0.2  # weight of the newest group in what a question costs


@dataclass(slots=True)
class Waiting(Generic[Q, A]):
    question: Q
    answer: "asyncio.Future[A]"


class Pace:
    """How many may wait: as many as are answered in PATIENCE as things went lately, `least` in any case, `most` at most."""

    def __init__(self, least: int, most: int = 4096) -> None:
        self._least, self._most = least, most
        self._cost = 0.0  # seconds a question
        self.room = most

    def took(self, seconds: float, questions: int) -> None:
        self._cost += RECENT * (seconds / questions - self._cost)
        affordable = int(PATIENCE / self._cost) if self._cost else self._most
        self.room = min(self._most, max(self._least, affordable))


def settle(group: Sequence[Waiting[Q, A]], answers: Sequence[A | Exception]) -> None:
    """Give each its answer; called in the loop."""
    for waiting, answer in zip(group, answers, strict=True):
        if waiting.answer.done():  # the caller has gone
            continue
        if isinstance(answer, Exception):
            waiting.answer.set_exception(answer)
        else:
            waiting.answer.set_result(answer)


class Gathers(Generic[Q]):
    """What both have in common. Made in a running event loop, to which it belongs.

    `most`: questions answered together; fewer where they `weigh` FULL. `waiting`: how many may queue at most; fewer where
    they would take longer than PATIENCE, `least` (a group's worth) in any case.
    `after`: called in the loop when answers are there.
    """

    def __init__(
        self,
        *,
        most: int = 256,
        weigh: Callable[[Q], int] = lambda _: 1,
        least: int = 0,
        waiting: int = 4096,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._most, self._weigh, self._after = most, weigh, after
        self._pace, self._loop = Pace(least or most, waiting), asyncio.get_running_loop()
        self._closed = False

    @property
    def room(self) -> int:
        """How many may queue as fast as they are answered now: a group's worth in any case, for one commit carries it."""
        return self._pace.room


class Gatherer(Gathers[Q], Generic[Q, A]):
    """`work` takes many questions and returns as many answers, each a value or an exception, in a thread of this `name`."""

    def __init__(
        self, work: Callable[[Sequence[Q]], Sequence[A | Exception]], *, name: str, **said: Any
    ) -> None:
        super().__init__(**said)
        self._work, self._door = work, threading.Lock()
        self._queue: queue.SimpleQueue[Waiting[Q, A] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def ask(self, question: Q) -> A:
        """Return the answer, or raise it when it is an exception. Raises Overloaded, Stopping."""
        if self._queue.qsize() >= self.room:
            raise Overloaded.now()
        answer: asyncio.Future[A] = self._loop.create_future()
        with self._door:
            if self._closed:
                raise Stopping.now()
            self._queue.put(Waiting(question, answer))
        return await answer

    def close(self) -> None:
        """Answer what is queued, then end: whoever asks later is refused, for nobody would answer."""
        with self._door:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        last = 1
        while (first := self._queue.get()) is not None:
            if self._queue.qsize() < last // 2:
                time.sleep(LINGER)  # gives the interpreter to the loop, which has more to hand over
            group = self._grouped(first)
            last = len(group)
            began = time.monotonic()
            answers = self._answers([waiting.question for waiting in group])
            self._pace.took(time.monotonic() - began, len(group))
            self._loop.call_soon_threadsafe(self._settle, group, answers)

    def _grouped(self, first: Waiting[Q, A]) -> list[Waiting[Q, A]]:
        group, weight = [first], self._weigh(first.question)
        while len(group) < self._most and weight < FULL and not self._queue.empty():
            waiting = self._queue.get()
            if waiting is None:
                self._queue.put(None)  # for the loop in `_run` to see
                break
            group.append(waiting)
            weight += self._weigh(waiting.question)
        return group

    def _answers(self, questions: list[Q]) -> Sequence[A | Exception]:
        try:
            return self._work(questions)
        except Exception as error:  # noqa: BLE001 - the thread must outlive what it was asked
            return [error] * len(questions)

    def _settle(self, group: list[Waiting[Q, A]], answers: Sequence[A | Exception]) -> None:
        settle(group, answers)
        self._after()


class LoopGatherer(Gathers[Q], Generic[Q, A]):
    """The same in the event loop, where `work` is awaited: no thread has to be woken, and none to hand its answers over.

    `lingers`: whether more is waited for after a group of several, as the thread does.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Q]], Awaitable[Sequence[A | Exception]]],
        *,
        lingers: bool = False,
        **said: Any,
    ) -> None:
        super().__init__(**said)
        self._work, self._lingers = work, lingers
        self._queue, self._last = deque[Waiting[Q, A]](), 1
        self._enough = asyncio.Event()  # have come, of those that are waited for
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """Return the answer, or raise it when it is an exception. Raises Overloaded, Stopping."""
        if self._closed:
            raise Stopping.now()
        if len(self._queue) >= self.room:
            raise Overloaded.now()
        answer: asyncio.Future[A] = self._loop.create_future()
        self._queue.append(Waiting(question, answer))
        if self._lingers and not self._few:
            self._enough.set()
        if self._task is None or self._task.done():
            of_nobody = contextvars.Context()  # not of the caller who happens to begin
            self._task = asyncio.Task(self._run(), loop=self._loop, context=of_nobody, **AT_ONCE)
        return await answer

    def close(self) -> None:
        """Answer what is queued, then end. Waits for the loop, where it runs: to be called in another thread."""
        if self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._closed = True  # whoever waited has ended with the loop

    async def _end(self) -> None:
        self._closed = True
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while self._queue:
            if self._last > 1:
                await asyncio.sleep(0)  # those who were answered go on first, and may ask again
                if self._lingers and self._few:
                    await self._more()
            group = self._grouped()
            self._last = len(group)
            began = time.monotonic()
            answers = await self._answers([waiting.question for waiting in group])
            self._pace.took(time.monotonic() - began, len(group))
            settle(group, answers)
            self._loop.call_soon(self._after)

    @property
    def _few(self) -> bool:
        """Tell whether not half as many wait as were in the last group."""
        return len(self._queue) < self._last // 2

    async def _more(self) -> None:
        """Wait for more, for LINGER at most."""
        self._enough.clear()
        late = self._loop.call_later(LINGER, self._enough.set)
        await self._enough.wait()
        late.cancel()

    def _grouped(self) -> list[Waiting[Q, A]]:
        group, weight = list[Waiting[Q, A]](), 0
        while self._queue and len(group) < self._most and weight < FULL:
            group.append(self._queue.popleft())
            weight += self._weigh(group[-1].question)
        return group

    async def _answers(self, questions: list[Q]) -> Sequence[A | Exception]:
        try:
            return await self._work(questions)
        except Exception as error:  # noqa: BLE001 - those who ask next are to be answered
            return [error] * len(questions)

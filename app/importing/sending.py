"""An Import call over a client: what was answered, row by row, and what it comes to."""

import queue
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from app.importing.problems import Refusal
from luoshu.client.errors import Overloaded, Unavailable
from luoshu.journal.v1 import journal_pb2

UNDER_WAY = 6
"""Messages sent and not yet answered: three are written while three are made ready; more would only lie in buffers."""
TRIES = 5
ENTERED = journal_pb2.IMPORT_OUTCOME_ENTERED
PRESENT = journal_pb2.IMPORT_OUTCOME_ALREADY_PRESENT


@dataclass
class Summary:
    """What became of the rows: `entered + present + refused` is their number."""

    entered: int = 0
    present: int = 0
    refused_lines: set[int] = field(default_factory=set)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def refused(self) -> int:
        return len(self.refused_lines)

    @property
    def rows(self) -> int:
        return self.entered + self.present + self.refused

    def refuse(self, refusal: Refusal) -> None:
        """Count a row as refused, once, with one more reason."""
        self.refused_lines.add(refusal.line)
        self.refusals.append(refusal)

    def answer(self, result: Any, column: Callable[[str], str]) -> None:
        """Count one row's answer."""
        self.entered += result.outcome == ENTERED
        self.present += result.outcome == PRESENT
        if result.outcome in (ENTERED, PRESENT):
            return
        self.refused_lines.add(result.line)
        for p in result.problems:
            where = (column(p.field), p.field)
            self.refusals.append(Refusal(result.line, *where, p.code, p.text_en, p.text_zh))


class Sender:
    """Sends messages one behind the other, and those that got no answer again: the same row never
    enters twice.
    """

    def __init__(self, call: Callable[..., Any], *, timeout: float, sleep: Callable[[float], None]):
        self._call, self._timeout, self._sleep = call, timeout, sleep
        self._unanswered: deque[Any] = deque()

    def send(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield the answers in the order of the messages.

        Raises LuoshuError where trying again does not help.
        """
        failures = 0
        while True:
            try:
                for answer in self._stream(batches):
                    failures = 0
                    yield answer
            except (Unavailable, Overloaded) as error:
                failures += 1
                if failures >= TRIES:
                    raise
                self._sleep(error.retry_after or 0.2 * 2**failures)
            else:
                return

    def _stream(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Open one stream: first what an earlier one left unanswered, then the next messages, a few
        ahead of the answers.
        """
        outgoing: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for batch in self._unanswered:
            outgoing.put(batch)
        for _ in range(UNDER_WAY - len(self._unanswered)):
            self._put_next(batches, outgoing)
        if not self._unanswered:
            return
        answers = self._call(iter(outgoing.get, None), timeout=self._timeout)
        try:
            for answer in answers:
                self._unanswered.popleft()
                yield answer
                self._put_next(batches, outgoing)
                if not self._unanswered:
                    outgoing.put(None)
        finally:
            outgoing.put(None)
            answers.cancel()
        if self._unanswered:
            raise Unavailable("the answers ended early", "应答提前结束")

    def _put_next(self, batches: Iterator[Any], outgoing: Any) -> None:
        batch = next(batches, None)
        if batch is not None:
            self._unanswered.append(batch)
            outgoing.put(batch)

"""When a call may be sent again, and after how long."""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import Message

from luoshu.client.errors import LuoshuError, Overloaded, Unavailable

READS = ("Get", "List", "Search", "Query", "Read", "Verify", "Compare", "Check")
"""Beginnings of the names of RPCs that change nothing."""


def is_repeatable(method: str, request: Message) -> bool:
    """Tell whether sending the call twice does no more than sending it once."""
    verb = method.rsplit("/", 1)[-1]
    return verb.startswith(READS) or bool(getattr(request, "request_id", ""))


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first` to `longest` (seconds), with full jitter.

    As many as the deadline leaves room for, and none that ends more than `patience` after the call.
    """

    first: float = 0.05
    longest: float = 2.0
    patience: float = math.inf
    random: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def wait(self, error: LuoshuError, attempt: int) -> float | None:
        """Return the seconds to wait after attempt 0, 1, …; None when waiting cannot help."""
        if isinstance(error, Overloaded):
            hint = error.retry_after
            return None if hint is None else hint * (1 + self.random() / 4)
        if not isinstance(error, Unavailable):
            return None
        ceiling = min(self.longest, self.first * 2.0 ** min(attempt, 16))
        return (error.retry_after or 0.0) + ceiling * self.random()

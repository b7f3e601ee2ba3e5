"""What the code under test sees of the outside world while a simulation runs: loop, time, randomness, log."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from kernel import consumer, personal, relay, room, writer
from services.audit import sealing
from tests.sim.together import LOOP


class Silent:
    """A log that nobody reads."""

    def warning(self, _event: str, **_said: Any) -> None: ...

    info = error = warning


@contextmanager
def simulated(
    random: Random, monotonic: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[None]:
    """Within it the kernel's waiting, sleeping and drawing are the simulation's. Not for two threads at once."""
    silent = Silent()
    names: tuple[tuple[Any, str, Any], ...] = (
        (consumer, "asyncio", LOOP),
        (consumer, "time", SimpleNamespace(monotonic=monotonic)),
        (consumer, "log", silent),
        (relay, "asyncio", LOOP),
        (relay, "log", silent),
        (room, "asyncio", LOOP),
        (sealing, "asyncio", LOOP),
        (writer, "time", SimpleNamespace(sleep=sleep)),
        (writer, "log", silent),
        (personal, "secrets", SimpleNamespace(token_bytes=random.randbytes)),
    )
    with ExitStack() as stack:
        for module, name, value in names:
            stack.enter_context(patch.object(module, name, value))
        yield

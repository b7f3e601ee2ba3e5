"""What the code under test sees of the outside world while a simulation runs: loop, time, randomness, log."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from kernel import (
    commands,
    consumer,
    database,
    decide,
    personal,
    relay,
    room,
    servicer,
    turns,
    writer,
)
from services.audit import sealing
from tests.sim.together import LOOP

MINE = "simulated"
"""How the names of a simulation's own threads begin, but for the one that plays it."""


class Seen:
    """A module as the simulation's threads see it. A server that another test left at work goes on with the real one."""

    def __init__(self, simulated: Any, real: Any) -> None:
        self._simulated, self._real, self._player = simulated, real, threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        here = threading.current_thread()
        mine = here.ident == self._player or here.name.startswith(MINE)
        return getattr(self._simulated if mine else self._real, name)


class Silent:
    """A log that nobody reads."""

    def warning(self, _event: str, **_said: Any) -> None: ...

    info = error = warning


async def together(items: Any, work: Callable[..., Any], most: int) -> AsyncIterator[Any]:
    """As `kernel.ahead.together`, where everything has come before the first is worked on: there is no loop to wait in."""
    ready, failure = list[Any](), None
    try:
        async for item in items:
            ready.append(item)
    except Exception as error:  # noqa: BLE001 - raised in its turn
        failure = error
    while ready:
        done = await work(ready[:most])
        for one in done:
            yield one
        ready = ready[len(done) :]
    if failure is not None:
        raise failure


@contextmanager
def simulated(
    random: Random, monotonic: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[None]:
    """Within it the kernel's waiting, sleeping and drawing are the simulation's. Not for two threads at once."""
    silent = Silent()
    secrets = SimpleNamespace(
        token_bytes=random.randbytes, token_hex=lambda count: random.randbytes(count).hex()
    )
    clock = SimpleNamespace(monotonic=monotonic, time_ns=lambda: int(monotonic() * 1e9))
    names: tuple[tuple[Any, str, Any], ...] = (
        (consumer, "asyncio", LOOP),
        (consumer, "time", clock),
        (consumer, "log", silent),
        (relay, "asyncio", LOOP),
        (relay, "log", silent),
        (room, "asyncio", LOOP),
        (sealing, "asyncio", LOOP),
        (turns, "asyncio", LOOP),
        (database, "time", SimpleNamespace(sleep=sleep)),
        (writer, "log", silent),
        (personal, "secrets", secrets),
        (commands, "secrets", secrets),
        (commands, "time", clock),
        (decide, "time", clock),
    )
    with ExitStack() as stack:
        for module, name, value in names:
            seen = Seen(value, getattr(module, name))
            stack.enter_context(patch.object(module, name, seen))
        stack.enter_context(patch.object(servicer, "together", together))
        stack.enter_context(
            patch.object(commands, "_AHEAD", [])
        )  # what was drawn before is no seed's
        yield

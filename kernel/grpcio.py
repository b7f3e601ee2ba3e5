"""grpcio's server, and a straight way from its events to the handlers.

grpcio has two servers of its own, for threads and for asyncio. Both stand on what is used here (`grpc._cython.cygrpc`): calls as
events of a queue. The one for asyncio answers a call with three tasks, five futures and a pipe: three quarters of what an empty
one costs. Here a call begins in the very callback that brings its request, and many a read has ended before that returns (Python
3.12 and newer).
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from grpc._cython import cygrpc  # type: ignore[attr-defined] # the package's types leave it out

from kernel.call import Call
from kernel.front import Front, Options

log = structlog.get_logger(__name__)

ASKED = 16  # calls that may come before the loop looks
EVENTS = 32  # looked at in one turn of the loop
LOOKS = 4  # in vain, before a thread waits: what was just sent is told at once, and the thread would tell it two wake-ups later
TICK = 0.01  # seconds between two looks whether calls are under way still
LAST = 5.0  # seconds in which what was cancelled ends
PAST = 0.0  # when it is over to wait: there is an event now, or none
THREAD = "grpc-events"
HAPPENED = cygrpc.CompletionType.operation_complete


class Server(Front):
    """Serves on one address, without TLS, for the running loop.

    `calls`: those under way. `closed`: every connection has ended; calls that are still held are to cause nothing more.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.loop = asyncio.get_running_loop()
        self.calls = set[Call]()
        self.closed = False
        self._methods: dict[bytes, Any] = {}
        self._queue = cygrpc.CompletionQueue()
        self._core = cygrpc.Server(tuple(options), False)
        self._core.register_completion_queue(self._queue)
        self._waits = threading.Thread(target=self._wait, name=THREAD, daemon=True)
        self._looks = 0
        self._turn = threading.Lock()
        self._turn.acquire()
        self._started = self._stopping = False

    def add(self, service: str, methods: Mapping[str, Any]) -> None:
        """Add a service's handlers to a server that has not started."""
        self._methods |= {f"/{service}/{name}".encode(): code for name, code in methods.items()}

    add_registered_method_handlers = add

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Do nothing: what generated code adds in this way, it adds by name as well."""

    def add_insecure_port(self, address: str) -> int:
        """Listen; return the port. Raises RuntimeError: it cannot."""
        port = self._core.add_http2_port(address.encode(), None)
        if not port:
            raise RuntimeError(f"cannot listen at {address}")
        return int(port)

    async def start(self) -> None:
        self._started = True
        self._core.start()
        for _ in range(ASKED):
            self._ask()
        self._waits.start()

    async def stop(self, grace: float | None) -> None:
        """Refuse new calls, and let those under way end for `grace` seconds; what does not is cancelled.

        gRPC says of an answer that it has taken it. That it has gone out is told by its connection, which ends behind it.
        """
        if self._started and not self.closed:
            until = self.loop.time() + (grace or 0.0)
            if not self._stopping:
                self._stopping = True
                self._core.shutdown(self._queue, self._shut)
            await self._emptied(until)
            if await self.wait_for_termination(max(0.0, until - self.loop.time())):
                self._core.cancel_all_calls()
                await self._emptied(self.loop.time() + LAST)
            if not await self.wait_for_termination(LAST):
                await asyncio.to_thread(self._waits.join, LAST)
        self._terminated.set()

    async def _emptied(self, until: float) -> None:
        """Wait until no call is under way, or the loop's clock says so."""
        while self.loop.time() < until:
            await asyncio.sleep(TICK)
            if not self.calls:
                return

    def _shut(self, _: Any) -> None:
        self.closed = True
        self._core.destroy()
        self._queue.shutdown()
        self._terminated.set()

    # From the queue to the calls. As long as there are events the loop looks itself; a thread waits where there are none.

    def _wait(self) -> None:
        while (event := self._queue.poll(None)).completion_type == HAPPENED:  # else it was shut
            if Call.is_quiet(event):
                self._take(event)
                del event  # it may hold a call, which does not end as long as it is held
                continue
            try:
                self.loop.call_soon_threadsafe(self._look, event)
            except RuntimeError:  # the loop was closed, and the server not stopped
                return
            del event
            self._turn.acquire()

    def _look(self, event: Any = None) -> None:
        for _ in range(EVENTS):
            event = event or self._queue.poll(PAST)
            if event.completion_type != HAPPENED:
                if not self._looks:
                    self._turn.release()
                    return
                self._looks -= 1
                break
            if len(self.calls) > 1 or Call.is_streams(event):
                self._looks = LOOKS
            self._take(event)
            event = None
        self.loop.call_soon(self._look)

    def _take(self, event: Any) -> None:
        try:
            event.tag(event)
        except Exception as error:  # noqa: BLE001 - one call's, and others wait
            log.error("event_lost", error=type(error).__name__)

    def _ask(self) -> None:
        self._core.request_call(self._queue, self._queue, self._called)

    def _called(self, event: Any) -> None:
        if not event.success:  # the server stops
            return
        if not self._stopping:
            self._ask()
        Call(self, event, self._methods.get(event.call_details.method)).begin()

"""The address at which a process answers, and a new server there when gRPC's own has given up."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import structlog

from app.settings import SettingsError
from kernel import metrics

log = structlog.get_logger(__name__)

LOOK = 0.5  # seconds between two looks whether the server goes on
TRIES, PAUSE = 50, 0.1  # for an address that was in use a moment ago; seconds between two


class Listener:
    """`make`: returns a server that has not started. `bind`: makes it listen at an address, and returns the port.

    A request whose path is no UTF-8 ends the main loop of grpc.aio, and with it the server: everybody's calls are cut off, what
    they asked for is settled by their request ids, and the next connection finds the server that takes its place.
    """

    _server: Any

    def __init__(self, make: Callable[[], Any], bind: Callable[[Any, str], int]) -> None:
        self._make, self._bind, self._address = make, bind, ""

    async def start(self, address: str) -> int:
        """Answer at an address; return its port. Raises SettingsError: it cannot be had."""
        self._server = self._make()
        port = self._bind(self._server, address)
        self._address = f"{address.rpartition(':')[0]}:{port}"
        await self._server.start()
        return port

    async def keep(self) -> None:
        """Answer there until the process stops, whatever becomes of the server."""
        while await self._failed():
            metrics.SERVERS_FAILED.inc()
            if not await self._again():
                log.error("server_lost", address=self._address)
                signal.raise_signal(signal.SIGTERM)  # whoever watches the process starts it again
                return

    async def _failed(self) -> bool:
        """Wait for the server's end; tell whether it was its own. Then its calls are ended: it would wait for them."""
        try:
            while await self._server.wait_for_termination(LOOK):
                pass
        except Exception as error:  # noqa: BLE001 - whatever ended it, another takes its place
            log.error("server_failed", error=type(error).__name__)
            await self._server.stop(None)
            return True
        return False

    async def _again(self) -> bool:
        for _ in range(TRIES):
            try:
                await self.start(self._address)
            except SettingsError:
                await asyncio.sleep(PAUSE)
            else:
                return True
        return False

    async def stop(self, grace: float) -> None:
        await self._server.stop(grace)

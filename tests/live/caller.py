"""A caller who repeats what got no answer, and writes down every question and every answer before going on."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from services.platforms.store import PLATFORMS
from tests import invariants
from tests.flow.province import APPLICANT, platform
from tests.flow.separate import ClientJournal, Separate

UNKNOWN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
PATIENCE = 90.0  # seconds until a change that is repeated has to be settled


@dataclass
class Caller:
    """Creates platforms one after another; each is repeated with its request id until its outcome is known."""

    service: Separate
    journal: ClientJournal
    back: Callable[[], object] = lambda: (
        None
    )  # called between two tries: starts again what has died
    number: int = 0
    unknown: int = 0

    def create(self, count: int) -> None:
        for _ in range(count):
            self.number += 1
            request_id = f"io-{self.number}"
            self.journal.asked(request_id)
            self.journal.answered({request_id: self._settled(request_id)})

    def _settled(self, request_id: str) -> str:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self._asked(request_id)
            except grpc.RpcError as error:
                if error.code() not in UNKNOWN or time.monotonic() > end:
                    raise
            self.unknown += 1
            time.sleep(0.1)
            self.back()

    def _asked(self, request_id: str) -> str:
        said: Mapping[str, Any] = {
            "platform": platform(f"平台 {request_id}"),
            "platform_id": f"synced-{request_id.removeprefix('io-')}",
            "request_id": request_id,
        }
        return str(self.service.call("CreatePlatform", APPLICANT, timeout=10, **said).name)

    def refused(self) -> grpc.StatusCode:
        """Return how the next change is answered; it is asked for again later."""
        try:
            self._asked(f"io-{self.number + 1}")
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    def fill(self, most: int = 20_000) -> None:
        """Create until a change is not done; it is asked for again later."""
        for _ in range(most):
            request_id = f"io-{self.number + 1}"
            self.journal.asked(request_id)
            try:
                name = self._asked(request_id)
            except grpc.RpcError as error:
                if error.code() not in UNKNOWN:
                    raise
                return
            self.number += 1
            self.journal.answered({request_id: name})
        raise AssertionError(f"it took all {most}")

    def demand(self, url: str) -> None:
        found = invariants.demand_sound(url, PLATFORMS)
        assert self.journal.unanswered() == []
        invariants.demand_effects(found.lines, self.journal.acknowledged())
        assert len(found.rows) == self.number

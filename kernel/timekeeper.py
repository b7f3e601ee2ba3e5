"""Lets happen what is due: each deadline once, through crashes and whoever else is looking."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
import structlog
from google.protobuf.message_factory import GetMessageClass

from kernel.case import Caller, Role
from kernel.consumer import TRANSIENT
from kernel.dates import business_date
from kernel.deadline import Due
from kernel.errors import DomainError
from kernel.outcome import Clock, Command
from kernel.registry import rpc_name
from kernel.room import Room
from kernel.writer import Work

log = structlog.get_logger(__name__)

MOST = 200  # of one commit


@dataclass(slots=True)
class Timekeeper:
    """Of one service. A deadline's row lies in the transaction that its record was decided in, and goes with the decision that it
    leads to; the request id follows from it. So a crash repeats it, and of two processes the second gets the first's answer.
    """

    room: Room
    clock: Clock
    _refused: set[Due] = field(default_factory=set)
    _counted: str = ""

    async def look(self) -> None:
        """Count days anew where the calendar is another one, then let happen what is due."""
        if self._counted != self.room.pack.version:
            await self._recount()
            self._counted = self.room.pack.version
        await self._fire()

    async def _fire(self) -> None:
        today = business_date(self.clock()).isoformat()
        most = MOST + len(self._refused)
        found = await self.room.read(self.room.store.due, today, most)
        due = [d for d in found if d not in self._refused]
        await self._do([self._command(d.record, d.action, d.key, d.day) for d in due], due)

    async def _recount(self) -> None:
        """A year's days off were announced, or corrected: what was counted through it is counted again."""
        records = await self.room.read(self.room.store.timed)
        for first in range(0, len(records), MOST):
            names = records[first : first + MOST]
            await self._do(list(await self.room.read(self._outdated, names)), [])

    def _outdated(self, tx: sa.Connection, names: Sequence[str]) -> list[Command]:
        return list(self._recounts(tx, names))

    def _recounts(self, tx: sa.Connection, names: Sequence[str]) -> Iterator[Command]:
        for name, held in self.room.store.held(tx, names).items():
            outdated = self.room.service.resource_of(name).lifecycle.outdated
            if held and outdated and outdated(held.message, self.room.pack):
                version = self.room.pack.version[:16]
                yield self._command(name, "reschedule", version, str(held.revisions))

    async def _do(self, commands: Sequence[Command], due: Sequence[Due]) -> None:
        """What is refused stays due, and is tried again after a restart: it is a rule's mistake, or the pack's.

        Raises what passes, such as Unsettled: the next look repeats it.
        """
        if not commands:
            return
        outcomes = await self.room.write(Work(tuple(commands)))
        for number, (command, outcome) in enumerate(zip(commands, outcomes, strict=True)):
            if isinstance(outcome, TRANSIENT):
                raise outcome
            if isinstance(outcome, Exception):
                code = outcome.code if isinstance(outcome, DomainError) else type(outcome).__name__
                log.warning(
                    "deadline_refused", record=command.name, action=command.action, code=code
                )
                self._refused.update(due[number : number + 1])

    def _command(self, record: str, action: str, key: str, said: str) -> Command:
        request_id = f"deadline~{record}~{action}~{key}~{said}"
        caller = Caller(self.room.service.name, "SYSTEM", frozenset({Role.SYSTEM}))
        request = self._request(record, action)
        request.name, request.key = record, key
        return Command(action, record, request, request_id, request_id.encode(), caller)

    def _request(self, record: str, action: str) -> Any:
        noun = self.room.service.resource_of(record).noun
        method = self.room.service.contract.methods_by_name[rpc_name(action, noun)]
        return GetMessageClass(method.input_type)()

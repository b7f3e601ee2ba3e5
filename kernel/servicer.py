"""What every registry answers alike, and how its contract's RPCs find their code."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from google.protobuf.message_factory import GetMessageClass

from kernel import metrics
from kernel.access import reading
from kernel.ahead import together
from kernel.case import Caller, Role
from kernel.errors import DomainError, Hidden, Invalid, NotFound, Problem, Violated
from kernel.history import History, Moment, Past, moment_of
from kernel.lists import question_of
from kernel.outcome import Command, Outcome, Settled
from kernel.pages import size_of
from kernel.personal import commitments, conceal, names_persons
from kernel.registry import Resource, delimited, rpc_name
from kernel.rights import (
    Standing,
    allowed,
    demand_role,
    may_see,
    may_see_past,
    may_see_persons,
    sees_all,
    standing_of,
)
from kernel.room import Room, accepted, refusal
from kernel.rpc import Behaviour, Rows
from kernel.store import Found
from kernel.writer import Work
from luoshu.journal.v1 import journal_pb2

NEWEST = 2**62
TOGETHER = 6  # messages of an import that are written at once, where nobody else waits: more are faster, and hold more memory
ENTERED = journal_pb2.IMPORT_OUTCOME_ENTERED
ALREADY_PRESENT = journal_pb2.IMPORT_OUTCOME_ALREADY_PRESENT


class Prepared(NamedTuple):
    """A message of an import. By the row's index: the commands to be decided, and what is refused as it stands."""

    rows: Sequence[Any]
    commands: dict[int, Command]
    refused: dict[int, Outcome]


class Servicer:
    """The common RPCs of one resource, and its lifecycle's actions."""

    def __init__(self, room: Room, resource: Resource) -> None:
        self._room, self._resource = room, resource
        self._history = History(room.store.tables, postgres=room.store.postgres)

    def behaviours(self) -> dict[str, Behaviour]:
        """Return the code of each RPC of the resource that the contract has."""
        noun, plural = self._resource.noun, self._resource.plural
        common: dict[str, Behaviour] = {
            f"Create{noun}": self.create,
            f"Get{noun}": self.get,
            f"List{plural}": self.list_,
            f"Update{noun}": self.update,
            f"BatchCreate{plural}": self.batch_create,
            f"Import{plural}": self.import_,
            f"Watch{plural}": self.watch,
            f"List{noun}Revisions": self.revisions,
        }
        contract = {method.name for method in self._room.service.contract.methods}
        actions = {
            rpc_name(action, noun): partial(self.act, action)
            for action in self._resource.lifecycle.actions
            if action != "update"
        }
        return {name: code for name, code in common.items() if name in contract} | actions

    # Changing.

    async def create(self, request: Any, caller: Caller) -> Any:
        command = self._room.commands.create(self._resource, request, caller)
        return await self._settled(command, caller)

    async def update(self, request: Any, caller: Caller) -> Any:
        command = self._room.commands.update(self._resource, request, caller)
        return await self._settled(command, caller)

    async def act(self, action: str, request: Any, caller: Caller) -> Any:
        command = self._room.commands.act(action, request, caller)
        return await self._settled(command, caller)

    async def batch_create(self, request: Any, caller: Caller) -> bytes:
        """All or nothing: the first refusal, told with its index, is the whole request's."""
        commands = self._room.commands.batch(self._resource, request, caller)
        settled = accepted(await self._room.write(Work(commands, atomic=True)))
        bodies = await self._shown(settled, caller, request.validate_only)
        fields = self._answer(f"BatchCreate{self._resource.plural}").DESCRIPTOR.fields_by_name
        number = fields[self._resource.collection].number
        return b"".join([delimited(number, body) for body in bodies])

    async def _settled(self, command: Command, caller: Caller) -> bytes:
        settled = await self._room.settle(command)
        (body,) = await self._shown([settled], caller, command.validate_only)
        return body

    async def import_(self, messages: AsyncIterator[Rows], caller: Caller) -> AsyncIterator[Any]:
        """One answer a row, in the order of the rows. Messages that come while others are written are made ready, and are
        then written together.
        """
        demand_role(caller, (Role.IMPORTER,), "import")
        prepared = (self._prepared(message, caller) async for message in messages)
        async for answer in together(prepared, self._entered, TOGETHER):
            yield answer

    async def _entered(self, messages: Sequence[Prepared]) -> list[Any]:
        """Return the answers to the first of the messages, whose rows are all settled."""
        commands = tuple(c for message in messages for c in message.commands.values())
        ends = tuple(accumulate(len(message.commands) for message in messages))
        outcomes = await self._room.write(Work(commands, ends=ends)) if commands else []
        settled = zip(messages, pairwise((0, *ends)), strict=True)
        return [self._told(m, outcomes[a:b]) for m, (a, b) in settled if b <= len(outcomes)]

    def _told(self, message: Prepared, settled: Sequence[Outcome]) -> Any:
        """Return the answer to a message, a result a row. Raises what a rule failed with."""
        outcomes = message.refused | dict(zip(message.commands, settled, strict=True))
        answer = self._answer(f"Import{self._resource.plural}")
        for n, row in enumerate(message.rows):
            _tell(answer.results, row.line, outcomes[n])
        return answer

    def _prepared(self, message: Rows, caller: Caller) -> Prepared:
        request, rows, wrong = message
        refused: dict[int, Outcome] = {
            index: Violated([self._of_record(problem) for problem in found])
            for index, found in wrong.items()
        }
        commands = dict[int, Command]()
        for index, row in enumerate(rows):
            if index in wrong:
                continue
            try:
                commands[index] = self._room.commands.row(
                    self._resource, request.source, row, caller, request.validate_only
                )
            except DomainError as error:
                refused[index] = error
        return Prepared(rows, commands, refused)

    def _of_record(self, problem: Problem) -> Problem:
        """What the contract says of a row is told as the rules tell it: by the path within the record."""
        return replace(problem, field=problem.field.removeprefix(f"{self._resource.singular}."))

    # Reading.

    async def get(self, request: Any, caller: Caller) -> Any:
        found = await self._room.find(request.name)
        found = self._visible(request.name, found, caller)
        moment = moment_of(request)
        if request.revision and not moment.is_now:
            raise Invalid(
                "revision: give a revision or times, not both",
                "revision：版本号与时点只能给出其一",
                field="revision",
            )
        if request.revision or not moment.is_now:
            return await self._past(request, moment, caller, found)
        record = self._record(found.record)
        if not names_persons(found.record):
            standing = standing_of(record, self._resource.lifecycle)
            return self._resource.with_actions(found.record, self._allowed(caller, standing))
        records = self._dressed([record], caller)
        return (await self._read(f"Get{self._resource.noun}", request, records, caller))[0]

    async def _past(self, request: Any, moment: Moment, caller: Caller, now: Found) -> Any:
        name = request.name
        if request.revision:
            past = await self._room.read(self._history.revision, name, request.revision)
        else:
            past = (await self._room.read(self._history.as_of, [name], moment)).get(name)
        if past is None or not _saw(caller, now, past):
            kind = Hidden if past else NotFound
            raise self._missing(name, " at that revision or time", "（该版本或时点）", kind=kind)
        records = [self._of_event(past.event)]
        return (await self._read(f"Get{self._resource.noun}", request, records, caller))[0]

    async def list_(self, request: Any, caller: Caller) -> Any:
        question = question_of(self._resource, request, caller, self._room.tokens)
        page = await self._room.read(self._room.lists.page, question)
        answer = self._answer(f"List{self._resource.plural}")
        answer.position, answer.next_page_token = page.position, page.token
        records = self._dressed(page.records, caller) if question.moment.is_now else page.records
        records = await self._read(f"List{self._resource.plural}", request, records, caller)
        getattr(answer, self._resource.collection).extend(records)
        return answer

    async def revisions(self, request: Any, caller: Caller) -> Any:
        found = self._visible(request.name, await self._room.find(request.name), caller)
        tokens, asked, size = (
            self._room.tokens,
            f"revisions|{request.name}",
            size_of(request.page_size),
        )
        before = tokens.read(request.page_token, asked)["before"] if request.page_token else NEWEST
        rows = await self._room.read(self._history.revisions, request.name, before, size + 1)
        answer = self._answer(f"List{self._resource.noun}Revisions")
        seen = [past for _, past in rows[:size] if _saw(caller, found, past)]
        events = [self._room.service.event.FromString(past.event) for past in seen]
        records = [getattr(event, self._resource.singular) for event in events]
        await self._read(f"List{self._resource.noun}Revisions", request, records, caller)
        answer.revisions.extend(events)
        if len(rows) > size:
            answer.next_page_token = tokens.make(asked, {"before": rows[size - 1][0]})
        return answer

    async def watch(self, request: Any, caller: Caller) -> AsyncIterator[bytes]:
        """Each change once, in order: the journal's own bytes."""
        collection, everything = self._resource.collection, sees_all(caller)
        with metrics.WATCHERS.labels(collection).track_inprogress():
            async for lines in self._room.tell(request.after_position, follow=True):
                for line in lines:
                    if line.collection != collection or request.name not in ("", line.record):
                        continue
                    if everything or may_see(caller, line.readers, bool(line.public)):
                        yield line.event

    # Answers.

    async def _shown(
        self, settled: Sequence[Settled], caller: Caller, tried: bool
    ) -> Sequence[bytes]:
        """Return the records as bytes. `tried`: nothing was changed. That persons are shown is in the change's own
        transaction (`kernel.decision.shown`).
        """
        if not any(names_persons(one.record) for one in settled):
            dressed = self._resource.with_actions
            return [dressed(one.record, self._allowed(caller, one.standing)) for one in settled]
        records = self._dressed([self._record(one.record) for one in settled], caller)
        records = await self._persons(records, caller)
        for record in records if tried else ():
            conceal(record)
        return [record.SerializeToString() for record in records]

    def _allowed(self, caller: Caller, standing: Standing) -> tuple[str, ...]:
        return allowed(caller, self._resource.lifecycle, standing)

    def _dressed(self, records: list[Any], caller: Caller) -> list[Any]:
        """Add what the caller may do."""
        lifecycle = self._resource.lifecycle
        for record in records:
            record.allowed_actions.extend(self._allowed(caller, standing_of(record, lifecycle)))
        return records

    async def _read(self, rpc: str, request: Any, records: list[Any], caller: Caller) -> list[Any]:
        """Show the persons that the caller may see, once it is durable that they are read."""
        if protected := self._protected(records, caller):
            mark = self._room.mark(request.SerializeToString(deterministic=True))
            await self._room.record(*reading(caller, rpc, protected, mark))
        return await self._persons(records, caller)

    async def _persons(self, records: list[Any], caller: Caller) -> list[Any]:
        await self._room.show_persons(self._protected(records, caller))
        return records

    def _protected(self, records: list[Any], caller: Caller) -> list[Any]:
        """Return the records that hold persons whom the caller may see."""
        lifecycle = self._resource.lifecycle
        return [
            r
            for r in records
            if may_see_persons(caller, standing_of(r, lifecycle)) and commitments(r)
        ]

    def _visible(self, name: str, found: Found | None, caller: Caller) -> Found:
        if found is None:
            raise self._missing(name)
        if not may_see(caller, found.readers, bool(found.public)):
            raise self._missing(name, kind=Hidden)
        return found

    def _record(self, body: bytes) -> Any:
        return self._resource.record.FromString(body)

    def _of_event(self, event: bytes) -> Any:
        return getattr(self._room.service.event.FromString(event), self._resource.singular)

    def _answer(self, rpc: str) -> Any:
        method = self._room.service.contract.methods_by_name[rpc]
        return GetMessageClass(method.output_type)()

    def _missing(
        self, name: str, en: str = "", zh: str = "", kind: type[NotFound] = NotFound
    ) -> NotFound:
        return kind(
            f"no {name}{en}, or none that you may see; list {self._resource.collection} to see what there is",
            f"没有 {name}{zh}，或无权查看；请先查询列表",
        )


def behaviours(room: Room, own: Mapping[str, Behaviour]) -> dict[str, Behaviour]:
    """Return the code of every RPC of a service's contract; `own`: RPCs that only this service has.

    Raises:
        TypeError: an RPC has no code, or a lifecycle's action has no RPC.
    """
    found = dict(own)
    for resource in room.service.resources:
        found |= Servicer(room, resource).behaviours()
    contract = {method.name for method in room.service.contract.methods}
    if contract ^ found.keys():
        full_name = room.service.contract.full_name
        raise TypeError(
            f"{full_name}: RPCs without code {sorted(contract - found.keys())}, "
            f"actions without RPC {sorted(found.keys() - contract)}"
        )
    return found


def _saw(caller: Caller, now: Found, then: Past) -> bool:
    return may_see_past(caller, now.readers, then.readers, bool(then.public))


def _tell(results: Any, line: int, outcome: Any) -> None:
    """Add what became of a row."""
    wrong = refusal(outcome)
    if wrong is not None:
        result = results.add(line=line, outcome=journal_pb2.IMPORT_OUTCOME_REFUSED)
        for p in wrong.problems:
            result.problems.add(field=p.field, code=p.code, text_en=p.en, text_zh=p.zh)
        return
    became = ALREADY_PRESENT if outcome.repeated else ENTERED
    results.add(line=line, outcome=became, name=outcome.name, revision=outcome.revision)

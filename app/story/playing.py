"""Plays a script on the real services, over gRPC, by a clock of its own; gives back what they journalled."""

import asyncio
import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from app.catalogue import REGISTRIES
from app.demo.clock import StoryClock
from app.demo.stage import wire
from app.serve import Process
from app.settings import Settings
from app.story.script import OF, Person, Script, Step
from kernel.room import Room
from luoshu.client import Client, LuoshuError, connect
from luoshu.client.contract import Kind, caller, kinds, request_of

SERVICES = ("platforms", "technologies", "funding", "coordination")
PATIENCE = 60.0  # seconds that events may take from one service to another
TURNS = 3  # looks after which nothing moved: at rest


class Refusal(NamedTuple):
    """A call that was refused: by whose account, of which record, and the reason."""

    department: str
    record: str
    action: str
    code: str
    day: datetime.date


class Told(NamedTuple):
    """A line of the story's page: a note, an event of a service's journal, or a call that was refused."""

    note: Mapping[str, str] | None = None
    service: str = ""
    event: Any = None
    refusal: Refusal | None = None


@dataclass
class Players:
    """`loop`: the services'. `told`: the page so far; `seen`: service → journal position told."""

    process: Process
    loop: asyncio.AbstractEventLoop
    clock: StoryClock
    people: dict[str, Person]
    told: list[Told] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    clients: dict[tuple[str, str], Client] = field(default_factory=dict)

    def play(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if step.at:
                self._go_to(step.at)
            elif step.note:
                self.told.append(Told(dict(step.note)))
            else:
                self._act(step)
            self._rest()

    def _go_to(self, day: datetime.date) -> None:
        """Go on to a day, by way of the days on which something is due."""
        while (due := self._next_due()) is not None and due < day:
            self.clock.go_to(due)
            self._rest()
        self.clock.go_to(day)

    def _next_due(self) -> datetime.date | None:
        days = [day for room in self._rooms() if (day := room.read_here(_first_due, room))]
        return datetime.date.fromisoformat(min(days)) if days else None

    def _act(self, step: Step) -> None:
        """Make a call. Raises AssertionError where it was refused or not otherwise than the script says."""
        try:
            self._call(step)
        except LuoshuError as error:
            if error.code != step.refused:
                raise AssertionError(f"{step.by} {step.do} {step.record}: {error}") from error
            department = self.people[step.by].department
            refusal = Refusal(
                department, self._named(step.record), step.do, error.code, self.clock.today
            )
            self.told.append(Told(refusal=refusal))
            return
        if step.refused:
            raise AssertionError(f"{step.by} {step.do} {step.record} was not refused")

    def _call(self, step: Step) -> None:
        name = self._named(step.record)
        kind = kinds()[name.partition("/")[0]]
        said = {key: wire(value) for key, value in step.fields.items()}
        request = _request(kind, step, name, said)
        method = kind.method(_rpc(kind, step))
        caller(self._client(self.people[step.by]).channel, method)(request)

    def _named(self, record: str) -> str:
        """Return a record's name; `review of …`, `finding of …`: the newest one. Raises AssertionError: there is none."""
        collection = next((c for prefix, c in OF.items() if record.startswith(prefix)), "")
        if not collection:
            return record
        application = record.rpartition(" ")[2]
        room = self.process.rooms["coordination"]
        table = room.store.tables.records[collection]
        query = sa.select(table.c.name).where(table.c.application == application)
        names = room.read_here(lambda tx: list(tx.execute(query.order_by("create_time")).scalars()))
        if not names:
            raise AssertionError(f"there is no {record}")
        return str(names[-1])

    def _client(self, who: Person) -> Client:
        key = (who.department, who.account)
        if key not in self.clients:
            made = connect(
                f"127.0.0.1:{self.process.port}",
                department=who.department,
                actor=who.account,
                roles=who.roles,
                deadline=PATIENCE,
            )
            self.clients[key] = made
        return self.clients[key]

    # Rest.

    def _rest(self) -> None:
        """Let happen what is due, and wait until nothing moves any more. Raises TimeoutError."""
        end, still, before = time.monotonic() + PATIENCE, 0, self._heads()
        while still < TURNS:
            asyncio.run_coroutine_threadsafe(self._mind(), self.loop).result()
            now = self._heads()
            still = still + 1 if now == before and not self._behind() else 0
            before = now
            if time.monotonic() > end:
                raise TimeoutError("the services did not come to rest")
            time.sleep(0.02)
        self._tell()

    async def _mind(self) -> None:
        if self.process.upkeep is not None:
            await self.process.upkeep.mind()

    def _rooms(self) -> Iterator[Room]:
        return (self.process.rooms[name] for name in SERVICES)

    def _heads(self) -> dict[str, int]:
        return {room.service.name: room.read_here(room.store.head) for room in self._rooms()}

    def _behind(self) -> bool:
        heads = self._heads()
        return any(f.position < heads[f.source] for f in self.process.followers)

    def _tell(self) -> None:
        """Take over what was journalled since, in the order of committing."""
        found = [
            (event.change.commit_time.ToMicroseconds(), name, event) for name, event in self._new()
        ]
        found.sort(key=lambda line: (line[0], SERVICES.index(line[1]), line[2].change.position))
        self.told.extend(Told(service=name, event=event) for _, name, event in found)

    def _new(self) -> Iterator[tuple[str, Any]]:
        for room in self._rooms():
            name = room.service.name
            for line in room.read_here(room.store.told, self.seen.get(name, 0), 10_000):
                self.seen[name] = line.position
                event = room.service.event.FromString(line.event)
                if event.change.action != "tick":
                    yield name, event

    def close(self) -> None:
        for client in self.clients.values():
            client.close()


def _first_due(tx: sa.Connection, room: Room) -> str | None:
    table = room.store.tables.deadline
    return None if table is None else tx.execute(sa.select(sa.func.min(table.c.day))).scalar()


def _rpc(kind: Kind, step: Step) -> str:
    if step.do:
        return kind.actions[step.do.replace("_", "-")].name
    return f"{'Create' if step.create else 'Update'}{kind.noun}"


def _request(kind: Kind, step: Step, name: str, said: dict[str, Any]) -> Any:
    request = request_of(kind.method(_rpc(kind, step)))
    singular = kind.noun.lower()
    if step.create:
        return request(**{singular: said, f"{singular}_id": name.partition("/")[2]})
    if step.update:
        return request(**{singular: {"name": name, **said}, "update_mask": {"paths": list(said)}})
    return request(name=name, **said)


async def played(script: Script, folder: Path, pack: Path) -> list[Told]:
    """Play a script in a folder of its own and return its page's lines."""
    settings = Settings(
        {
            "LUOSHU_DATA_DIR": str(folder),
            "LUOSHU_LISTEN": "127.0.0.1:0",
            "LUOSHU_AUDIT_HTTP_LISTEN": "127.0.0.1:0",
            "LUOSHU_PACK": str(pack),
        }
    )
    clock = StoryClock(script.begins)
    process = Process(
        settings, tuple(s.name for s in REGISTRIES if s.name in SERVICES), clock=clock
    )
    await process.start()
    loop = asyncio.get_running_loop()
    players = Players(process, loop, clock, dict(script.people))
    try:
        with ThreadPoolExecutor(1, "story") as pool:
            await loop.run_in_executor(pool, players.play, script.steps)
    finally:
        players.close()
        await process.stop()
    return players.told

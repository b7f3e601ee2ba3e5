"""Where the story is played: who acts, by which call, on which day, all over gRPC as any department would."""

import datetime
import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.cli.output import choice
from app.demo.clock import StoryClock
from app.demo.telling import Teller
from kernel.dates import from_date, iso
from kernel.pack import Pack
from luoshu.client import Client, LuoshuError, connect
from luoshu.client.contract import Kind, caller, kinds, request_of
from luoshu.coordination.v1 import coordination_pb2

REVIEWS = {"OPEN": "征求意见", "CONCLUDED": "会签结束"}
PATIENCE = 300.0  # seconds that an event may take from one service to another; coordination compares every application first


@dataclass(frozen=True, slots=True)
class Actor:
    """An account of a department or unit, with the roles that it holds."""

    department: str
    account: str
    roles: tuple[str, ...]

    @property
    def shown(self) -> str:
        unit = self.department if len(self.department) < 18 else f"…{self.department[-6:]}"
        return f"{unit} {self.account}"


class Stopped(Exception):
    """Somebody pressed Ctrl-C."""


@dataclass
class Stage:
    """A server's address, the story's clock and last day, and what tells of it. `stopping`: tells that it is over."""

    address: str
    clock: StoryClock
    pack: Pack
    tell: Teller
    stopping: Callable[[], bool]
    last: datetime.date
    life: str = ""
    _clients: dict[Actor, Client] = field(default_factory=dict)

    @property
    def today(self) -> datetime.date:
        return self.clock.today

    def working_days(self, count: int) -> datetime.date:
        """Return the count-th working day after today, by the province's calendar."""
        return self.pack.add_working_days(self.today, count).date

    def before_the_end(self, count: int) -> datetime.date:
        """Return the count-th working day before the story's last day."""
        return self.pack.add_working_days(self.last, -count).date

    def working_day_after(self, day: datetime.date) -> datetime.date:
        """Return the first working day on which a notice or a window of days is over."""
        return self.pack.add_working_days(day, 1).date

    def create(self, actor: Actor, collection: str, key: str, text: str, /, **fields: Any) -> Any:
        """Register a record, told in a line."""
        noun = kinds()[collection].noun.lower()
        said = {noun: fields, f"{noun}_id": key}
        return self._told(actor, collection, f"Create{kinds()[collection].noun}", text, said)

    def act(self, actor: Actor, name: str, action: str, text: str, /, **fields: Any) -> Any:
        """Do one action of a record's lifecycle, told in a line."""
        return self._told(actor, name, action, text, {"name": name, **fields})

    def refused(self, actor: Actor, name: str, action: str, text: str, /, **fields: Any) -> None:
        """Try what has to be refused, and tell the refusal. Raises AssertionError when it was not."""
        try:
            self._call(actor, name, action, {"name": name, **fields})
        except LuoshuError as error:
            why = (error.text_zh, error.text_en)
            self.tell.refusal(self.today, self.life, actor.shown, text, *why)
            return
        raise AssertionError(f"{action} of {name} was not refused")

    def get(self, actor: Actor, name: str) -> Any:
        return self._call(actor, name, f"Get{_kind(name).noun}", {"name": name})

    def listed(self, actor: Actor, collection: str, condition: str) -> Sequence[Any]:
        """Return the first page of what fits a filter."""
        said = {"filter": condition}
        page = self._call(actor, collection, f"List{kinds()[collection].plural}", said)
        return list(getattr(page, collection))

    def until(self, what: Callable[[], Any]) -> Any:
        """Ask until the answer is not empty: an event is on its way. Raises TimeoutError."""
        end = time.monotonic() + PATIENCE
        while not (answer := what()):
            if time.monotonic() > end:
                raise TimeoutError(f"{self.life}: an event did not arrive within {PATIENCE:g} s")
            time.sleep(0.05)
        return answer

    def owes(self, actor: Actor, text: str) -> None:
        """Tell the first thing in a department's inbox, and the command that settles it."""
        found = self.client(actor).coordination.ListInbox(coordination_pb2.ListInboxRequest())
        item = found.items[0]
        duty = choice(item.DESCRIPTOR.fields_by_name["duty"], item.duty)
        said = f"{text}: {duty}，至 {iso(item.due_date)}（{item.days_left} 个工作日 working days）"
        self.tell.step(self.today, self.life, actor.shown, said, item.command)

    def happened(self, who: str, text: str, record: Any) -> None:
        """Tell what came by itself, from another service's event."""
        self.tell.step(self.today, self.life, who, text, _state(record))

    def _told(self, actor: Actor, name: str, action: str, text: str, said: dict[str, Any]) -> Any:
        record = self._call(actor, name, action, said)
        self.tell.step(self.today, self.life, actor.shown, text, _state(record))
        return record

    def _call(self, actor: Actor, name: str, action: str, said: dict[str, Any]) -> Any:
        kind = _kind(name)
        found = kind.actions.get(action.replace("_", "-"))
        method = found if found is not None else kind.method(action)
        call = caller(self.client(actor).channel, method)
        return call(request_of(method)(**{key: wire(value) for key, value in said.items()}))

    def client(self, actor: Actor) -> Client:
        if actor not in self._clients:
            who = {"department": actor.department, "actor": actor.account, "roles": actor.roles}
            self._clients[actor] = connect(self.address, **who)  # type: ignore[arg-type]
        return self._clients[actor]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@dataclass(frozen=True, slots=True)
class Life:
    """One record's life: how it is called in the lines, and the days on which it goes on."""

    label: str
    days: Callable[[Stage], Iterator[datetime.date]]


def play(stage: Stage, lives: Sequence[Life], last: datetime.date) -> None:
    """Play several lives in the order of their days. What would come after `last` has not happened yet."""
    queue = [(stage.today, n, life.label, life.days(stage)) for n, life in enumerate(lives)]
    while queue:
        day, n, label, days = heapq.heappop(queue)
        if stage.stopping():
            raise Stopped
        stage.clock.go_to(day)
        stage.life = label
        following = next(days, None)
        if following is not None and following <= last:
            heapq.heappush(queue, (following, n, label, days))


def wire(value: Any) -> Any:
    """Return a value as a message's constructor takes it: days as `google.type.Date`."""
    if isinstance(value, datetime.date):
        return from_date(value)
    if isinstance(value, dict):
        return {key: wire(inner) for key, inner in value.items()}
    return [wire(inner) for inner in value] if isinstance(value, list) else value


def _kind(name: str) -> Kind:
    return kinds()[name.split("/", 1)[0]]


def _state(record: Any) -> str:
    said = choice(record.DESCRIPTOR.fields_by_name["state"], record.state)
    return (
        f"{said} {REVIEWS[said]}"
        if said in REVIEWS and record.name.startswith("reviews/")
        else said
    )

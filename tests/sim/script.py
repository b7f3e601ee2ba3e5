"""What the outside world does in a scenario: calls, some of them at once, and days that pass."""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.message_factory import GetMessageClass

from app.catalogue import REGISTRIES
from kernel.case import Caller
from tests.sim.disk import Image

if TYPE_CHECKING:
    from tests.sim.world import World

MORNING = datetime.datetime(2026, 3, 16, 2, tzinfo=datetime.UTC)  # a Monday, 10:00 in Zhengzhou
METHODS = {m.name: (s.name, m) for s in REGISTRIES for m in s.contract.methods}
OK = ""


@dataclass(frozen=True)
class Call:
    """One call, made again with the same request id until its outcome is known.

    `expected`: the codes with which it may end, `OK` for an answer. `again`: times that it is repeated although it is answered.
    """

    id: str
    rpc: str
    who: Caller
    request: Any
    expected: tuple[str, ...] = (OK,)
    again: int = 0

    @property
    def service(self) -> str:
        return METHODS[self.rpc][0]


@dataclass(frozen=True)
class Pass:
    """Days that pass."""

    days: int = 1


@dataclass(frozen=True)
class Until:
    """The client waits until something has come by itself."""

    condition: Callable[["World"], bool]


Stage = Sequence[Call] | Pass | Until


@dataclass(frozen=True)
class Scenario:
    """A small history that is played under faults.

    `services`: those that run. `bus`: journals are followed through it. `furnished`: the databases at its beginning.
    `began`: the time then. `demand`: what must be true at the end beside the invariants.
    `loses`: the source whose topic may lose its end.
    """

    name: str
    services: tuple[str, ...]
    stages: tuple[Stage, ...]
    bus: bool = False
    furnished: Callable[[], Image] = dict
    began: datetime.datetime = MORNING
    demand: Callable[["World"], None] = lambda _: None
    loses: str = ""

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(c for s in self.stages if not isinstance(s, Pass | Until) for c in s)


def call(rpc: str, who: Caller, request_id: str, /, **said: Any) -> Call:
    """Return a call with a request of these fields. `expected`, `again`: of the Call."""
    own = {key: said.pop(key) for key in ("expected", "again") if key in said}
    _, method = METHODS[rpc]
    kind = GetMessageClass(method.input_type)
    if "request_id" in method.input_type.fields_by_name:
        said.setdefault("request_id", request_id)
    return Call(request_id, rpc, who, kind(**said), **own)


def answer_of(rpc: str, body: bytes) -> Any:
    """Read an answer that the servicer gave as bytes."""
    _, method = METHODS[rpc]
    return GetMessageClass(method.output_type).FromString(body)

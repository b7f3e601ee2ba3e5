"""What a decision is about and what comes of it: commands, records as held, journal rows, answers."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from kernel.case import Caller, Reference
from kernel.rights import Standing


class Command(NamedTuple):
    """One request to change one record.

    `action`: `create`, `update`, `imported` or one of the lifecycle's. `fresh`: the name was just made up, so nothing has it.
    `given`: the record as the caller gave it (create, update, imported). `deadline`: on the monotonic clock, seconds.
    `asked`: what owners answered about records that this service had not heard of.
    """

    action: str
    name: str
    request: Any
    request_id: str
    fingerprint: bytes
    caller: Caller
    given: Any = None
    etag: str = ""
    effective: datetime.date | None = None
    reason: str = ""
    fresh: bool = False
    validate_only: bool = False
    deadline: float = float("inf")
    asked: tuple[Reference, ...] = ()


class Held(NamedTuple):
    """A record as a transaction knows it. `revisions`: how many it has; `action`: what made the newest."""

    message: Any
    revisions: int
    position: int
    action: str


class JournalRow(NamedTuple):
    position: int
    record: str
    collection: str
    revision: int
    request_id: str
    fingerprint: bytes
    commit_time: int
    effective_date: str
    readers: str
    public: int
    event: bytes


class Settled(NamedTuple):
    """A command's outcome: the record's bytes, what rights depend on, and whether it is a repeat of an earlier answer."""

    name: str
    record: bytes
    revision: int
    standing: Standing
    fingerprint: bytes
    repeated: bool = False


class Loader(Protocol):
    """What a decision may still have to read, under the journal's head lock."""

    def record(self, name: str) -> Held | None: ...
    def names(self, collection: str, where: Mapping[str, str | int]) -> Sequence[str]: ...
    def last_number(self, series: str) -> int: ...
    def reference(self, name: str) -> Reference | None: ...
    def subject_key(self, subject: str) -> bytes | None: ...


Outcome = Settled | Exception
Clock = Callable[[], Timestamp]

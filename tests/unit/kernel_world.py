"""A service of one kind of record with a short life, in memory or on SQLite, for the kernel's own tests."""

import datetime
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp

from kernel import database
from kernel.case import Caller, Case, Reference, Role
from kernel.columns import fields_of
from kernel.decide import Batch
from kernel.errors import Invalid
from kernel.lifecycle import Lifecycle, Move, update
from kernel.outcome import Command, Held
from kernel.pack import Pack
from kernel.personal import Vault
from kernel.registry import Column, Resource, Service
from kernel.store import Store
from kernel.writer import Writer
from luoshu.platforms.v1 import platforms_pb2 as pb

S = pb.Platform.State
SECRET = bytes(range(32))
MORNING = datetime.datetime(2026, 3, 16, 2, tzinfo=datetime.UTC)
UNIT = "91110000710926094P"
OWNER = Caller("wang", UNIT, frozenset({Role.APPLICANT}))
OFFICER = Caller("li", "DST", frozenset({Role.CASE_OFFICER}))
IMPORTER = Caller("sun", UNIT, frozenset({Role.IMPORTER}))
NO_PACK = cast(Pack, None)


def check(record: pb.Platform, case: Case) -> None:
    record.lead_department = "DST"
    for name in record.successors if case.importing else ():
        case.change(name).predecessors.append(record.name)
    if record.title == "refused":
        raise Invalid("the title is refused; take another", "名称不可用；请更换", field="title")
    if record.title.startswith("refers to "):
        case.reference(record.title.removeprefix("refers to "))
    if record.title == "crash":
        raise ZeroDivisionError


def submit(record: pb.Platform, command: Any, case: Case) -> None:
    """Nothing besides the state."""


def recognize(record: pb.Platform, command: Any, case: Case) -> None:
    record.official_number = f"N{case.number('numbers'):03d}"


def merge(record: pb.Platform, command: Any, case: Case) -> None:
    case.change(command.into).predecessors.append(record.name)


MOVES = (
    Move(S.STATE_DRAFT, update, S.STATE_DRAFT, (Role.APPLICANT,)),
    Move(S.STATE_DRAFT, submit, S.STATE_SUBMITTED, (Role.APPLICANT,)),
    Move(S.STATE_SUBMITTED, recognize, S.STATE_RECOGNIZED, (Role.CASE_OFFICER,)),
    Move(S.STATE_RECOGNIZED, merge, S.STATE_MERGED, (Role.CASE_OFFICER,)),
)
LIFECYCLE = Lifecycle(
    S, S.STATE_DRAFT, check, (Role.APPLICANT,), frozenset({S.STATE_RECOGNIZED}), MOVES
)
COLUMNS = (
    Column("title", sorted=True),
    Column("kind", sorted=True),
    Column("level"),
    Column("staff_count", sorted=True),
    Column("equipment_fen"),
    Column("former_titles"),
    Column("recognition_date", sorted=True),
    Column("public_notice.working_days"),
)
PLATFORM = Resource(pb.Platform, LIFECYCLE, COLUMNS)
TOY = Service(
    "toy", pb.DESCRIPTOR.services_by_name["PlatformService"], pb.PlatformsEvent, (PLATFORM,)
)


def stamp(time: datetime.datetime = MORNING) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(time)
    return made


@dataclass
class Clock:
    """A clock that stands still until it is moved, back too."""

    time: datetime.datetime = MORNING

    def __call__(self) -> Timestamp:
        return stamp(self.time)

    def move(self, **by: float) -> None:
        self.time += datetime.timedelta(**by)


@dataclass
class Memory:
    """What a decision may load: nothing but what is given."""

    records: Mapping[str, Held] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    keys: Mapping[str, bytes] = field(default_factory=dict)
    references: Mapping[str, Reference] = field(default_factory=dict)
    service: Service = TOY

    def record(self, name: str) -> Held | None:
        return self.records.get(name)

    def names(self, collection: str, where: Mapping[str, str | int]) -> list[str]:
        fields = {f.path: f for f in fields_of(self.service.by_collection[collection])}
        return [
            name
            for name, held in self.records.items()
            if name.startswith(f"{collection}/")
            and all(fields[path].value(held.message) == value for path, value in where.items())
        ]

    def last_number(self, series: str) -> int:
        return self.numbers.get(series, 0)

    def reference(self, name: str) -> Reference | None:
        return self.references.get(name)

    def subject_key(self, subject: str) -> bytes | None:
        return self.keys.get(subject)


def batch(service: Service = TOY, pack: Pack = NO_PACK, **more: Any) -> Batch:
    """Return a batch on an empty service, at the first morning."""
    said: dict[str, Any] = {
        "vault": Vault(SECRET), "loader": Memory(), "now": stamp(), "last": 0, "position": 0,
        "records": {}, "seen": {},
    }  # fmt: skip
    return Batch(service=service, pack=pack, **{**said, **more})


_ids = itertools.count(1)


def command(action: str, name: str = "", caller: Caller = OWNER, **more: Any) -> Command:
    number = next(_ids)
    said = {"request_id": f"q{number}", "fingerprint": b"f", "request": None, **more}
    return Command(action, name or f"platforms/p{number}", caller=caller, **said)


def creation(title: str = "某平台", caller: Caller = OWNER, **more: Any) -> Command:
    fields = more.pop("fields", {})
    return command("create", caller=caller, given=pb.Platform(title=title, **fields), **more)


def row(
    name: str, title: str, day: datetime.date, caller: Caller = IMPORTER, **more: Any
) -> Command:
    fields = more.pop("fields", {})
    given = pb.Platform(title=title, state=S.STATE_RECOGNIZED, **fields)
    return command("imported", name, caller, given=given, effective=day, **more)


def schema(path: Path, service: Service = TOY) -> str:
    """Make a service's tables in an SQLite file; return its URL."""
    return schema_at(f"sqlite:///{path}", service)


def schema_at(url: str, service: Service = TOY) -> str:
    """Make a service's tables in an empty database; return its URL."""
    engine = database.writing(url)
    store = Store(service, engine)
    with engine.begin() as tx:
        store.tables.metadata.create_all(tx)
        tx.execute(sa.insert(store.tables.head).values(id=1, position=0, commit_time=0))
    engine.dispose()
    return url


def writer(url: str, clock: Any = None, service: Service = TOY) -> Writer:
    engine = database.writing(url)
    return Writer(Store(service, engine), engine, NO_PACK, Vault(SECRET), clock or Clock())

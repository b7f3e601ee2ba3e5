"""Journals as the registries would write them, and a reports database to apply them to."""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message

from kernel.database import writing
from kernel.dates import SHANGHAI, from_date
from kernel.pack import Pack, load
from luoshu.coordination.v1.coordination_pb2 import CoordinationEvent, Review
from luoshu.funding.v1.funding_pb2 import Application, Call, FundingEvent, Programme
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry
from luoshu.platforms.v1.platforms_pb2 import Platform, PlatformsEvent
from luoshu.technologies.v1.technologies_pb2 import Breakthrough, TechnologiesEvent
from services.reports.consumer import ReportsSink
from services.reports.store import EDITION, METADATA

EVENTS: dict[str, Any] = {
    "platforms": PlatformsEvent,
    "technologies": TechnologiesEvent,
    "funding": FundingEvent,
    "coordination": CoordinationEvent,
}
SOURCE_OF: dict[type[Message], str] = {
    Platform: "platforms",
    Breakthrough: "technologies",
    Programme: "funding",
    Call: "funding",
    Application: "funding",
    Review: "coordination",
}
SOURCES = tuple(EVENTS)


@cache
def pack() -> Pack:
    return load(Path(__file__).parents[2] / "packs" / "henan")


def day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


@dataclass
class Journals:
    """Every source's journal; what is told on a day is committed at noon of it."""

    entries: dict[str, list[JournalEntry]] = field(default_factory=lambda: {s: [] for s in SOURCES})
    revisions: dict[str, int] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)

    def tell(
        self,
        record: Any,
        action: str,
        on: str,
        *,
        state: str,
        effective: str = "",
        cause: int = 0,
    ) -> JournalEntry:
        """Add a change of a record, true from `effective` on."""
        record.state = type(record).State.Value(f"STATE_{state}")
        source = SOURCE_OF[type(record)]
        revision = self.revisions.get(record.name, 0) + 1
        self.revisions[record.name] = record.revision = revision
        change = self._change(source, record.name, action, on, effective or on)
        change.revision, change.cause_position = revision, cause
        change.from_state = self.states.get(record.name, "")
        change.to_state = self.states[record.name] = f"STATE_{state}"
        return self._add(source, change, record)

    def tick(self, on: str, sources: Iterable[str] = SOURCES) -> None:
        """Tell the day in every source."""
        for source in sources:
            self._add(source, self._change(source, "clock", "tick", on, on), None)

    def _change(self, source: str, record: str, action: str, on: str, effective: str) -> Change:
        noon = datetime.datetime.combine(day(on), datetime.time(12), SHANGHAI)
        position = len(self.entries[source]) + 1
        change = Change(position=position, record=record, action=action, revision=1)
        change.commit_time.FromDatetime(noon + datetime.timedelta(microseconds=position))
        change.business_date.CopyFrom(from_date(day(on)))
        change.effective_date.CopyFrom(from_date(day(effective)))
        return change

    def _add(self, source: str, change: Change, record: Any) -> JournalEntry:
        event = EVENTS[source](change=change)
        if record is not None:
            field_name = type(record).__name__.lower()
            getattr(event, field_name).CopyFrom(record)
        entry = JournalEntry(
            source=source, position=change.position, event=event.SerializeToString()
        )
        self.entries[source].append(entry)
        return entry


def platform(key: str, **fields: Any) -> Platform:
    """A provincial key laboratory of DST in Zhengzhou, unless said otherwise."""
    given = {"kind": "key-laboratory", "division": "410100", "lead_department": "DST"}
    given |= {"title": f"平台 {key}"}
    return Platform(name=f"platforms/{key}", **(given | fields))


def breakthrough(key: str, **fields: Any) -> Breakthrough:
    given = {"direction": "new-materials", "lead_department": "DST"}
    given |= {"title": f"攻关 {key}"}
    return Breakthrough(name=f"breakthroughs/{key}", **(given | fields))


def application(key: str, **fields: Any) -> Application:
    given = {"lead_department": "DST", "programme": "programmes/major", "currency": "CNY"}
    given |= {"title": f"申请 {key}"}
    return Application(name=f"applications/{key}", **(given | fields))


def database(folder: Path, name: str = "reports") -> sa.Engine:
    """Return an empty reports database in a file."""
    engine = writing(f"sqlite:///{folder / name}.db")
    METADATA.create_all(engine)
    return engine


def applied(engine: sa.Engine, journals: Journals, sources: Sequence[str] = SOURCES) -> sa.Engine:
    """Apply whole journals, one source after the other."""
    sink = ReportsSink(engine, pack(), sources)
    for source in sources:
        sink.apply(source, journals.entries[source])
    return engine


def editions(engine: sa.Engine) -> dict[tuple[str, int], bytes]:
    """Return the kept bytes by period and edition."""
    with engine.begin() as tx:
        rows = tx.execute(sa.select(EDITION).order_by(EDITION.c.period, EDITION.c.edition))
        return {(row.period, row.edition): row.content for row in rows}

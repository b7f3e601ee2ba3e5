"""What was to be seen on a day: a record, and across registries all that it names, as they were known then."""

import datetime
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import DecodeError, Message

from kernel.dates import end_of_day_instant, iso
from kernel.errors import NotFound
from luoshu.audit.v1 import audit_pb2 as pb
from services.audit import store
from services.audit.domain import LogEntry, change
from services.audit.schema import entry
from services.audit.search import to_entry

MOST = 100
"""Records of one view."""
REVISIONS = 200
"""Newest revisions of a record among which the one that counted is looked for."""
NAME = re.compile(r"([a-z][a-z_]*)/[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Registries:
    """Whose records there are. `events`: source → its event message; `homes`: collection → the source that has it."""

    events: Mapping[str, type[Message]]
    homes: Mapping[str, str]


def view(
    connection: sa.Connection, record: str, day: datetime.date, registries: Registries
) -> pb.View:
    """Return the record first, then what it named. Raises NotFound: it was not known by the end of the day."""
    until = int(end_of_day_instant(day).timestamp() * 1_000_000)
    root = _as_known(connection, record, until)
    if root is None:
        raise NotFound(
            f"nothing was known of {record} at the end of {day}",
            f"截至 {day} 日终，尚无 {record} 的记录",
            field="record",
        )
    found = {record: root}
    for name in _named(root, registries):
        if name not in found and len(found) < MOST:
            known = _as_known(connection, name, until)
            found |= {name: known} if known else {}
    return pb.View(entries=[to_entry(one, with_event=True) for one in found.values()])


def _as_known(connection: sa.Connection, record: str, until: int) -> LogEntry | None:
    """Return the revision with the greatest (effective date, revision) of those committed before an instant."""
    rows = connection.execute(
        sa.select(entry)
        .where(
            entry.c.record == record,
            entry.c.commit_time < until,
            entry.c.source.not_like("%\\_access", escape="\\"),
        )
        .order_by(entry.c.index.desc())
        .limit(REVISIONS)
    )
    told = [(one, change(one.event)) for one in map(store.log_entry, rows)]
    known = [(iso(c.effective_date), c.revision, one) for one, c in told if c is not None]
    return max(known, key=lambda k: k[:2])[2] if known else None


def _named(one: LogEntry, registries: Registries) -> list[str]:
    """Return the records of any registry that an event's fields name, in the order in which they stand."""
    kind: Any = registries.events.get(one.source)
    try:
        event = kind.FromString(one.event) if kind else None
    except DecodeError:
        event = None
    texts = _texts(event) if event is not None else iter(())
    return list(dict.fromkeys(t for t in texts if _is_name(t, registries.homes)))


def _is_name(text: str, homes: Collection[str]) -> bool:
    match = NAME.fullmatch(text)
    return match is not None and match[1] in homes


def _texts(message: Any) -> Iterator[str]:
    for field, value in message.ListFields():
        values = value if field.is_repeated else [value]
        if field.message_type and field.message_type.GetOptions().map_entry:
            continue
        for one in values:
            if isinstance(one, str):
                yield one
            elif isinstance(one, Message):
                yield from _texts(one)

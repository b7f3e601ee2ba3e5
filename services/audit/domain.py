"""What an entry of the audit log is: its leaf, and what of its event can be searched.

The leaf of an entry is

    "luoshu-entry-v1\\n" + source + "/" + shard + "/" + position + "\\n" + event

where shard and position are decimal and event is the journal's exact bytes. It has at most 65 535
bytes, which is what a C2SP tile holds an entry (c2sp.org/tlog-tiles).
"""

import re
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from luoshu.audit.v1.audit_pb2 import Entry
from luoshu.journal.v1.journal_pb2 import Change, EventHead

LEAF_PREFIX = b"luoshu-entry-v1\n"
MAX_LEAF_BYTES = 65_535
MAX_TEXT = 255
"""Characters of a search column: an index row has a limit, and an odd event must not reach it."""
MAX_SECONDS = 253_402_300_800
"""First second (Unix time) that is past the year 9999."""

_SOURCE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LEAF = re.compile(
    LEAF_PREFIX + rb"([a-z][a-z0-9_]{0,62})/(0|[1-9][0-9]{0,8})/([1-9][0-9]{0,17})\n"
)


class Columns(NamedTuple):
    """What of an event can be searched; empty, or 0, where the event does not tell.

    commit_time is in microseconds since 1970 (UTC), business_date is ISO 8601.
    """

    record: str
    action: str
    actor: str
    department: str
    commit_time: int
    business_date: str


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry as it is read back; `leaf_hash` and `columns` are empty where not known."""

    index: int
    source: str
    position: int
    event: bytes
    shard: int = 0
    leaf_hash: bytes = b""
    columns: Columns | None = None

    @property
    def leaf(self) -> bytes:
        """The bytes that the log commits to. Raises ValueError, as `leaf` does."""
        return leaf(self.source, self.shard, self.position, self.event)


def leaf(source: str, shard: int, position: int, event: bytes) -> bytes:
    """Return the bytes that the log commits to.

    Raises:
        ValueError: the source is no journal's name, a number is below its first, or the leaf would
            be longer than 65 535 bytes. Nothing that a journal holds makes it so.
    """
    if not _SOURCE.fullmatch(source) or shard < 0 or position < 1:
        raise ValueError(f"no journal has the entry {source!r}/{shard}/{position}")
    content = LEAF_PREFIX + f"{source}/{shard}/{position}\n".encode() + event
    if len(content) > MAX_LEAF_BYTES:
        raise ValueError(f"{source}/{shard}/{position} makes a leaf of {len(content)} bytes")
    return content


def parse_leaf(index: int, content: bytes, leaf_hash: bytes = b"") -> LogEntry:
    """Return the entry of a leaf; one that no journal can have made has position 0 and no leaf."""
    match = _LEAF.match(content)
    if match is None or len(content) > MAX_LEAF_BYTES:
        return LogEntry(index, "", 0, content, leaf_hash=leaf_hash)
    source, shard, position = match.groups()
    event = content[match.end() :]
    return LogEntry(index, source.decode(), int(position), event, int(shard), leaf_hash)


def without_hash(entry: LogEntry) -> LogEntry:
    """Return it without the hash beside it, which is the first log's."""
    return replace(entry, leaf_hash=b"")


def from_wire(entry: Entry) -> LogEntry:
    """Return an entry as the service sent it; it must have been asked for its event."""
    return LogEntry(
        entry.index, entry.source, entry.position, entry.event, entry.shard, entry.leaf_hash
    )


def change(event: bytes) -> Change | None:
    """Read the head of any service's event; None when the bytes are no event with a head."""
    try:
        head = EventHead.FromString(event)
    except DecodeError:
        return None
    return head.change if head.HasField("change") else None


def columns(event: bytes) -> Columns:
    """Return the search columns. They are for finding only: none decides whether it is stored."""
    head = change(event) or Change()
    return Columns(
        _text(head.record),
        _text(head.action),
        _text(head.actor),
        _text(head.department),
        _microseconds(head.commit_time),
        _business_date(head),
    )


def _text(value: str) -> str:
    """Keep what both databases can store and index: PostgreSQL's text has no NUL."""
    return value.replace("\x00", "")[:MAX_TEXT]


def _microseconds(time: Timestamp) -> int:
    sane = 0 <= time.seconds < MAX_SECONDS and 0 <= time.nanos < 1_000_000_000
    return time.seconds * 1_000_000 + time.nanos // 1000 if sane else 0


def _business_date(head: Change) -> str:
    day = head.business_date
    try:
        return date(day.year, day.month, day.day).isoformat()
    except (ValueError, OverflowError):
        return ""

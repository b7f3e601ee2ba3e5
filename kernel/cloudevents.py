"""An event on the bus: CloudEvents 1.0 in binary mode, so that any consumer can read it (CNCF CloudEvents Kafka binding).

Topic `luoshu.<service>.v1`, of its access journal `luoshu.<service>.access.v1`; one partition; key: the record's name; value: the
journal's exact bytes.
"""

from typing import NamedTuple

from kernel.access import service_of
from luoshu.journal.v1.journal_pb2 import Change, EventHead, JournalEntry

CONTENT_TYPE = "application/protobuf"
SEQUENCE = "ce_sequence"
DIGITS = 19  # of a position, so that texts sort as positions do


class Message(NamedTuple):
    """What a bus carries."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def topic_of(source: str) -> str:
    """Return `luoshu.platforms.v1`, or `luoshu.platforms.access.v1` for an access journal."""
    service = service_of(source)
    return f"luoshu.{service}.v1" if service == source else f"luoshu.{service}.access.v1"


def message_of(entry: JournalEntry) -> Message:
    """Return an entry as a bus carries it."""
    change = EventHead.FromString(entry.event).change
    return Message(change.record.encode(), entry.event, list(_headers(entry, change).items()))


def entry_of(source: str, value: bytes, headers: list[tuple[str, bytes]]) -> JournalEntry:
    """Return the entry that a message carries. Raises ValueError: it has no sequence."""
    sequence = dict(headers).get(SEQUENCE)
    if sequence is None:
        raise ValueError(f"a message without {SEQUENCE} on {topic_of(source)}")
    return JournalEntry(source=source, position=int(sequence), event=value)


def _headers(entry: JournalEntry, change: Change) -> dict[str, bytes]:
    said = {
        "ce_specversion": "1.0",
        "ce_id": f"{entry.source}-0-{entry.position}",
        "ce_source": f"/luoshu/{entry.source}/shards/0",
        "ce_type": f"luoshu.{entry.source}.v1.{change.action}",
        "ce_subject": change.record,
        "ce_time": change.commit_time.ToJsonString(),
        SEQUENCE: f"{entry.position:0{DIGITS}d}",
        "content-type": CONTENT_TYPE,
    }
    if change.traceparent:
        said["ce_traceparent"] = change.traceparent
    return {key: value.encode() for key, value in said.items()}

"""What the fields of a subject hold, told without telling it: a change shows by them."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.journal.v1.journal_pb2 import Person


def marks(record: Any, fields: Iterable[str]) -> Iterator[pb.FieldMark]:
    """Yield a mark a field. Raises KeyError: the record has no such field."""
    known = record.DESCRIPTOR.fields_by_name
    for field in fields:
        part = type(record)()
        value = getattr(record, field)
        if known[field].is_repeated:
            getattr(part, field).extend(sorted(value, key=_bytes))  # their order says nothing
        elif not known[field].message_type:
            setattr(part, field, value)
        elif record.HasField(field):
            getattr(part, field).CopyFrom(_who(value) if isinstance(value, Person) else value)
        yield pb.FieldMark(field=field, digest=_digest(part))


def digests(marks: Iterable[pb.FieldMark]) -> Mapping[str, str]:
    """Return field → digest."""
    return {mark.field: mark.digest for mark in marks}


def changed(before: Iterable[pb.FieldMark], now: Iterable[pb.FieldMark]) -> set[str]:
    """Return the fields whose marks differ."""
    old, new = digests(before), digests(now)
    return {field for field in old.keys() | new.keys() if old.get(field) != new.get(field)}


def digest_of(marks: Iterable[pb.FieldMark], fields: Iterable[str]) -> str:
    """Return one digest of what some of the fields hold."""
    found = digests(marks)
    said = "\n".join(f"{field} {found.get(field, '')}" for field in sorted(fields))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _who(person: Person) -> Person:
    """A person is who it is, whatever the telephone number."""
    return Person(subject=person.subject) if person.subject else person


def _bytes(value: Any) -> bytes:
    said = value if isinstance(value, str) else value.SerializeToString(deterministic=True)
    return said.encode() if isinstance(said, str) else said


def _digest(part: Any) -> str:
    said = _bytes(part)
    return hashlib.sha256(said).hexdigest()[:16] if said else ""

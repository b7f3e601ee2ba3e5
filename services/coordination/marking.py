"""What the fields of a subject hold, told without telling it: a change shows by them."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from luoshu.coordination.v1 import coordination_pb2 as pb


def marks(record: Any, fields: Iterable[str]) -> Iterator[pb.FieldMark]:
    """Yield a mark a field. Raises KeyError: the record has no such field."""
    known = record.DESCRIPTOR.fields_by_name
    for field in fields:
        part = type(record)()
        value = getattr(record, field)
        if known[field].is_repeated:
            getattr(part, field).extend(value)
        elif not known[field].message_type:
            setattr(part, field, value)
        elif record.HasField(field):
            getattr(part, field).CopyFrom(value)
        yield pb.FieldMark(field=field, digest=_digest(part))


def _digest(part: Any) -> str:
    said = part.SerializeToString(deterministic=True)
    return hashlib.sha256(said).hexdigest()[:16] if said else ""

"""Which fields a caller may write: not the kernel's own, nor those that the contract marks OUTPUT_ONLY."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from kernel.errors import Invalid

OWN = frozenset(
    {
        "name", "revision", "etag", "create_time", "update_time", "state", "allowed_actions",
        "effective_date", "concerned_departments", "owner_unit", "author",
    }
)  # fmt: skip
"""Fields of every record that only the kernel writes."""


def cleared(given: Any, *, historical: bool) -> Any:
    """Return a copy without what the caller may not write; a historical row may bring what a lifecycle would have filled."""
    new = type(given)()
    new.CopyFrom(given)
    closed = OWN if historical else _closed(given.DESCRIPTOR)
    any(map(new.ClearField, closed))  # all, for it returns None; half the time of a loop
    return new


def apply_mask(record: Any, given: Any, paths: Iterable[str]) -> None:
    """Write the named fields of `given` into `record`; no paths: every field that is set. Raises Invalid."""
    closed = _closed(record.DESCRIPTOR) | {"origin"}
    every = (field.name for field, _ in given.ListFields() if field.name not in closed)
    named = dict.fromkeys(paths) or dict.fromkeys(every)  # each once, however often it is said
    for path in named:
        field = record.DESCRIPTOR.fields_by_name.get(path)
        if field is None or path in closed:
            raise _unwritable(record.DESCRIPTOR, path)
        _write(record, given, field)


def _write(record: Any, given: Any, field: FieldDescriptor) -> None:
    record.ClearField(field.name)
    if field.is_repeated:
        getattr(record, field.name).MergeFrom(getattr(given, field.name))
    elif field.message_type:
        if given.HasField(field.name):
            getattr(record, field.name).CopyFrom(getattr(given, field.name))
    else:
        setattr(record, field.name, getattr(given, field.name))


@lru_cache(maxsize=64)
def _closed(descriptor: Descriptor) -> frozenset[str]:
    behaviour: Any = field_behavior_pb2
    only_out = behaviour.OUTPUT_ONLY
    marked = (
        field.name
        for field in descriptor.fields
        if only_out in field.GetOptions().Extensions[behaviour.field_behavior]
    )
    return OWN | frozenset(marked)


def _unwritable(descriptor: Descriptor, path: str) -> Invalid:
    closed = _closed(descriptor)
    writable = ", ".join(f.name for f in descriptor.fields if f.name not in closed)
    path = path[:64]
    return Invalid(
        f"update_mask: {path} cannot be written; these can: {writable}",
        f"update_mask：{path} 不可修改；可修改：{writable}",
        field="update_mask",
    )

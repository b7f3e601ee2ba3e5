"""A record's fields as columns: how a value leaves the message, what SQL keeps, what a filter compares."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from kernel.database import TEXT, WHOLE
from kernel.registry import Column, Resource

COMMON = (
    Column("state"),
    Column("create_time", sorted=True),
    Column("update_time", sorted=True),
    Column("effective_date"),
    Column("lead_department"),
    Column("owner_unit"),
    Column("author"),
)
"""What every record may be searched by."""

INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
}


Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Field:
    """One column. `kind`: text, words, integer, enum, boolean, date or time; `convert`: to what SQL keeps (never None)."""

    path: str
    kind: str
    convert: Convert
    sorted: bool
    sought: bool = False
    enum: EnumDescriptor | None = None

    def value(self, record: Any) -> Any:
        """Return what SQL keeps of a record."""
        return self.convert(attrgetter(self.path)(record))

    @property
    def column(self) -> str:
        return self.path.replace(".", "_")

    @property
    def type(self) -> sa.types.TypeEngine[Any]:
        return TEXT if self.kind in ("text", "words", "date") else WHOLE


@lru_cache(maxsize=64)
def fields_of(resource: Resource) -> tuple[Field, ...]:
    """Return the columns of a resource, the common ones first. Raises TypeError: a field that cannot be a column."""
    return tuple(_field(resource, column) for column in (*COMMON, *resource.columns))


class Common(NamedTuple):
    """What SQL keeps of every record, in the order of `COMMON`."""

    state: int
    create_time: int
    update_time: int
    effective_date: str
    lead_department: str
    owner_unit: str
    author: str


def common_of(record: Any) -> Common:
    return Common(
        record.state, microseconds(record.create_time), microseconds(record.update_time),
        iso(record.effective_date), record.lead_department, record.owner_unit, record.author,
    )  # fmt: skip


def values_of(resource: Resource, record: Any) -> list[Any]:
    """Return a record's name and revision, and what SQL keeps of it besides the common, in the order of `fields_of`: what is
    told as it is comes with one call.
    """
    get, converted = _reader(resource)
    values = list(get(record))
    for index, convert in converted:
        values[index] = convert(values[index])
    return values


@lru_cache(maxsize=64)
def _reader(resource: Resource) -> tuple[Callable[[Any], Any], list[tuple[int, Convert]]]:
    fields = fields_of(resource)[len(COMMON) :]
    converted = [(n, f.convert) for n, f in enumerate(fields, 2) if f.convert not in (str, int)]
    return attrgetter("name", "revision", *(field.path for field in fields)), converted


def _field(resource: Resource, column: Column) -> Field:
    descriptor = resource.record.DESCRIPTOR
    *outer, last = column.path.split(".")
    for step in outer:
        descriptor = descriptor.fields_by_name[step].message_type
    field = descriptor.fields_by_name[last]
    kind, convert = _kind(field, column.path)
    return Field(column.path, kind, convert, column.sorted, column.sought, field.enum_type)


def _kind(field: FieldDescriptor, path: str) -> tuple[str, Callable[[Any], Any]]:
    if field.is_repeated and field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return "words", words
    if field.is_repeated:
        raise TypeError(f"{path}: a repeated {field.type} cannot be a column")
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return "text", str
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return "enum", int
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return "boolean", _whole
    if field.cpp_type in INTEGERS:
        return "integer", int
    if field.message_type and field.message_type.full_name == "google.type.Date":
        return "date", iso
    if field.message_type and field.message_type.full_name == "google.protobuf.Timestamp":
        return "time", microseconds
    raise TypeError(f"{path}: its type cannot be a column")


def _whole(value: bool) -> int:
    return int(value)


def words(values: Any) -> str:
    """Return ` one two `: each value between blanks, so that a whole value is found by a substring."""
    return f" {' '.join(values)} " if values else ""


def iso(date: Any) -> str:
    """Return `2026-01-05`, which sorts as the dates do; empty when unset."""
    return f"{date.year:04d}-{date.month:02d}-{date.day:02d}" if date.year else ""


def microseconds(timestamp: Any) -> int:
    """Return microseconds since 1970 UTC."""
    return int(timestamp.seconds * 1_000_000 + timestamp.nanos // 1000)

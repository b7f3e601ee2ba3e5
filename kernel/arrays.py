"""PostgreSQL arrays in its binary format: psycopg's own lists cost thirty times as much for an element of 1 KB of bytes."""

import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

V = TypeVar("V")
LENGTH = struct.Struct("!i")
LENGTH_AND_INTEGER = struct.Struct("!iq")
HEADER = struct.Struct("!iiIii")  # dimensions, has nulls, element's oid, length, lower bound
EMPTY = struct.Struct("!iiI")
INTEGER, TEXT, BYTES = 20, 25, 17  # oids of the elements


class Packed(bytes):
    """One array as the server reads it."""


class TextArray(Packed):
    """text[]"""


class BytesArray(Packed):
    """bytea[]"""


class IntegerArray(Packed):
    """bigint[]"""


class Array(sa.types.UserDefinedType[Sequence[Any]]):
    """An array parameter of text, bytes or whole numbers; no NULLs."""

    cache_ok = True

    def __init__(self, element: sa.types.TypeEngine[Any]) -> None:
        self.element, self.kind = element, _kind(element)

    def get_col_spec(self, **_: Any) -> str:
        return {TextArray: "TEXT[]", BytesArray: "BYTEA[]", IntegerArray: "BIGINT[]"}[self.kind]

    def bind_processor(self, dialect: sa.Dialect) -> Any:
        return PACK[self.kind]


def packer(element: sa.types.TypeEngine[Any]) -> Callable[[Sequence[Any]], Packed]:
    """Return what makes an array of such elements."""
    return PACK[_kind(element)]


def _kind(element: sa.types.TypeEngine[Any]) -> type[Packed]:
    if isinstance(element, sa.LargeBinary):
        return BytesArray
    return IntegerArray if isinstance(element, sa.Integer) else TextArray


def _header(element: int, count: int) -> bytes:
    return HEADER.pack(1, 0, element, count, 1) if count else EMPTY.pack(0, 0, element)


def _items(values: Sequence[V], item: Callable[[V], bytes]) -> bytes:
    """Most columns of a batch hold one value throughout, which is written down once."""
    if values and values.count(values[0]) == len(values):
        return item(values[0]) * len(values)
    return b"".join(map(item, values))


def _bytes_item(value: bytes) -> bytes:
    return LENGTH.pack(len(value)) + value


def _text_item(value: str) -> bytes:
    return _bytes_item(value.encode())


def _integer_item(value: int) -> bytes:
    return LENGTH_AND_INTEGER.pack(8, value)


def _pack_bytes(values: Sequence[bytes]) -> BytesArray:
    return BytesArray(_header(BYTES, len(values)) + _items(values, _bytes_item))


def _pack_text(values: Sequence[str]) -> TextArray:
    return TextArray(_header(TEXT, len(values)) + _items(values, _text_item))


def _pack_integers(values: Sequence[int]) -> IntegerArray:
    return IntegerArray(_header(INTEGER, len(values)) + _items(values, _integer_item))


PACK: dict[type[Packed], Callable[[Sequence[Any]], Packed]] = {
    TextArray: _pack_text,
    BytesArray: _pack_bytes,
    IntegerArray: _pack_integers,
}


TEXT_ARRAY = PACK[TextArray]
"""Makes an array of texts."""


class _PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, value: Packed) -> bytes:
        return value


OIDS: dict[type[Any], int] = {TextArray: 1009, BytesArray: 1001, IntegerArray: 1016}


def oid_of(value: Any) -> int:
    """Return a parameter's type; 0: the server sees from the statement what it is."""
    return OIDS.get(type(value), 0)


def register(adapters: AdaptersMap) -> None:
    """Teach a connection the three kinds of arrays."""
    for kind, oid in OIDS.items():
        adapters.register_dumper(
            kind, type(f"{kind.__name__}Dumper", (_PackedDumper,), {"oid": oid})
        )

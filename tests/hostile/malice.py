"""Requests that nobody means well with, made from the contract alone: structured ones, and bytes that are none."""

import random
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from tests.service.registry_suite import SAMPLES, UNIT

TEXTS = (
    "", "a", "\0", "甲\0乙", "\n", "x" * 201, "长" * 3001, "嵩山实验室", "🙂" * 30, "%_*\\", "\u202eabc",
    "pc1:" + "A" * 43, "' OR 1=1 --", "DST", "410100", UNIT, "1" * 5000, "2026-02-30", "provincial-laboratory",
    "platforms/x", "platforms/../x", "platforms/x\n", "calls/suite", "programmes/suite", "entries/999999999999999999",
    "reports/0000-01", "reports/2026-03", "reports/9999-12", "reviews/x", "r1", "AAAA", "title:甲", "(" * 30 + "a" + ")" * 30,
    "create_time > \"0001-01-01T00:00:00+23:59\"", "NOT " * 400 + "a", "title = \"*a*b*c*d*e*f*\"", "name desc", "title title",
    "requested_fen > 99999999999999999999", "effective_date = ٢٠٢٦-٠١-٠١", "-", "\"\\\"", "create_time > 2026-01-01T24:00:00Z",
    "z" * 40_000, "\ufeff", "e\u0301" * 500, "\U0010ffff", "${jndi:ldap://x}", "../../etc/passwd", "{{7*7}}", "<script>",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 50, 1000, 2**31 - 1, -(2**31), 2**53, 2**62, 2**63 - 1, -(2**63))
FLOATS = (0.0, -0.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf"))
DATES = (
    (2026, 3, 16), (0, 0, 0), (2026, 2, 30), (10000, 1, 1), (-1, 1, 1), (2**31 - 1, -1, 99), (1, 1, 1), (2026, 0, 0),
)  # fmt: skip
TIMES = (
    (0, 0), (-62135596800, 0), (-62135596801, 0), (253402300800, 0), (2**63 - 1, 0), (-(2**63), -1), (1, 2**31 - 1),
)  # fmt: skip
DEEP = 90  # messages within one another; protobuf reads 100
UNREAD = 4_000  # more than it reads


class Malice:
    """Makes requests, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def fill(self, message: Any, depth: int = 0) -> Any:
        kind = message.DESCRIPTOR.full_name
        if kind == "google.type.Date":
            message.year, message.month, message.day = self.dice.choice(DATES)
        elif kind == "google.protobuf.Timestamp":
            message.seconds, message.nanos = self.dice.choice(TIMES)
        else:
            for field in message.DESCRIPTOR.fields:
                if self.dice.random() < 0.4:
                    self._put(message, field, depth)
        return message

    def spoil(self, message: Any) -> Any:
        """Change one field or three of a request that would do."""
        for _ in range(self.dice.choice((1, 1, 3))):
            inner = message
            while (parts := self._parts(inner)) and self.dice.random() < 0.6:
                inner = self.dice.choice(parts)
            field = self.dice.choice(inner.DESCRIPTOR.fields)
            inner.ClearField(field.name)
            self._put(inner, field, 1)
        return message

    @staticmethod
    def _parts(message: Any) -> list[Any]:
        fields = message.ListFields()
        return [value for field, value in fields if field.message_type and not field.is_repeated]

    def _put(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        if field.message_type and depth > 4:
            return
        values = getattr(message, field.name)
        if field.is_repeated:
            for _ in range(self.dice.choice((1, 2, 60)) if depth < 2 else 1):
                if field.message_type:
                    self.fill(values.add(), depth + 1)
                else:
                    values.append(self._value(field))
        elif field.message_type:
            values.SetInParent()
            self.fill(values, depth + 1)
        else:
            setattr(message, field.name, self._value(field))

    def _value(self, field: FieldDescriptor) -> Any:
        kind: Any = FieldDescriptor
        if field.cpp_type == kind.CPPTYPE_STRING:
            if field.type == kind.TYPE_BYTES:
                return self.dice.randbytes(self.dice.choice((0, 20, 32, 5000)))
            return self.dice.choice(TEXTS)
        if field.cpp_type == kind.CPPTYPE_ENUM:
            known = [value.number for value in field.enum_type.values]
            return self.dice.choice((*known, *known, 999, -1))
        if field.cpp_type in (kind.CPPTYPE_DOUBLE, kind.CPPTYPE_FLOAT):
            return self.dice.choice(FLOATS)
        if field.cpp_type == kind.CPPTYPE_BOOL:
            return self.dice.random() < 0.3
        bits = 31 if field.cpp_type in (kind.CPPTYPE_INT32, kind.CPPTYPE_UINT32) else 63
        least = 0 if field.cpp_type in (kind.CPPTYPE_UINT32, kind.CPPTYPE_UINT64) else -(2**bits)
        return min(max(self.dice.choice(NUMBERS), least), 2**bits - 1)

    def request(self, method: MethodDescriptor) -> Any:
        """Return a request: made up, or one that would do and is spoilt."""
        likely = _likely(method)
        if likely is None:
            return self.fill(GetMessageClass(method.input_type)())
        return self.spoil(likely)

    # Bytes.

    def bytes_of(self, method: MethodDescriptor) -> bytes:
        """Return bytes in the place of a request."""
        return self.dice.choice(_SPOILT)(self, self.request(method).SerializeToString())

    def noise(self, _raw: bytes) -> bytes:
        return self.dice.randbytes(self.dice.choice((0, 1, 2, 7, 60, 900, 20_000)))

    def flipped(self, raw: bytes) -> bytes:
        body = bytearray(raw or b"\x0a\x01a")
        for _ in range(self.dice.choice((1, 1, 4))):
            body[self.dice.randrange(len(body))] ^= 1 << self.dice.randrange(8)
        return bytes(body)

    def cut(self, raw: bytes) -> bytes:
        return raw[: self.dice.randrange(len(raw) + 1)]

    def doubled(self, raw: bytes) -> bytes:
        at = self.dice.randrange(len(raw) + 1)
        return raw[:at] + raw[at // 2 : at] + raw[at:]

    def unknown(self, raw: bytes) -> bytes:
        """Add fields that no contract knows, of every wire type; groups and reserved numbers as well."""
        return raw + b"".join(self._field() for _ in range(self.dice.choice((1, 5, 300))))

    def _field(self) -> bytes:
        number, kind = self.dice.choice((0, 1, 15, 100, 19_000, 2**29 - 1)), self.dice.randrange(8)
        return _varint(number << 3 | kind) + self.dice.randbytes(self.dice.choice((0, 1, 4, 8)))

    def long(self, raw: bytes) -> bytes:
        """A length that lies, or a number that does not end."""
        return raw + self.dice.choice(
            (b"\x0a" + _varint(2**31), b"\x0a\xff\xff\xff\xff\x0f", b"\x08" + b"\xff" * 60)
        )

    def deep(self, raw: bytes) -> bytes:
        """Messages within messages, and groups within groups, to both sides of what is read."""
        depth = self.dice.choice((DEEP, UNREAD))
        if self.dice.random() < 0.5:
            return raw + b"\x0b" * depth + b"\x0c" * depth
        body = b""
        for _ in range(depth):
            body = b"\x0a" + _varint(len(body)) + body
        return raw + body

    def ill_spelt(self, raw: bytes) -> bytes:
        """Text that is no UTF-8."""
        wrong = self.dice.choice(
            (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe4\xb8")
        )
        number = self.dice.choice((1, 2, 3, 4, 5, 10, 11))
        return raw + _varint(number << 3 | 2) + _varint(len(wrong)) + wrong


_SPOILT: tuple[Callable[[Malice, bytes], bytes], ...] = (
    Malice.noise,
    Malice.flipped,
    Malice.cut,
    Malice.doubled,
    Malice.unknown,
    Malice.long,
    Malice.deep,
    Malice.ill_spelt,
)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def _likely(method: MethodDescriptor) -> Any:
    """Return a request that would do, where one is known."""
    request: Any = GetMessageClass(method.input_type)()
    for sample in SAMPLES:
        if method.name == f"Create{sample.noun}":
            getattr(request, sample.singular).CopyFrom(sample.draft())
            return request
        if method.name == f"BatchCreate{sample.plural}":
            getattr(request.requests.add(), sample.singular).CopyFrom(sample.draft())
            return request
        if method.name == f"Import{sample.plural}":
            return sample.rows(sample.row("malice"), sample.row("malice-2"))
    return None

"""The contract's rules in the interpreter: of every message and every rule they say what protovalidate says."""

from collections.abc import Iterator
from typing import Any

import protovalidate
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from app.catalogue import REGISTRIES
from bench.rows import platform
from buf.validate import validate_pb2
from kernel.rules import _rules, kept
from luoshu.audit.v1 import audit_pb2
from luoshu.events.v1 import events_pb2
from luoshu.journal.v1 import journal_pb2
from luoshu.platforms.v1 import platforms_pb2 as pb
from luoshu.privacy.v1 import privacy_pb2
from luoshu.reports.v1 import reports_pb2

VALIDATOR = protovalidate.Validator()
FILES: tuple[Any, ...] = (audit_pb2, events_pb2, journal_pb2, privacy_pb2, reports_pb2)
CONTRACTS = [s.contract for s in REGISTRIES] + [
    service for file in FILES for service in file.DESCRIPTOR.services_by_name.values()
]


def reachable() -> list[Descriptor]:
    """Return every message that a request may hold."""
    found: dict[str, Descriptor] = {}
    todo = [method.input_type for contract in CONTRACTS for method in contract.methods]
    while todo:
        message = todo.pop()
        if message.full_name not in found:
            found[message.full_name] = message
            todo += [f.message_type for f in message.fields if f.message_type is not None]
    return sorted(found.values(), key=lambda message: message.full_name)


def rules(field: FieldDescriptor) -> Any:
    said = field.GetOptions().Extensions[validate_pb2.field]
    return said.repeated.items if field.is_repeated else said


MESSAGES = reachable()
PATTERNS = sorted({rules(f).string.pattern for m in MESSAGES for f in m.fields} - {""})
COLLECTIONS = sorted({
    word.lstrip("^(").split("/")[0] for word in PATTERNS if word.lstrip("^(")[:1].islower() and "/" in word
})  # fmt: skip
GOOD = (
    "abc", "abc-1", "a_b", "DST", "CNY", "b1", "m1", "0", "42", "1.2.3", "410100", "91110000710926094P", "zh", "重点实验室",
    "reports/2026-03", "ps1-" + "a" * 22, "0" * 64, "entries/17", "tile/entries/x001/000.p/7", "a" * 56, "a" * 64,
    *(f"{collection}/abc-1" for collection in COLLECTIONS),
)  # fmt: skip
STRANGE = ("{}", "{}\n", "\n{}", " {}", "{}é", "{}\x00", "{}٣")
TEXTS = (
    *(strange.format(text) for text in GOOD for strange in STRANGE),
    *(text.upper() for text in GOOD), "", "a" * 57, "a" * 65, "x|y",
)  # fmt: skip


def edges(rule: Any, of: tuple[str, ...]) -> list[int]:
    said = {f.name: limit for f, limit in rule.ListFields() if f.name in of}
    return [limit + by for limit in said.values() for by in (-1, 0, 1)]


def values(field: FieldDescriptor) -> list[Any]:
    """Return values at the edges of a field's rules, and around."""
    rule = rules(field)
    if field.message_type is not None:
        return [GetMessageClass(field.message_type)()]
    if field.enum_type is not None:
        return [*field.enum_type.values_by_number, 99]
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        lengths = edges(rule.string, ("min_len", "max_len", "max_bytes", "len"))
        lengths += [length // 3 for length in lengths]
        return [*TEXTS, *("中" * length for length in lengths), *("a" * n for n in lengths)]
    if field.cpp_type in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64):
        kind = "int32" if field.cpp_type == FieldDescriptor.CPPTYPE_INT32 else "int64"
        return [0, 1, -1, 2**31 - 1, *edges(getattr(rule, kind), ("gte", "lte", "gt", "lt"))]
    return [True] if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else []


def variants(message: Descriptor) -> Iterator[Any]:
    """Yield a message with nothing set, and with each field set to each value, alone and in lists."""
    make = GetMessageClass(message)
    yield make()
    for field in message.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        said = values(field)
        if field.is_repeated:
            most = field.GetOptions().Extensions[validate_pb2.field].repeated.max_items
            lists = [[value] for value in said] + [said[:1] * 2, said[:2], said[:1] * most]
            distinct = (
                [f"abc-{n}" for n in range(most + 1)]
                if said and said[0] == "abc"
                else said[:1] * (most + 1)
            )
            said = [*lists, distinct[:most], distinct] if most else lists  # fmt: skip
        for value in said:
            changed = good(message)
            put(changed, field, value)
            yield changed


def put(message: Any, field: FieldDescriptor, value: Any) -> None:
    message.ClearField(field.name)
    if field.is_repeated:
        getattr(message, field.name).extend(value)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(value)
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, value)


def good(descriptor: Descriptor) -> Any:
    """Return a message whose needed fields are set to something that is good, where that is found."""
    message = GetMessageClass(descriptor)()
    needed = _rules(descriptor)[1]
    for field in descriptor.fields:
        if field.number in needed and field.message_type is not None:
            inner = good(field.message_type)
            put(message, field, [inner] if field.is_repeated else inner)
        elif field.number in needed:
            put(message, field, _good_value(descriptor, field))
    return message


def _good_value(descriptor: Descriptor, field: FieldDescriptor) -> Any:
    check = _rules(descriptor)[0].get(field.number, bool)
    said = values(field)
    if field.is_repeated:
        said = [[value] for value in said] + [[text, f"{text}1"] for text in GOOD]
    return next(value for value in said if check(value))


@pytest.mark.parametrize("descriptor", MESSAGES, ids=lambda descriptor: descriptor.full_name)
def test_what_is_good_here_is_good_to_protovalidate_and_the_other_way_round(
    descriptor: Descriptor,
) -> None:
    nobody_can_tell = 0 in _rules(descriptor)[1]
    for message in variants(descriptor):
        wrong = VALIDATOR.collect_violations(message, fail_fast=True)
        if kept(message) or not nobody_can_tell:
            assert kept(message) is not bool(wrong), (message, wrong)


def test_every_pattern_is_tried_with_what_it_takes_and_with_what_it_does_not() -> None:
    for message in MESSAGES:
        for field in message.fields:
            if not rules(field).string.pattern or field.is_repeated:
                continue
            check = _rules(message)[0][field.number]
            assert {bool(check(text)) for text in TEXTS} == {True, False}, field.full_name


def test_what_is_asked_most_needs_nobody_else() -> None:
    assert kept(pb.CreatePlatformRequest(platform=platform(1), request_id="one"))
    assert kept(pb.GetPlatformRequest(name="platforms/abc"))
    unsure = [m.full_name for m in MESSAGES if 0 in _rules(m)[1]]
    assert len(unsure) <= 1, unsure

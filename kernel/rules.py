"""The contract's rules, for the many messages that keep them: a look at a third of what protovalidate takes.

protovalidate asks Python for every field that a message might have; here only what is set is looked at. What is wrong with a
message, and what a rule means that is not in these tables, protovalidate alone says.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from buf.validate import validate_pb2

Check = Callable[[Any], Any]
"""Tells whether a value surely keeps its rules."""

UNLIKE = re.compile(r"\\(?!\.|x[0-9a-f]{2})|\(\?|\[\[")
"""What a pattern may mean one thing with in RE2 and another in Python."""


def kept(message: Any) -> bool:
    """Tell whether a message surely keeps its contract's rules. False: protovalidate knows."""
    return _kept(message.DESCRIPTOR, message)


def _kept(descriptor: Descriptor, message: Any) -> bool:
    checks, needed = _rules(descriptor)
    met = 0
    for field, value in message.ListFields():
        number = field.number
        check = checks.get(number)
        if check is not None and not check(value):
            return False
        met += number in needed
    return met == len(needed)


@lru_cache(maxsize=1024)
def _rules(descriptor: Descriptor) -> tuple[Mapping[int, Check], frozenset[int]]:
    """Return the checks by field, and the fields that must be set. The number 0, which no field has: nobody can tell."""
    checks = {f.number: c for f in descriptor.fields if (c := _check(f)) is not None}
    needed = {f.number for f in descriptor.fields if _is_needed(f, checks.get(f.number))}
    of_all = (descriptor.GetOptions().Extensions[validate_pb2.message],)
    of_choices = (o.GetOptions().Extensions[validate_pb2.oneof] for o in descriptor.oneofs)
    if any(rules.ListFields() for rules in (*of_all, *of_choices)):
        needed.add(0)
    return checks, frozenset(needed)


def _is_needed(field: FieldDescriptor, check: Check | None) -> bool:
    """Tell whether the rules are against the field where it is not set."""
    if _field_rules(field).required:
        return True
    if check is None or field.has_presence:
        return False
    return not check([] if field.is_repeated else field.default_value)


def _check(field: FieldDescriptor) -> Check | None:
    rules = _field_rules(field)
    if not field.is_repeated:
        return _one(field, rules)
    said = {rule.name: limit for rule, limit in rules.repeated.ListFields()}
    one = _one(field, rules.repeated.items)
    alike = said.get("unique") and field.cpp_type != field.CPPTYPE_STRING
    if alike or _others(rules, "repeated") or said.keys() - ITEMS or _is_map(field):
        return _unsure
    if one is None and not said:
        return None
    low, high = said.get("min_items", 0), said.get("max_items", 2**63)
    return partial(_each, one, low, high, said.get("unique", False))


def _each(one: Check | None, low: int, high: int, unique: bool, values: Any) -> bool:
    if not low <= len(values) <= high or (unique and len(set(values)) < len(values)):
        return False
    return one is None or all(map(one, values))


def _one(field: FieldDescriptor, rules: Any) -> Check | None:
    """Return the check of one value of a field; None: there is no rule."""
    kind = rules.WhichOneof("type")
    if _others(rules, kind) or (kind and (field.message_type or kind not in KINDS)):
        return _unsure
    if field.message_type:
        return partial(_kept, field.message_type)
    if not kind:
        return None
    said = {rule.name: limit for rule, limit in getattr(rules, kind).ListFields()}
    checks = list(KINDS[kind](field, said))
    if said:  # left: rules that are not known here
        return _unsure
    return checks[0] if len(checks) == 1 else lambda value: all(check(value) for check in checks)


def _text(_: FieldDescriptor, said: dict[str, Any]) -> Iterator[Check]:
    if "min_len" in said or "max_len" in said:
        low, high = said.pop("min_len", 0), said.pop("max_len", 2**63)
        yield lambda value: low <= len(value) <= high
    if "max_bytes" in said:
        most = said.pop("max_bytes")
        yield lambda value: len(value.encode()) <= most
    pattern = said.get("pattern", "")
    if pattern[:1] == "^" and pattern[-1:] == "$" and not UNLIKE.search(pattern):
        yield re.compile(f"(?:{said.pop('pattern')[1:-1]})").fullmatch


def _number(_: FieldDescriptor, said: dict[str, Any]) -> Iterator[Check]:
    low, high = said.get("gte", -(2**63)), said.get("lte", 2**64)
    if low <= high:  # else the rule means what is outside
        said.pop("gte", None), said.pop("lte", None)
        yield lambda value: low <= value <= high
    if said.keys() == {"gt"}:
        above = said.pop("gt")
        yield lambda value: value > above


def _choice(field: FieldDescriptor, said: dict[str, Any]) -> Iterator[Check]:
    if field.enum_type is not None and said.pop("defined_only", False):
        yield frozenset(field.enum_type.values_by_number).__contains__
    if "not_in" in said:
        wrong = frozenset(said.pop("not_in"))
        yield lambda value: value not in wrong


ITEMS = {"min_items", "max_items", "unique", "items"}
KINDS: Mapping[str, Callable[[FieldDescriptor, dict[str, Any]], Iterator[Check]]] = {
    "string": _text,
    "int32": _number,
    "int64": _number,
    "enum": _choice,
}


def _field_rules(field: FieldDescriptor) -> Any:
    return field.GetOptions().Extensions[validate_pb2.field]


def _others(rules: Any, kind: str) -> bool:
    """Tell whether there are rules besides those of a kind: conditions, expressions."""
    return not {rule.name for rule, _ in rules.ListFields()} <= {kind, "required"}


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def _unsure(_: Any) -> bool:
    return False

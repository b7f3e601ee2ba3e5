"""Plain values into fields of a message, by the field's own type."""

import datetime
import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from app.importing.problems import UnfitFile, UnfitValue

TRUE = {"true", "yes", "y", "1", "是", "有"}
FALSE = {"false", "no", "n", "0", "否", "无"}
DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
NAMED = re.compile(r"(?P<name>[^{\[].*?)\s*(?:[(（](?P<code>[0-9A-Z]{18})[)）])?")
"""A unit in one cell: `河南大学`, or `河南大学（12410000415801395B）` with its credit code."""
WHOLE_TYPES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}


def field_at(record: Any, path: str) -> FieldDescriptor:
    """Return the field that `contact.name` names. Raises UnfitFile, naming what there is."""
    at: Any = record
    found: FieldDescriptor | None = None
    for part in path.split("."):
        found = at.fields_by_name.get(part) if at is not None else None
        if found is None:
            known = ", ".join(f.name for f in at.fields) if at is not None else ""
            raise UnfitFile(
                f"{record.name} has no field {path!r}; there are: {known}",
                f"{record.name} 没有字段 {path!r}；可用：{known}",
            )
        at = found.message_type
    assert found is not None  # noqa: S101 - a path has at least one part
    return found


def put(message: Message, path: str, value: Any) -> None:
    """Write a value, or a list of them, at a path. Raises UnfitValue, UnfitFile."""
    field = field_at(message.DESCRIPTOR, path)
    *parents, last = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    if field.is_repeated:
        many = [part for one in _listed(value) for part in _listed(one)]
        getattr(message, last).extend(converted(field, one) for one in many)
    elif field.message_type is not None:
        part = getattr(message, last)
        part.SetInParent()
        part.CopyFrom(converted(field, value))
    else:
        setattr(message, last, converted(field, value))


def _listed(value: Any) -> list[Any]:
    """Return a list as it is, a JSON list as its elements, anything else as a list of one."""
    if isinstance(value, list):
        return value
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return list(json.loads(value, parse_float=Decimal))
        except ValueError as error:
            en, zh = f"no JSON list: {error}", f"不是 JSON 列表：{error}"
            raise UnfitValue("NOT_JSON", en, zh) from None
    return [value]


def converted(field: FieldDescriptor, value: Any) -> Any:
    """Return a value as the field's type. Raises UnfitValue."""
    if isinstance(value, Message):
        return value
    if field.message_type is not None:
        return _message(field.message_type, value)
    if field.enum_type is not None:
        return _choice(field, value)
    if field.type in WHOLE_TYPES:
        return whole(value, *WHOLE_TYPES[field.type])
    if field.type == FieldDescriptor.TYPE_BOOL:
        return truth(value)
    if field.type == FieldDescriptor.TYPE_STRING:
        return value if isinstance(value, str) else str(value)
    raise UnfitFile(
        f"{field.full_name} cannot be read from a file", f"{field.full_name} 不能从文件读入"
    )


def whole(value: Any, least: int, most: int) -> int:
    """Return a whole number. Raises UnfitValue where it is none, or too large for the field."""
    text = str(value).strip().replace(",", "").replace("，", "")
    try:
        exact = Decimal(text)
        number = int(exact)
    except (InvalidOperation, ValueError, OverflowError):
        raise UnfitValue("NOT_A_NUMBER", f"{text!r} is no number", f"{text!r} 不是数字") from None
    if exact != number or isinstance(value, bool):
        raise UnfitValue("NOT_A_WHOLE_NUMBER", f"{text!r} is no whole number", f"{text!r} 不是整数")
    if not least <= number <= most:
        raise UnfitValue("NUMBER_TOO_LARGE", f"{text!r} is too large", f"{text!r} 超出范围")
    return number


def truth(value: Any) -> bool:
    """Return yes or no. Raises UnfitValue."""
    text = str(value).strip().casefold()
    if text in TRUE | FALSE:
        return text in TRUE
    raise UnfitValue(
        "NOT_YES_OR_NO", f"{value!r} is neither yes nor no", f"{value!r} 不是“是”或“否”"
    )


def date(value: Any, pattern: str = "") -> Date:
    """Return a date: by `pattern` (strptime), else like `2026-1-5`, `2026/1/5`, `2026年1月5日`.

    Raises UnfitValue.
    """
    text = str(value).strip()
    try:
        if pattern:
            day = datetime.datetime.strptime(text, pattern)  # noqa: DTZ007 - a business date has no zone
            return Date(year=day.year, month=day.month, day=day.day)
        found = DATE.fullmatch(text.split("T")[0].split(" 00:")[0])
        if found is None:
            raise ValueError(text)
        dated = datetime.date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        wanted = pattern or "2026-01-05"
        raise UnfitValue(
            "NOT_A_DATE", f"{text!r} is no date like {wanted}", f"{text!r} 不是形如 {wanted} 的日期"
        ) from None
    return Date(year=dated.year, month=dated.month, day=dated.day)


def instant(value: Any) -> Timestamp:
    """Return an instant from RFC 3339 text. Raises UnfitValue."""
    stamp = Timestamp()
    try:
        stamp.FromJsonString(str(value).strip())
    except ValueError:
        raise UnfitValue(
            "NOT_AN_INSTANT",
            f"{value!r} is no instant like 2026-01-05T08:00:00Z",
            f"{value!r} 不是形如 2026-01-05T08:00:00Z 的时刻",
        ) from None
    return stamp


def choice_name(field: FieldDescriptor, short: str) -> str:
    """Return the name of an enum's value: `draft` means `STATE_DRAFT`; empty where there is none."""
    choices: Any = field.enum_type
    prefix = str(choices.values_by_number[0].name).removesuffix("UNSPECIFIED")
    wanted = short.strip().upper().replace("-", "_").replace(" ", "_")
    return next((name for name in (wanted, prefix + wanted) if name in choices.values_by_name), "")


def _choice(field: FieldDescriptor, value: Any) -> int:
    choices: Any = field.enum_type
    name = choice_name(field, str(value))
    if name:
        return int(choices.values_by_name[name].number)
    raise unknown_choice(str(value), choice_words(field), choice_words(field))


def choice_words(field: FieldDescriptor) -> list[str]:
    """Return an enum's values as people write them: `draft` for `STATE_DRAFT`."""
    choices: Any = field.enum_type
    prefix = str(choices.values_by_number[0].name).removesuffix("UNSPECIFIED")
    return [v.name.removeprefix(prefix).lower() for v in choices.values if v.number]


def unknown_choice(value: str, words: Sequence[str], words_zh: Sequence[str]) -> UnfitValue:
    """Return the complaint about a value that is no choice: all that there are, and the nearest."""
    near, near_zh = nearest(value, words), nearest(value, words_zh)
    return UnfitValue(
        "UNKNOWN_CHOICE",
        f"{value!r} is none of {', '.join(words)}" + (f"; did you mean {near!r}?" if near else ""),
        f"“{value}”不是可选值：{'、'.join(words_zh)}"
        + (f"；是否为 {near_zh}？" if near_zh else ""),
    )


def nearest(value: str, known: Sequence[str]) -> str:
    """Return what was probably meant; empty where nothing is near."""
    return next(iter(difflib.get_close_matches(value.strip(), known, 1, cutoff=0.5)), "")


def _where(error: Exception) -> str:
    """Return what the parser says, without the class names of its library."""
    return str(error).removeprefix("Failed to load JSON: ").replace("\n", " ")[:120]


def _typed(message: Any) -> Message:
    return message  # type: ignore[no-any-return]


def _message(kind: Descriptor, value: Any) -> Message:
    from google.protobuf.message_factory import GetMessageClass

    simple: Mapping[str, Callable[[Any], Message]] = {
        "google.type.Date": date,
        "google.protobuf.Timestamp": instant,
    }
    if kind.full_name in simple:
        return simple[kind.full_name](value)
    message: Any = GetMessageClass(kind)()
    named = NAMED.fullmatch(value.strip()) if isinstance(value, str) else None
    if named is not None and "name" in kind.fields_by_name:
        message.name = named["name"]
        if named["code"] and "code" in kind.fields_by_name:
            message.code = named["code"]
        return _typed(message)
    try:
        if isinstance(value, str):
            json_format.Parse(value, message)
        else:
            json_format.ParseDict(value, message)
    except (json_format.ParseError, TypeError) as error:
        raise UnfitValue(
            "NOT_A_MESSAGE",
            f"{str(value)[:40]!r} is no {kind.name} in JSON ({_where(error)})",
            f"“{str(value)[:40]}”不是 JSON 形式的 {kind.name}",
        ) from None
    return _typed(message)

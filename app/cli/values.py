"""Words of the command line into fields of a request."""

import datetime
import re
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from app.cli.failures import REFUSED_ROWS, Failure
from app.cli.output import DATE, INSTANT, SHANGHAI, choice_named
from app.importing.amounts import hundredths
from app.importing.fields import choice_name, field_at, instant, put
from app.importing.problems import UnfitFile, UnfitValue

DAY = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")
LOCAL = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
BEGIN, END = datetime.time.min, datetime.time.max
NAMED_DAYS = ("today", "yesterday")
_REST = "today, yesterday, '2026-01-05 08:00:00' of Beijing, or an instant with zone"
WHEN = f"a day (its end), {_REST}"
"""What may be said where a time is wanted."""
BOUND = f"a day (its beginning), {_REST}"
"""What may be said where a span begins, or ends without what is at its end."""


def assign(message: Message, path: str, word: str, label: str = "") -> None:
    """Write a word at a path such as `contact.name`; a repeated field gets one more.

    `label`: what a complaint calls the place, else the path. Raises Failure.
    """
    try:
        field = field_at(message.DESCRIPTOR, path)
        put(message, path, _typed(field, word))
    except UnfitFile as error:
        raise Failure(error.en, error.zh) from None
    except UnfitValue as error:
        en, zh = _example(field, path) if error.code.startswith("NOT_") else ("", "")
        at = label or path
        raise Failure(f"{at}: {error.en}{en}", f"{at}：{error.zh}{zh}", REFUSED_ROWS) from None


def _example(field: FieldDescriptor, path: str) -> tuple[str, str]:
    """Return what a field with fields of its own may be written as; empty for any other."""
    if field.message_type is None or field.message_type.full_name in (DATE, INSTANT):
        return "", ""
    inner: Any = field.message_type.fields
    parts = ", ".join(f'"{f.name}": {_sample(f)}' for f in inner[:2])
    text = f"'{path}={{{parts}}}'"
    if not field.is_repeated:
        text += f" / {path}.{inner[0].name}=…"
    return f"; write for example {text}", f"；可写作 {text}"


def _sample(field: FieldDescriptor) -> str:
    if field.message_type is not None or field.is_repeated:
        return "[…]" if field.is_repeated else "{…}"
    return '"…"' if field.type == FieldDescriptor.TYPE_STRING or field.enum_type else "1"


def _typed(field: FieldDescriptor, word: str) -> Any:
    if field.name.endswith("_fen"):
        return hundredths(word, "fen")
    if field.enum_type is not None:
        return choice_name(field, _chinese(field, word)) or word
    return word


def _chinese(field: FieldDescriptor, word: str) -> str:
    """Return the enum's name behind a Chinese one of the import templates or the screens, else the word."""
    from app.importing.headers import templates

    record: Any = field.containing_type
    template = templates().get(f"{record.name.lower()}s")
    known = template.choices.get(field.name, {}) if template else {}
    return known.get(word) or choice_named(field, word.strip()) or word


def pair(text: str) -> tuple[str, str]:
    """Return path and value of `title=…`. Raises Failure."""
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise Failure(
            f"{text!r} is no FIELD=VALUE, such as title=…",
            f"{text!r} 不是“字段=值”的形式，如 title=…",
        )
    return path.strip(), value


def moment_of(word: str, of_day: datetime.time = END) -> Timestamp:
    """Return an instant: RFC 3339, a time of Asia/Shanghai, or a day there, which means its end, or another time of it.

    Raises Failure.
    """
    try:
        if word in NAMED_DAYS:
            named = _today() - datetime.timedelta(days=NAMED_DAYS.index(word))
            return _stamp(datetime.datetime.combine(named, of_day, SHANGHAI))
        if DAY.fullmatch(word):
            year, month, day = map(int, word.split("-"))
            named = datetime.date(year, month, day)
            return _stamp(datetime.datetime.combine(named, of_day, SHANGHAI))
        if LOCAL.fullmatch(word):
            return _stamp(datetime.datetime.fromisoformat(word).replace(tzinfo=SHANGHAI))
        return instant(word)
    except (UnfitValue, ValueError):
        raise Failure(
            f"{word!r} is no time: write a day (2026-01-05, today, yesterday), a time of Beijing "
            "('2026-01-05 08:00:00') or an instant (2026-01-05T00:00:00Z)",
            f"{word!r} 不是时间：请写日期（2026-01-05、today、yesterday）、北京时间"
            "（'2026-01-05 08:00:00'）或时刻（2026-01-05T00:00:00Z）",
        ) from None


def set_span(request: Any, since: str | None, until: str | None) -> None:
    """Write from when on and before when: a day is its beginning in both. Raises Failure."""
    for field, word in (("start_time", since), ("end_time", until)):
        if word:
            getattr(request, field).CopyFrom(moment_of(word, BEGIN))


def demand_past(stamp: Timestamp, word: str) -> None:
    """Raises Failure for a time after today: what will be known then, nobody knows."""
    if stamp.seconds > _stamp(datetime.datetime.combine(_today(), END, SHANGHAI)).seconds:
        raise Failure(
            f"--read-time {word} is in the future; leave it out to see what is known now",
            f"--read-time {word} 在未来；查看当前所知请省略该选项",
        )


def _today() -> datetime.date:
    return datetime.datetime.now(SHANGHAI).date()


def _stamp(local: datetime.datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(local.astimezone(datetime.UTC))
    return stamp

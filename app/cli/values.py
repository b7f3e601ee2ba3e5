"""Words of the command line into fields of a request."""

import datetime
import re
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from app.cli.failures import REFUSED_ROWS, Failure
from app.cli.output import SHANGHAI
from app.importing.amounts import hundredths
from app.importing.fields import choice_name, field_at, instant, put
from app.importing.problems import UnfitFile, UnfitValue

DAY = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")


def assign(message: Message, path: str, word: str) -> None:
    """Write a word at a path such as `contact.name`; a repeated field gets one more.

    Raises Failure.
    """
    try:
        field = field_at(message.DESCRIPTOR, path)
        put(message, path, _typed(field, word))
    except UnfitFile as error:
        raise Failure(error.en, error.zh) from None
    except UnfitValue as error:
        raise Failure(f"{path}: {error.en}", f"{path}：{error.zh}", REFUSED_ROWS) from None


def _typed(field: FieldDescriptor, word: str) -> Any:
    if field.name.endswith("_fen"):
        return hundredths(word, "fen")
    if field.enum_type is not None:
        return choice_name(field, _chinese(field, word)) or word
    return word


def _chinese(field: FieldDescriptor, word: str) -> str:
    """Return the enum's name behind a Chinese one of the import templates, else the word."""
    from app.importing.headers import templates

    record: Any = field.containing_type
    template = templates().get(f"{record.name.lower()}s")
    return template.choices.get(field.name, {}).get(word, word) if template else word


def pair(text: str) -> tuple[str, str]:
    """Return path and value of `title=…`. Raises Failure."""
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise Failure(
            f"{text!r} is no FIELD=VALUE, such as title=…",
            f"{text!r} 不是“字段=值”的形式，如 title=…",
        )
    return path.strip(), value


def moment_of(word: str) -> Timestamp:
    """Return an instant: RFC 3339, or a day of Asia/Shanghai, which means its end.

    Raises Failure.
    """
    try:
        if DAY.fullmatch(word):
            year, month, day = map(int, word.split("-"))
            end = datetime.datetime(year, month, day, 23, 59, 59, 999_999, tzinfo=SHANGHAI)
            stamp = Timestamp()
            stamp.FromDatetime(end.astimezone(datetime.UTC))
            return stamp
        return instant(word)
    except (UnfitValue, ValueError):
        raise Failure(
            f"{word!r} is neither a day like 2026-01-05 nor an instant like 2026-01-05T08:00:00Z",
            f"{word!r} 既不是形如 2026-01-05 的日期，也不是形如 2026-01-05T08:00:00Z 的时刻",
        ) from None

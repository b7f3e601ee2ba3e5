"""Records and tables on paper: aligned on a terminal, tab-separated in a pipe, JSON when asked."""

import datetime
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import click
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from app.cli.names import HEADINGS, OWN_NAMES

SHANGHAI = ZoneInfo("Asia/Shanghai")
MOST_BYTES = 64
"""Bytes of a value that are printed, as hexadecimal digits: no more than a hash or a signature."""
ZONE = "（北京时间）"
"""Stands behind the heading of a column of times."""
TIMES = ("create_time", "update_time", "commit_time", "committed")
DATE, INSTANT = "google.type.Date", "google.protobuf.Timestamp"


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], spare: Sequence[str] = ()
) -> None:
    """Print a table as wide as the terminal, under headings in both languages; where nobody watches, as tab-separated
    lines under the plain headings.

    `spare`: columns that a terminal without room for them leaves out.
    """
    if not sys.stdout.isatty():
        plain = [f"{h}{ZONE}" if h in TIMES else h for h in headings]
        for row in (plain, *rows):
            click.echo("\t".join(one_line(cell) for cell in row))
        return
    from app.cli.screen import draw

    draw(_headed(headings), list(rows), _headed(spare))


def _headed(headings: Sequence[str]) -> list[str]:
    """Return headings with their Chinese below; those of times say which clock it is."""
    return [
        "\n".join(filter(None, (h, heading_zh(h), ZONE if h in TIMES else ""))) for h in headings
    ]


def heading_zh(heading: str) -> str:
    """Return what a column or a field is called in Chinese; empty where that is not known, or stands there already."""
    return HEADINGS.get(heading) or _template_headings().get(heading, "")


def one_line(cell: str) -> str:
    """Return a cell without what would break its line."""
    return " ".join("".join(c if c.isprintable() else " " for c in cell).split())


def as_json(message: Message) -> str:
    """Return a message as one line of JSON, fields named as in filters."""
    content = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return json.dumps(content, ensure_ascii=False)


def indented(message: Message) -> str:
    """Return a message as JSON on several lines."""
    content = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return json.dumps(content, ensure_ascii=False, indent=2)


def show(message: Message) -> None:
    """Print one record: a line a field, nested fields by their path."""
    rows = lines(message)
    if sys.stdout.isatty():
        rows = ((" ".join(filter(None, (path, heading_zh(path)))), value) for path, value in rows)
    table(["field", "value"], list(rows))


def amount(hundredths: int) -> str:
    """Return `199,999.52 (20.00 万)`: whole units with two decimals, exactly, and ten thousands
    rounded down.
    """
    sign, rest = ("-" if hundredths < 0 else ""), abs(hundredths)
    exact = f"{sign}{rest // 100:,}.{rest % 100:02}"
    if rest < 1_000_000:
        return exact
    ten_thousands = rest // 10_000
    return f"{exact} ({sign}{ten_thousands // 100:,}.{ten_thousands % 100:02} 万)"


def lines(
    message: Any, prefix: str = "", money: Callable[[int], str] = amount
) -> Iterator[tuple[str, str]]:
    """Yield (path, text) of every field that is set. `money`: how an amount in fen is told."""
    for field, value in message.ListFields():
        path = f"{prefix}{field.name}"
        items = enumerate(value) if field.is_repeated else [(None, value)]
        if field.is_repeated and not field.message_type:
            yield path, ", ".join(text(field, item, money) for item in value)
            continue
        for index, item in items:
            at = path if index is None else f"{path}[{index}]"
            if parts_of(field) is None:
                yield at, text(field, item, money)
            else:
                yield from lines(item, f"{at}.", money)


def parts_of(field: Any) -> Any:
    """Return the type whose fields are told for this one; None where it is one value."""
    inner = field.message_type
    return None if inner is None or inner.full_name in (DATE, INSTANT) else inner


def text(field: FieldDescriptor, value: Any, money: Callable[[int], str] = amount) -> str:
    """Return a value as people read it: local time, enum names in short, amounts in 万元."""
    if field.message_type is not None:
        return day(value) if field.message_type.full_name == DATE else moment(value)
    if field.enum_type is not None:
        return choice(field, value)
    if field.name.endswith("_fen"):
        return money(value)
    if isinstance(value, bytes):
        return value.hex() if len(value) <= MOST_BYTES else f"({len(value)} bytes)"
    return str(value)


def day(value: Any) -> str:
    """Return `2026-01-05`; empty where there is no date."""
    return f"{value.year:04}-{value.month:02}-{value.day:02}" if value.year else ""


def moment(value: Any) -> str:
    """Return an instant as Asia/Shanghai's clock shows it; empty where there is none."""
    if not value.seconds and not value.nanos:
        return ""
    utc = value.ToDatetime(datetime.UTC)
    return str(utc.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S"))


def choice(field: FieldDescriptor, number: int) -> str:
    """Return an enum's value in short, with its Chinese name where there is one."""
    choices: Any = field.enum_type
    value = choices.values_by_number.get(number)
    if value is None:
        return str(number)
    prefix = str(choices.values_by_number[0].name).removesuffix("UNSPECIFIED")
    chinese = _chinese(choices.full_name, value.name)
    return " ".join(filter(None, (value.name.removeprefix(prefix), chinese)))


def choice_named(field: FieldDescriptor, word: str) -> str:
    """Return the enum's value that is printed as the word: `同意`, or `AGREE 同意`; empty where none is."""
    choices: Any = field.enum_type
    for value in choices.values:
        printed = choice(field, value.number)
        if value.number and word in (printed, printed.partition(" ")[2]):
            return str(value.name)
    return ""


def state_text(record: Any, name: str) -> str:
    """Return a state of a kind of record, such as `STATE_DRAFT`, as `choice` has it."""
    field = record.fields_by_name.get("state")
    value = field.enum_type.values_by_name.get(name) if field is not None else None
    return choice(field, value.number) if value is not None else name


def _chinese(enum: str, name: str) -> str:
    own = OWN_NAMES.get(enum, {}).get(name, "")
    return own or _chinese_names().get(enum, {}).get(name, "")


def titled(section: str, key: str, language: str) -> str:
    """Return an id of the pack's section; in Chinese its name behind it, for other commands ask by the id."""
    if language != "zh":
        return key
    from app.importing.packs import title  # a pack takes a while to load

    return f"{key} {title(section, key)}".rstrip()


@cache
def _template_headings() -> Mapping[str, str]:
    """Return the Chinese names of fields of records, as the import templates have them."""
    from app.importing.headers import templates

    columns = [column for template in templates().values() for column in template.columns]
    return {column.field: column.zh for column in columns}


@cache
def _chinese_names() -> Mapping[str, Mapping[str, str]]:
    """Return the Chinese names of enum values by the enum, as the import templates have them."""
    from app.importing.fields import field_at
    from app.importing.headers import templates
    from luoshu.client.contract import kinds

    names: dict[str, Mapping[str, str]] = {}
    for collection, template in templates().items():
        kind = kinds().get(collection)
        for path, choices in template.choices.items() if kind else ():
            enum: Any = field_at(kind.record.DESCRIPTOR, path).enum_type if kind else None
            names[enum.full_name] = {name: zh for zh, name in choices.items()}
    return names

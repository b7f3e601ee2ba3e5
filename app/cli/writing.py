"""Commands that write records: create, update."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from google.protobuf import json_format
from google.protobuf.message import Message

from app.cli.demands import fields_named, states_named
from app.cli.failures import REFUSED_ROWS, Failure
from app.cli.fields import RecordCommand
from app.cli.files import text_of
from app.cli.kinds import kind_of, kind_of_name
from app.cli.records import function, print_record, resources
from app.cli.values import assign, pair
from luoshu.client.contract import Kind


def writing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every change has."""
    for option in (
        click.option("--effective-date", metavar="DAY", help="True from this business date on."),
        click.option("--validate-only", is_flag=True, help="Decide and answer; change nothing."),
        click.option("--request-id", help="Makes the call repeatable; given where you give none."),
    ):
        command = option(command)
    return command


def set_writing(request: Any, options: dict[str, Any]) -> None:
    """Write what those options say."""
    for name, value in options.items():
        if value:
            assign(request, name, str(value))


@click.command(cls=RecordCommand)
@click.argument("resource", shell_complete=resources)
@click.option("--field", "fields", multiple=True, metavar="FIELD=VALUE", help="May stand often.")
@click.option(
    "--json", "file", type=click.Path(), metavar="FILE", help="The record; -: standard input."
)
@click.option("--id", "record_id", default="", help="The last part of the name.")
@writing
@click.pass_context
def create(
    ctx: click.Context,
    /,
    resource: str,
    fields: tuple[str, ...],
    file: str | None,
    record_id: str,
    **options: Any,
) -> None:
    """Register a record as a draft. `luoshu create platforms --help` lists the fields of a platform.

    登记一条草稿记录；luoshu create platforms --help 列出平台的全部字段。
    """
    kind = kind_of(resource)
    call, request = function(ctx, kind, f"Create{kind.noun}")
    record = getattr(request, kind.noun.lower())
    record.SetInParent()
    _fill(record, file, fields)
    setattr(request, f"{kind.noun.lower()}_id", record_id)
    set_writing(request, options)
    with fields_named(kind.noun.lower()):
        made = call(request)
    print_record(ctx, made)


@click.command(cls=RecordCommand)
@click.argument("name")
@click.option("--field", "fields", multiple=True, metavar="FIELD=VALUE", help="May stand often.")
@click.option(
    "--json", "file", type=click.Path(), metavar="FILE", help="Fields; -: standard input."
)
@click.option("--etag", default="", help="The etag that was read; a stale one is refused.")
@writing
@click.pass_context
def update(
    ctx: click.Context,
    /,
    name: str,
    fields: tuple[str, ...],
    file: str | None,
    etag: str,
    **options: Any,
) -> None:
    """Edit fields of a record; an empty value clears a field."""
    kind = kind_of_name(name)
    call, request = function(ctx, kind, f"Update{kind.noun}")
    record = getattr(request, kind.noun.lower())
    if any("." in pair(text)[0] for text in fields):
        read = _merge_parts(ctx, kind, record, name, fields)
        etag = etag or read
    _fill(record, file, [text for text in fields if pair(text)[1]])
    paths = {f.name for f, _ in record.ListFields()} | {
        pair(text)[0].split(".")[0] for text in fields
    }
    record.name, record.etag = name, etag
    request.update_mask.paths.extend(sorted(paths))
    set_writing(request, options)
    with fields_named(kind.noun.lower()), states_named(kind.record.DESCRIPTOR):
        written = call(request)
    print_record(ctx, written)


def _merge_parts(
    ctx: click.Context, kind: Kind, record: Any, name: str, fields: Sequence[str]
) -> str:
    """Put the present parts of the record in, since a mask writes a part whole; return its etag."""
    call, request = function(ctx, kind, f"Get{kind.noun}")
    request.name = name
    present: Any = call(request)
    for top in {pair(text)[0].split(".")[0] for text in fields if "." in pair(text)[0]}:
        if top in record.DESCRIPTOR.fields_by_name and present.HasField(top):
            getattr(record, top).CopyFrom(getattr(present, top))
    return str(present.etag)


def _fill(record: Message, file: str | None, fields: Sequence[str]) -> None:
    if file:
        content = sys.stdin.read() if file == "-" else text_of(Path(file))
        try:
            json_format.ParseDict(json.loads(content), record)
        except (ValueError, json_format.ParseError) as error:
            raise Failure(
                f"{file} holds no such record: {error}",
                f"{file} 的内容不是这种记录：{error}",
                REFUSED_ROWS,
            ) from None
    for text in fields:
        assign(record, *pair(text))

"""Commands that read records: list, get, history."""

import csv
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
from google.protobuf.message import Message

from app.cli.failures import Failure
from app.cli.kinds import demand, kind_of, kind_of_name, registries
from app.cli.output import (
    as_json,
    day,
    indented,
    lines,
    moment,
    parts_of,
    show,
    state_text,
    table,
)
from app.cli.session import Command, session
from app.cli.values import WHEN, demand_past, moment_of
from luoshu.client import pages
from luoshu.client.contract import Kind, caller, request_of
from luoshu.client.pages import records_field

TIMES = ("read_time", "valid_time")


def resources(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a kind of record."""
    return [name for name in registries() if name.startswith(incomplete)]


def function(ctx: click.Context, kind: Kind, method: str) -> tuple[Callable[..., Any], Any]:
    """Return a call over the session's connection, and an empty request for it. Raises Failure."""
    demand(kind, method)
    found = kind.method(method)
    return caller(session(ctx).client.channel, found), request_of(found)()


def print_record(ctx: click.Context, record: Message) -> None:
    """Print one record as the session wants it."""
    if session(ctx).output == "json":
        click.echo(indented(record))
    else:
        show(record)


def _set_times(request: Any, **words: str | None) -> None:
    for name, word in words.items():
        if word:
            stamp = moment_of(word)
            if name == "read_time":
                demand_past(stamp, word)
            getattr(request, name).CopyFrom(stamp)


@click.command("list", cls=Command)
@click.argument("resource", shell_complete=resources)
@click.option(
    "--filter", "condition", default="", help="AIP-160, such as: state = DRAFT AND title : 实验室"
)
@click.option("--order-by", default="", help="Such as: create_time desc, name")
@click.option("--page-size", default=0, type=click.IntRange(0, 1000), help="Rows a page.")
@click.option("--page-token", default="", help="Go on where a page ended.")
@click.option("--all", "every", is_flag=True, help="Every page.")
@click.option("--columns", default="", metavar="PATH,…", help="Such as: name,title,approved_fen")
@click.option("--read-time", metavar="WHEN", help=f"As it was known then: {WHEN}.")
@click.option("--valid-time", metavar="WHEN", help=f"As it was true then: {WHEN}.")
@click.option(
    "-o",
    "--output",
    "style",
    type=click.Choice(["table", "json", "csv"]),
    help="How to print; csv: for a spreadsheet, amounts in whole fen.",
)
@click.pass_context
def list_records(
    ctx: click.Context,
    resource: str,
    condition: str,
    order_by: str,
    page_size: int,
    page_token: str,
    every: bool,
    columns: str,
    read_time: str | None,
    valid_time: str | None,
    style: str | None,
) -> None:
    """List records of a kind: platforms, breakthroughs, applications, …"""
    kind = kind_of(resource)
    chosen = [c.strip() for c in columns.split(",") if c.strip()]
    for column in chosen:
        _demand_column(kind.record.DESCRIPTOR, column)
    call, request = function(ctx, kind, f"List{kind.plural}")
    fields: dict[str, Any] = {"filter": condition, "order_by": order_by}
    fields |= {"page_size": page_size or 1000 * every, "page_token": page_token}
    for name, value in fields.items():
        if value:
            _set_plain(request, name, value)
    _set_times(request, read_time=read_time, valid_time=valid_time)
    found = pages(call, request) if every else iter([call(request)])
    _print_pages(found, every, chosen, style or session(ctx).output)


def _demand_column(record: Any, column: str) -> None:
    """Raises Failure: no line of such a record has this path."""
    within: Any = record
    for step in column.split("."):
        known = [_step(field) for field in within.fields] if within is not None else []
        fits = [f for f in known if re.sub(r"\[\d+\]", "[0]", step) == f]
        if not fits:
            raise Failure(
                f"no column {column}; at {step} there are: {', '.join(known) or 'none'}",
                f"没有列 {column}；{step} 处可用：{'、'.join(known) or '无'}",
            )
        within = parts_of(within.fields_by_name[fits[0].removesuffix("[0]")])
    if within is not None:
        parts = ", ".join(f"{column}.{_step(field)}" for field in within.fields)
        raise Failure(
            f"{column} has parts; name some: {parts}", f"{column} 由多项组成；请写明：{parts}"
        )


def _step(field: Any) -> str:
    """Return how a path names a field, as `lines` has it."""
    return f"{field.name}[0]" if field.is_repeated and field.message_type else str(field.name)


def _set_plain(request: Any, name: str, value: Any) -> None:
    if name not in request.DESCRIPTOR.fields_by_name:
        option = name.replace("_", "-")
        raise Failure(f"--{option} cannot be used here", f"此处不支持 --{option}")
    setattr(request, name, value)


def _print_pages(found: Iterator[Any], every: bool, columns: Sequence[str], style: str) -> None:
    records: list[Message] = []
    token = ""
    for page in found:
        records.extend(getattr(page, records_field(type(page))))
        token = page.next_page_token
    if style == "json":
        click.echo("[" + ",\n ".join(as_json(record) for record in records) + "]")
    elif style == "csv":
        print_csv(records, columns)
    else:
        print_table(records, columns)
    if token and not every:
        click.echo(f"more · 还有更多：--all, --page-token {token}", err=True)


def print_table(records: Sequence[Any], wanted: Sequence[str] = ()) -> None:
    """Print records of one kind as a table: the fields wanted, else what tells them apart."""
    columns = _columns(records, wanted)
    cells = [dict(lines(record)) for record in records]
    spare = [] if wanted else [column for column in SPARE if column in columns]
    table(columns, [[given.get(column, "") for column in columns] for given in cells], spare)


def print_csv(records: Sequence[Any], wanted: Sequence[str] = ()) -> None:
    """Print them as CSV, with the byte order mark without which Excel garbles Chinese."""
    from app.importing.readers import harmless

    columns = _columns(records, wanted)
    click.echo("\ufeff", nl=False)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for given in (dict(lines(record, money=str)) for record in records):
        cells = [(column, given.get(column, "")) for column in columns]
        writer.writerow(text if c.endswith("_fen") else harmless(text) for c, text in cells)


def _columns(records: Sequence[Any], wanted: Sequence[str]) -> list[str]:
    """Return the columns wanted, and the currency where amounts can be of another; else what tells records apart."""
    fields = records[0].DESCRIPTOR.fields_by_name if records else {}
    if not wanted:
        return [c for c in COLUMNS if not records or c in fields]
    in_currency = "currency" in fields and any(c.endswith("_fen") for c in wanted)
    return [*wanted, *(["currency"] if in_currency and "currency" not in wanted else [])]


COLUMNS = ("name", "title", "state", "lead_department", "effective_date", "revision", "update_time")
SPARE = ("update_time", "revision", "effective_date")


@click.command(cls=Command)
@click.argument("name")
@click.option("--read-time", metavar="WHEN", help=f"As it was known then: {WHEN}.")
@click.option("--valid-time", metavar="WHEN", help=f"As it was true then: {WHEN}.")
@click.option("--revision", type=click.IntRange(min=1), help="One revision.")
@click.pass_context
def get(
    ctx: click.Context,
    name: str,
    read_time: str | None,
    valid_time: str | None,
    revision: int | None,
) -> None:
    """Show one record, as it is or as it was."""
    kind = kind_of_name(name)
    call, request = function(ctx, kind, f"Get{kind.noun}")
    request.name = name
    _set_times(request, read_time=read_time, valid_time=valid_time)
    if revision:
        _set_plain(request, "revision", revision)
    print_record(ctx, call(request))


@click.command(cls=Command)
@click.argument("name")
@click.pass_context
def history(ctx: click.Context, name: str) -> None:
    """Show a record's changes, the newest first."""
    kind = kind_of_name(name)
    call, request = function(ctx, kind, f"List{kind.noun}Revisions")
    request.name, request.page_size = name, 1000
    events = [event for page in pages(call, request) for event in page.revisions]
    if session(ctx).output == "json":
        click.echo("[" + ",\n ".join(as_json(event) for event in events) + "]")
        return
    print_changes([event.change for event in events], kind.record.DESCRIPTOR)


CHANGE = (
    "revision",
    "committed",
    "true from",
    "action",
    "from",
    "to",
    "actor",
    "department",
    "roles",
    "reason",
)


def print_changes(changes: Sequence[Any], record: Any) -> None:
    """Print changes of a kind of record as a table; without reasons, where nobody gave one."""
    shown = None if any(change.reason for change in changes) else -1
    rows = [change_cells(change, record)[:shown] for change in changes]
    table(CHANGE[:shown], rows)


def change_cells(change: Any, record: Any) -> list[str]:
    """Return a change's cells, in the order of `CHANGE`. `record`: descriptor of its kind."""
    states = [state_text(record, name) for name in (change.from_state, change.to_state)]
    times = [moment(change.commit_time), day(change.effective_date)]
    who = [change.actor, change.department, ",".join(change.roles), change.reason]
    return [str(change.revision), *times, change.action, *states, *who]

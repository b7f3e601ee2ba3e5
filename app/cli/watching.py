"""`luoshu watch`: changes as they are committed."""

import sys

import click

from app.cli.kinds import kind_of
from app.cli.output import as_json, one_line
from app.cli.records import CHANGE, change_cells, function, resources
from app.cli.session import Command, session
from luoshu.client import follow
from luoshu.client.contract import Kind


@click.command(cls=Command)
@click.argument("resource", shell_complete=resources)
@click.option(
    "--after",
    type=click.IntRange(min=0),
    metavar="POSITION",
    help="Begin behind a journal position; 0: with everything; without it: with what comes now.",
)
@click.pass_context
def watch(ctx: click.Context, resource: str, after: int | None) -> None:
    """Print the changes of a kind of record, or of one record, until interrupted.

    It begins with what happens now; `--after 0` tells everything that ever happened first.

    只显示此后的变更；--after 0 从头显示全部。
    """
    kind = kind_of(resource)
    call, request = function(ctx, kind, f"Watch{kind.plural}")
    request.after_position = _end(ctx, kind) if after is None else after
    if "/" in resource:
        request.name = resource
    tell_watching(f"{resource}, after position · 自位置 {request.after_position}")
    as_lines = session(ctx).output != "json"
    if as_lines:
        _write("position", "record", *CHANGE)
    for event in follow(call, request):
        if as_lines:
            change = event.change
            _write(
                str(change.position), change.record, *change_cells(change, kind.record.DESCRIPTOR)
            )
        else:
            click.echo(as_json(event))
        sys.stdout.flush()


def tell_watching(what: str) -> None:
    """Say that nothing is wrong where nothing comes: on standard error, which no program reads."""
    click.echo(f"watching, Ctrl-C to stop · 正在跟踪，按 Ctrl-C 停止: {what}", err=True)


def _end(ctx: click.Context, kind: Kind) -> int:
    """Return the position of the newest change, as a list tells it."""
    call, request = function(ctx, kind, f"List{kind.plural}")
    request.page_size = 1
    return int(call(request).position)


def _write(*cells: str) -> None:
    click.echo("\t".join(one_line(cell) for cell in cells))
    sys.stdout.flush()

"""`luoshu watch`: changes as they are committed."""

import sys
from typing import Any

import click

from app.cli.kinds import kind_of
from app.cli.output import as_json
from app.cli.records import change_cells, function, resources
from app.cli.session import Command, session
from luoshu.client import follow


@click.command(cls=Command)
@click.argument("resource", shell_complete=resources)
@click.option("--after", default=0, type=click.IntRange(min=0), help="Journal position; 0: all.")
@click.pass_context
def watch(ctx: click.Context, resource: str, after: int) -> None:
    """Print the changes of a kind of record, or of one record, until interrupted."""
    kind = kind_of(resource)
    call, request = function(ctx, kind, f"Watch{kind.plural}")
    request.after_position = after
    if "/" in resource:
        request.name = resource
    write = _json if session(ctx).output == "json" else _line
    for event in follow(call, request):
        write(event)
        sys.stdout.flush()


def _json(event: Any) -> None:
    click.echo(as_json(event))


def _line(event: Any) -> None:
    change = event.change
    cells = [str(change.position), change.record, *change_cells(change)]
    click.echo("\t".join("".join(c if c.isprintable() else " " for c in cell) for cell in cells))

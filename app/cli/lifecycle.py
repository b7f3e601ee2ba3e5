"""`luoshu lifecycle RESOURCE`: the table that moves its records, as text or as a diagram."""

import importlib
from typing import Any

import click

from app.cli.failures import Failure
from app.cli.kinds import kind_of
from app.cli.output import table
from app.cli.records import resources
from app.cli.session import Command, session
from luoshu.client.contract import Kind


@click.command(cls=Command)
@click.argument("resource", shell_complete=resources)
@click.option("--format", "style", type=click.Choice(["text", "mermaid"]), default="text")
@click.pass_context
def lifecycle(ctx: click.Context, resource: str, style: str) -> None:
    """Print a lifecycle: from, action, to, who may. It needs no server."""
    kind = kind_of(resource)
    found = lifecycle_of(kind)
    if style == "mermaid":
        click.echo("\n".join(diagram(found)))
    elif session(ctx).output == "json":
        click.echo(_json(found))
    else:
        table(["from", "action", "to", "by", "of", "four eyes", "working days"], rows(found))


def lifecycle_of(kind: Kind) -> Any:
    """Return the lifecycle that a service declares for a kind of record. Raises Failure."""
    try:
        store = importlib.import_module(f"services.{kind.package}.store")
    except ModuleNotFoundError:
        raise _none(kind) from None
    for declared in vars(store).values():
        for resource in getattr(declared, "resources", ()):
            if resource.record.DESCRIPTOR.full_name == kind.record.DESCRIPTOR.full_name:
                return resource.lifecycle
    raise _none(kind)


def _none(kind: Kind) -> Failure:
    return Failure(f"{kind.collection} have no lifecycle", f"{kind.collection} 没有生命周期")


def rows(found: Any) -> list[list[str]]:
    """Return a line a move and source, in the table's own order."""
    return [
        [
            short(found, source),
            move.name,
            " | ".join(short(found, target) for target in move.targets),
            ", ".join(move.by),
            ", ".join(dict.fromkeys(str(move.relation(role)) for role in move.by)),
            "yes" if move.four_eyes else "",
            str(move.within or ""),
        ]
        for move in found.moves
        for source in move.sources
    ]


def short(found: Any, state: int) -> str:
    """Return `DRAFT` for `STATE_DRAFT`."""
    return str(found.state_name(state)).removeprefix("STATE_")


def diagram(found: Any) -> list[str]:
    """Return the lines of a Mermaid state diagram: an arrow a pair of states, named after its
    actions.
    """
    arrows: dict[tuple[str, str], list[str]] = {}
    for move in found.moves:
        for source in move.sources:
            for target in move.targets:
                arrows.setdefault((short(found, source), short(found, target)), []).append(
                    move.name
                )
    lines = ["stateDiagram-v2", f"    [*] --> {short(found, found.initial)}: create"]
    for (source, target), names in arrows.items():
        lines.append(f"    {source} --> {target}: {', '.join(dict.fromkeys(names))}")
    left = {source for source, target in arrows if source != target}
    ends = dict.fromkeys(target for _, target in arrows if target not in left)
    return [*lines, *(f"    {end} --> [*]" for end in ends)]


def _json(found: Any) -> str:
    import json

    keys = ("from", "action", "to", "by", "of", "four_eyes", "working_days")
    return json.dumps([dict(zip(keys, row, strict=True)) for row in rows(found)], indent=2)

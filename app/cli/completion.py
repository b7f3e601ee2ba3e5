"""`luoshu completion SHELL`: the script that makes a shell complete words."""

import click
from click.shell_completion import get_completion_class

from app.cli.session import Command


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a completion script, such as for: eval "$(luoshu completion bash)"."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "luoshu", "_LUOSHU_COMPLETE").source())

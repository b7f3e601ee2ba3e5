"""`luoshu witness`: a department's own process, which cosigns the audit log's checkpoints."""

import datetime

import click

from app.cli.bundles import BROKEN
from app.cli.session import GLOBAL_OPTIONS, Command, session


@click.group(params=list(GLOBAL_OPTIONS), invoke_without_command=True)
@click.pass_context
def witness(ctx: click.Context) -> None:
    """Cosign the audit log for a department, until stopped: `luoshu witness --as DRC`.

    It keeps its key and what it has seen in LUOSHU_DATA_DIR, and cosigns for the logs that LUOSHU_WITNESS_LOGS names.
    """
    if ctx.invoked_subcommand is None:
        from app.settings import load
        from app.witness import run

        run(load(), session(ctx).department)


@witness.command(cls=Command)
@click.option(
    "--url",
    default="",
    help="Where the log finds it; a whole line for LUOSHU_AUDIT_WITNESSES is printed.",
)
@click.pass_context
def key(ctx: click.Context, url: str) -> None:
    """Print the witness's verifier key, for the log's keeper and for auditors."""
    from app.settings import load
    from app.witness import home_of

    home = home_of(load(), session(ctx).department)
    encoded = home.signer().verifier.encoded()
    click.echo(f"witness {home.department} {encoded} {url}" if url else encoded)


@witness.command(cls=Command)
@click.pass_context
def evidence(ctx: click.Context) -> int:
    """Print what speaks against a log: pairs of heads that it signed and that do not belong together.

    Exit code 5 where there is any. `fork`: two heads of one size, proof by itself. `unproven`: a larger
    head came without a proof that connects it; the log has to show one.
    """
    from app.settings import load
    from app.witness import home_of, witness_of

    settings = load()
    found = witness_of(settings, home_of(settings, session(ctx).department)).evidence()
    for item in found:
        when = datetime.datetime.fromtimestamp(item.time, datetime.UTC).isoformat()
        click.echo(
            f"=== {item.kind} · {when}\n--- held · 已见证\n{item.held}\n--- offered · 后收到\n{item.offered}"
        )
    if not found:
        click.echo("nothing speaks against any log\n没有任何不利于日志的证据")
    return BROKEN if found else 0

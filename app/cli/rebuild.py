"""`luoshu rebuild`: a read model built anew from the events, and held to the live one."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from app.cli.failures import UNEXPECTED, Failure, complain
from app.cli.output import table
from app.cli.session import Command

if TYPE_CHECKING:
    from app.comparison import Compared
    from app.rebuild import Entries, Progress, Rebuild
    from app.settings import Settings

DIFFERENT = 5
"""Exit code where the live one is not what its events say."""


@click.command(cls=Command)
@click.argument("model", type=click.Choice(["reports"]))
@click.option("--verify", is_flag=True, help="Compare only; the live one stays as it is.")
@click.option(
    "--from",
    "origin",
    type=click.Choice(["journal", "topic"]),
    default="journal",
    show_default=True,
    help="Read the registries' databases, or the topics of LUOSHU_KAFKA.",
)
@click.option("--reason", default="", help="Why; it is kept and names no person.")
def rebuild(model: str, verify: bool, origin: str, reason: str) -> int:
    """Build a read model anew from the events, beside the live one; with the settings of the service.

    Without --verify it takes the live one's place, unless a published edition would change. Services may go on meanwhile.

    由事件重建读取模型，并与现有数据逐字节比对；不带 --verify 时替换现有数据。
    """
    from app.rebuild import rebuilding
    from app.settings import load

    settings = load()
    with (
        _explained(),
        rebuilding(settings, _entries(settings, origin)) as made,
        _progress(made) as progress,
    ):
        made.catch_up(made.cursors(), progress)
        found = made.compare(progress) if verify else made.replace(progress, reason)
    return _tell(found, replaced=not verify)


def _entries(settings: "Settings", origin: str) -> "Entries":
    from app.rebuild import from_journals, from_topics

    return from_topics(settings) if origin == "topic" else from_journals(settings)


@contextlib.contextmanager
def _progress(made: "Rebuild") -> Iterator["Progress"]:
    """A bar a source on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    counted = (MofNCompleteColumn(), TextColumn("events · 事件"), TimeElapsedColumn())
    columns = (TextColumn("{task.description}"), BarColumn(20), *counted)
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {source: bars.add_task(source, total=n) for source, n in made.cursors().items()}

        def advance(source: str, count: int) -> None:
            if source not in tasks:  # told nothing when we began
                tasks[source] = bars.add_task(source)
            bars.advance(tasks[source], count)

        yield advance


def _tell(found: Sequence["Compared"], *, replaced: bool) -> int:
    table(
        ("table", "rows", "live SHA-256", "rebuilt SHA-256"),
        [(one.table, str(one.rows), one.live, one.rebuilt) for one in found],
    )
    different = [one.difference for one in found if one.difference]
    if not different:
        click.echo("every row is what the events say\n每一行均与事件一致")
        return 0
    if replaced:
        click.echo(f"the live one was replaced; it differed: {different[0]}")
        click.echo(f"已替换现有数据；首个差异：{different[0]}")
        return 0
    complain(
        f"the live one is not what the events say: {different[0]}",
        f"现有数据与事件不一致：{different[0]}",
    )
    return DIFFERENT


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    from app.rebuild import Impossible

    try:
        yield
    except Impossible as error:
        raise Failure(error.en, error.zh, UNEXPECTED) from None

"""A whole cluster on this machine: PostgreSQL, Kafka and each service as a process of its own."""

import contextlib
import dataclasses
import json
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import output
from app.cli.failures import DONE, INTERRUPTED, UNEXPECTED, Failure
from app.cli.session import Command, session

if TYPE_CHECKING:
    from app.cluster.supervisor import Cluster, Status

LOOK = 0.5  # seconds between two looks at what runs
SILENT = 8  # exit code where something does not serve, as for a server that does not answer

folder_option = click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var") / "cluster",
    show_default=True,
    help="Folder of its data and logs.",
)
names_argument = click.argument("names", nargs=-1, metavar="[NAME]…")


class Stopped(Exception):
    """Somebody asked the command to end."""


@click.group()
def cluster() -> None:
    """Run a whole cluster on this machine: PostgreSQL, Kafka, each service as its own process.

    在本机运行整个集群：PostgreSQL、Kafka 与各服务独立进程。
    """


@cluster.command(cls=Command)
@click.option("--brokers", type=click.IntRange(1, 9), help="Kafka nodes; 1 where nothing is said.")
@folder_option
def up(brokers: int | None, folder: Path) -> int:
    """Start everything and go on until Ctrl-C: then stop everything.

    启动全部进程，按 Ctrl-C 停止。
    """
    from app.cluster.plan import make
    from app.cluster.supervisor import Cluster

    with _explained(), ending_on_signals() as ending:
        made = Cluster(make(folder, brokers), lambda seconds: pause(ending, seconds))
        try:
            _bring_up(made)
        except Stopped:
            return INTERRUPTED
        try:
            attend(made, ending)
        except Stopped:
            click.echo("stopping … / 正在停止 …", err=True)
        finally:
            made.down()
        return DONE


def _bring_up(made: "Cluster") -> None:
    began = time.monotonic()
    click.echo(f"starting in {made.plan.folder} … / 正在启动 …", err=True)
    made.up()
    show(made.status())
    took = time.monotonic() - began
    click.echo(f"all serve after {took:.1f} s; Ctrl-C stops them", err=True)
    click.echo(f"全部就绪，用时 {took:.1f} 秒；按 Ctrl-C 停止", err=True)


@cluster.command(cls=Command)
@names_argument
@folder_option
def stop(names: tuple[str, ...], folder: Path) -> None:
    """Stop processes by name; without a name, all of them.

    停止指定进程；不指定则全部停止。
    """
    with _explained():
        found = _cluster(folder)
        for name in names:
            found.stop(name)
        if not names:
            found.down()


@cluster.command(cls=Command)
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@folder_option
def start(names: tuple[str, ...], folder: Path) -> None:
    """Start processes again that were stopped or have ended.

    重新启动已停止的进程。
    """
    with _explained():
        found = _cluster(folder)
        for name in names:
            found.start(name)


@cluster.command(cls=Command)
@folder_option
@click.pass_context
def status(ctx: click.Context, folder: Path) -> int:
    """Print which processes there are and whether they serve; exit code 8 where one does not.

    输出各进程的状态。
    """
    with _explained():
        found = _cluster(folder).status()
    if session(ctx).output == "json":
        click.echo(json.dumps([dataclasses.asdict(one) for one in found], ensure_ascii=False))
    else:
        show(found)
    return 0 if all(one.state == "serving" for one in found) else SILENT


@cluster.command(cls=Command)
@folder_option
def address(folder: Path) -> None:
    """Print where each service is: export LUOSHU_ADDRESS=$(luoshu cluster address).

    输出各服务地址，供 LUOSHU_ADDRESS 使用。
    """
    from app.cluster.plan import load

    with _explained():
        click.echo(load(folder).routes)


def _cluster(folder: Path) -> "Cluster":
    from app.cluster.plan import load
    from app.cluster.supervisor import Cluster

    return Cluster(load(folder))


def show(found: Sequence["Status"]) -> None:
    """Print a line a process."""
    headings = ("name", "state", "address", "metrics", "pid", "log")
    rows = [(s.name, s.state, s.address, s.metrics, str(s.pid or ""), s.log) for s in found]
    output.table(headings, rows)


def attend(made: "Cluster", ending: threading.Event) -> None:
    """Tell who ends by itself; return when another command has stopped everything. Raises Stopped."""
    told: set[str] = set()
    while made.left():
        ended = set(made.ended())
        for name in sorted(ended - told):
            click.secho(f"{name} ended; see {made.servers[name].log}", fg="red", err=True)
            click.secho(f"{name} 已退出；重新启动：luoshu cluster start {name}", fg="red", err=True)
        told = ended
        pause(ending, LOOK)


def pause(ending: threading.Event, seconds: float) -> None:
    """Wait; raises Stopped as soon as somebody wants an end."""
    if ending.wait(seconds):
        raise Stopped


@contextlib.contextmanager
def ending_on_signals() -> Iterator[threading.Event]:
    """Yield what is set by Ctrl-C, SIGTERM and a closed terminal; a second Ctrl-C changes nothing."""
    ending = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {n: signal.signal(n, lambda *_: ending.set()) for n in numbers}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn what is broken into a line of English and one of Chinese."""
    from app.cluster.ports import Broken

    try:
        yield
    except Broken as broken:
        raise Failure(broken.en, broken.zh, UNEXPECTED) from None

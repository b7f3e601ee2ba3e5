"""`make run-cluster`: the demonstration of `make run`, by services that run apart on PostgreSQL and Kafka."""

import datetime
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from app.catalogue import FOLLOWING, JOURNALS, NAMES, WITH_JOURNALS
from app.cli.cluster import Stopped as Ended
from app.cli.cluster import attend, ending_on_signals, pause, show
from app.cli.usage import start
from app.cluster.plan import SETTINGS, Plan, load, make
from app.cluster.ports import Broken
from app.cluster.supervisor import SERVE, Cluster
from app.demo import first, results
from app.demo.clock import SharedClock
from app.demo.stage import Stage, Stopped
from app.demo.telling import Teller
from app.serve import now
from app.settings import ROOT, Settings
from kernel.access import access_source, service_of
from kernel.dates import ONE_DAY, business_date
from kernel.pack import load as load_pack
from luoshu.client import LuoshuError

BEGUN, COMPLETE, CLOCK = "story.begun", "story.complete", "story.clock"
"""Files in a cluster's folder: the story was begun, was told to its end; its time while it is told."""
FAILED = 1


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--brokers", type=click.IntRange(1, 9), help="Kafka nodes; 1. · Kafka 节点数")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "var" / "cluster",
    help="Folder of its data; ./var/cluster. · 数据目录",
)
def main(brokers: int | None, folder: Path) -> None:
    """Start PostgreSQL, Kafka and every service as its own process, with the demonstration. · 启动集群演示。"""
    tell = Teller()
    try:
        with ending_on_signals() as ending:
            _run(brokers, folder, tell, ending)
    except (Ended, Stopped):
        tell.say("已停止，数据保留。", "Stopped; the data are kept.")
    except Broken as broken:
        tell.say(broken.zh, broken.en, "red")
        sys.exit(FAILED)
    except (TimeoutError, LuoshuError) as error:
        logs = folder / "services"
        tell.say(
            f"出错：{error}；日志在 {logs}", f"It failed: {error}; the logs are in {logs}", "red"
        )
        sys.exit(FAILED)


def _run(brokers: int | None, folder: Path, tell: Teller, ending: threading.Event) -> None:
    today = business_date(now())
    is_first = _is_first(folder)
    plan = make(folder, brokers)
    _greet(plan, tell)
    program = ("app.demo.service", str(plan.folder / CLOCK)) if is_first else SERVE
    made = Cluster(plan, lambda seconds: pause(ending, seconds), program)
    clock = _begin(plan, today) if is_first else None
    made.up()
    try:
        if clock is not None:
            _tell_story(made, clock, tell, ending, today)
        else:
            tell.say("数据已在，保留不动。", "The data are there and are kept.")
        _show(made, tell, today)
        attend(made, ending)
    finally:
        made.down()


def _is_first(folder: Path) -> bool:
    """Tell whether a folder has no cluster yet. What an interrupted first start left is cleared. Raises Broken."""
    if not (folder / "cluster.json").exists():
        return True
    if (folder / BEGUN).exists() and not (folder / COMPLETE).exists():
        Cluster(load(folder)).refuse_a_second()
        shutil.rmtree(folder)
        return True
    return False


def _begin(plan: Plan, today: datetime.date) -> SharedClock:
    plan.folder.mkdir(parents=True, exist_ok=True)
    (plan.folder / BEGUN).touch()
    return SharedClock(today - ONE_DAY * first.SPAN, plan.folder / CLOCK)


def _tell_story(
    made: Cluster, clock: SharedClock, tell: Teller, ending: threading.Event, today: datetime.date
) -> None:
    """Play it, wait until every consumer has all of it, and go on in the time of today."""
    pack = load_pack(Settings({}).pack)
    stage = Stage(made.plan.routes, clock, pack, tell, ending.is_set, today - ONE_DAY)
    first.tell_story(stage, made.plan.folder / "imports", lambda: behind(made.plan))
    _await_consumers(made.plan, ending)
    made.serve()
    (made.plan.folder / COMPLETE).touch()


def _await_consumers(plan: Plan, ending: threading.Event) -> None:
    """Raises Broken: they do not catch up."""
    end = time.monotonic() + first.CAUGHT_UP
    while left := behind(plan):
        if time.monotonic() > end:
            raise Broken(
                f"the consumers are {left} events behind; see the logs in {plan.folder}/services",
                f"消费者仍落后 {left} 个事件；请查看 {plan.folder}/services 中的日志",
            )
        pause(ending, 0.2)


def behind(plan: Plan) -> int:
    """Return how many events relays and consumers have not taken in."""
    heads = {source: _head(plan, source) for source in JOURNALS}
    read = {(consumer, "consumer_cursor"): set(of) for consumer, of in FOLLOWING.items()}
    read["reports", "consumer_cursor"] = set(WITH_JOURNALS)
    read["audit", "cursor"] = set(JOURNALS)
    for name in NAMES:  # the relays
        read[name, "access_cursor"] = {access_source(name)}
        if name in WITH_JOURNALS:
            read.setdefault((name, "consumer_cursor"), set()).add(name)
    left = 0
    for (consumer, table), sources in read.items():
        at = dict(_asked(plan, consumer, f"SELECT source, position FROM {table}"))  # noqa: S608 - names of our own
        left += sum(max(heads[source] - at.get(source, 0), 0) for source in sources)
    return left


def _head(plan: Plan, source: str) -> int:
    table = "journal_head" if source in WITH_JOURNALS else "access_head"
    ((position, *_),) = _asked(plan, service_of(source), f"SELECT position FROM {table}")  # noqa: S608
    return int(position)


def _asked(plan: Plan, service: str, sql: str) -> list[tuple[Any, ...]]:
    import psycopg

    with psycopg.connect(plan.database(service), autocommit=True) as connection:
        return list(connection.execute(sql.encode()))


def _greet(plan: Plan, tell: Teller) -> None:
    tell.title(
        "[bold]洛书 Luoshu[/bold]",
        "省级科技创新平台、关键技术与科技经费的登记、评审、拨付与审计",
        "platforms, technologies and funding of a province: registered, reviewed, paid, audited",
        f"[dim]PostgreSQL · Kafka ×{len(plan.brokers)} · 每个服务一个进程 a process a service · {plan.folder}[/dim]",
    )


def _show(made: Cluster, tell: Teller, today: datetime.date) -> None:
    plan = made.plan
    results.show(plan.routes, plan.folder / "reports", today, tell)
    tell.heading("经 Kafka 的事件", "events through Kafka")
    tell.console.print(_topics(plan))
    tell.heading("进程", "processes")
    show(made.status())
    at = "" if plan.folder == ROOT / "var" / "cluster" else f" --dir {plan.folder}"
    luoshu = ".venv/bin/luoshu"
    find = f"export LUOSHU_ADDRESS=$({luoshu} cluster address{at})"
    tell.command(find, "先让命令找到各服务", "first of all: lets the command find the services")
    results.next_steps("", today, tell)
    for command, zh, en in (
        (f"{luoshu} cluster stop kafka-1{at}", "停止任一进程", "stop any process"),
        (
            f"{luoshu} cluster start kafka-1{at}",
            "再启动，一条不丢",
            "start it again: nothing is lost",
        ),
        (
            f"LUOSHU_CONFIG={plan.folder / SETTINGS} {luoshu} rebuild reports --verify --from topic",
            "由 Kafka 重建报告并逐字节比对",
            "the reports, rebuilt from Kafka and compared byte by byte",
        ),
    ):
        tell.command(command, zh, en)
    tell.console.print("\n  按 Ctrl-C 停止 · Ctrl-C to stop", style="bold")


def _topics(plan: Plan) -> Table:
    from kernel.cloudevents import topic_of
    from kernel.kafka import messages

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("  主题 topic", "流水位置 journal", "消息 messages"):
        grid.add_column(heading, justify="left" if "topic" in heading else "right")
    for source in JOURNALS:
        held = messages(plan.bootstrap, source)
        grid.add_row(f"  {topic_of(source)}", f"{_head(plan, source):,}", f"{held:,}")
    return grid


if __name__ == "__main__":
    start(main)

"""`luoshu audit who, did, off-hours, unseconded, seen`: what auditors ask, to read or to take away as a file."""

import csv
import datetime
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from app.cli.audit import SHOWN, audit, first, page_size, tell_more
from app.cli.failures import Failure
from app.cli.files import Target, style_of
from app.cli.output import as_json, moment, table
from app.cli.session import Command, session
from app.cli.values import BOUND, set_span
from luoshu.audit.v1 import audit_pb2 as pb
from luoshu.client import iterate

COLUMNS = {
    "index": "序号",
    "time": "时间",
    "who": "账号",
    "for": "部门",
    "roles": "角色",
    "did": "行为",
    "record": "记录",
    "reason": "原因",
    "source": "来源",
    "request": "请求编号",
}
ACTIONS = {
    "denied": "被拒绝",
    "read_protected": "查阅个人信息",
    "exported": "导出",
    "overridden": "越权处理",
    "started": "启动服务",
    "stopped": "停止服务",
    "settings_changed": "变更设置",
    "key_changed": "更换密钥",
    "rebuilt": "重建数据",
    "redriven": "重新处理事件",
    "erasure_requested": "申请删除个人信息",
    "erased": "删除个人信息",
    "hold_placed": "保全个人信息",
    "hold_released": "解除个人信息保全",
    "create": "新建",
    "update": "修改",
    "imported": "导入",
}
VIEW = ("record", "revision", "state", "title", "changed", "by", "for", "source")

OPTIONS = (
    click.option("--since", metavar="WHEN", help=f"Then or later · 起: {BOUND}."),
    click.option("--until", metavar="WHEN", help="Before · 止（不含）: the same."),
    click.option("--source", default="", help="Only of one journal, such as funding · 来源."),
    click.option(
        "--limit", type=click.IntRange(min=1), help=f"At most so many; {SHOWN}, with --out all."
    ),
    click.option("--out", type=Target(), help="Write a .csv or .json file · 导出文件."),
)


def _asked(command: Any) -> Any:
    for option in reversed(OPTIONS):
        command = option(command)
    return click.pass_context(command)


@audit.command(cls=Command)
@click.argument("record")
@_asked
def who(ctx: click.Context, record: str, **said: Any) -> None:
    """Who did what to RECORD: changes, denials, reads of persons.

    何人对该记录做了什么：变更、被拒绝、查阅个人信息。
    """
    _ask(ctx, pb.QUESTION_RECORD, record=record, **said)


@audit.command(cls=Command)
@click.argument("actor")
@_asked
def did(ctx: click.Context, actor: str, **said: Any) -> None:
    """What the account ACTOR did, between --since and --until.

    某账号在某段时间内做了什么。
    """
    _ask(ctx, pb.QUESTION_ACTOR, actor=actor, **said)


@audit.command(cls=Command, name="off-hours")
@click.option("--actor", default="", help="Only by one account · 账号.")
@click.option("--department", default="", help="Only for one department or unit · 部门.")
@_asked
def off_hours(ctx: click.Context, **said: Any) -> None:
    """What happened outside office hours: nights, weekends and days off of the pack's calendar.

    非工作时间发生了什么：夜间、周末及法定节假日。
    """
    _ask(ctx, pb.QUESTION_OFF_HOURS, **said)


@audit.command(cls=Command)
@click.option("--actor", default="", help="Only by one account · 账号.")
@_asked
def unseconded(ctx: click.Context, **said: Any) -> None:
    """Which approvals had no second pair of eyes: nobody but the approver had acted on the record.

    哪些审批没有第二人经手。
    """
    _ask(ctx, pb.QUESTION_UNSECONDED, **said)


def _ask(
    ctx: click.Context,
    question: Any,
    since: str | None,
    until: str | None,
    limit: int | None,
    out: Path | None,
    **conditions: Any,
) -> None:
    style = style_of(out, None, ("csv", "json"))
    most = limit or (SHOWN if out is None else None)
    request = pb.AskEntriesRequest(
        question=question, page_size=page_size(most), export=out is not None, **conditions
    )
    set_span(request, since, until)
    found, more = first(iterate(session(ctx).client.audit.AskEntries, request), most)
    if out is not None:
        _write(out, style, found)
    elif session(ctx).output == "json":
        click.echo("[" + ",\n ".join(as_json(entry) for entry in found) + "]")
    else:
        table([f"{en} · {zh}" for en, zh in COLUMNS.items()], [_cells(entry) for entry in found])
    if more:
        tell_more(len(found), "--out FILE.csv")


def _cells(entry: Any) -> list[str]:
    change = entry.change
    action = " · ".join(filter(None, (change.action, ACTIONS.get(change.action))))
    told = (str(entry.index), moment(change.commit_time), change.actor, change.department)
    more = (action, change.record, change.reason, entry.source, change.request_id)
    return [*told, ",".join(change.roles), *more]


def _write(out: Path, style: str | None, found: Sequence[Any]) -> None:
    """Write what a spreadsheet opens, or JSON; the byte order mark tells the spreadsheet that it is UTF-8."""
    rows = [_cells(entry) for entry in found]
    if style == "csv":
        with out.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows([[f"{e} · {z}" for e, z in COLUMNS.items()], *map(_safe, rows)])  # fmt: skip
    else:
        told = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        out.write_text(json.dumps(told, ensure_ascii=False, indent=1), "utf-8")
    click.echo(f"{out}: {len(rows)} entries\n{out}：{len(rows)} 条")


def _safe(row: Iterable[str]) -> list[str]:
    """A text that a spreadsheet would take for a formula is marked as text."""
    return [f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell for cell in row]


@audit.command(cls=Command)
@click.argument("record")
@click.argument("day")
@click.pass_context
def seen(ctx: click.Context, record: str, day: str) -> None:
    """What reviewers saw of RECORD on DAY (2026-03-16): it and all that it names, as known when the day ended.

    评审人员当日所见：该记录及其引用的各登记库记录在当日日终的状态。
    """
    from kernel.dates import from_date

    request = pb.GetViewRequest(record=record, day=from_date(_day(day)))
    found = session(ctx).client.audit.GetView(request)
    if session(ctx).output == "json":
        click.echo("[" + ",\n ".join(as_json(entry) for entry in found.entries) + "]")
        return
    table(VIEW, [_seen(entry) for entry in found.entries])


def _day(word: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(word)
    except ValueError:
        raise Failure(
            f"{word} is no day; write it as 2026-03-16", f"{word} 不是日期；请写作 2026-03-16"
        ) from None


def _seen(entry: Any) -> list[str]:
    change, record = entry.change, _record(entry)
    title = getattr(record, "title", "") if record is not None else ""
    told = [change.record, str(change.revision), change.to_state, title]
    return [*told, moment(change.commit_time), change.actor, change.department, entry.source]


def _record(entry: Any) -> Any:
    """Return the record of an event, where this version knows its kind."""
    from app.catalogue import EVENTS, homes

    home = homes().get(entry.change.record.split("/", 1)[0])
    if home is None or entry.source not in EVENTS:
        return None
    return getattr(EVENTS[entry.source].FromString(entry.event), home.resource.singular)

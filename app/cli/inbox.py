"""`luoshu inbox`: what a department owes, soonest first; as a table, as JSON, or as a calendar."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from app.cli.callers import warn_of_unknown
from app.cli.erasures import owed
from app.cli.ical import calendar_of
from app.cli.output import as_json, choice, day, one_line, table
from app.cli.session import Command, session
from app.cli.watching import tell_watching
from luoshu.client import follow
from luoshu.coordination.v1 import coordination_pb2 as pb

HEADINGS = ("due 截止", "left 剩余", "duty 事项", "title 标题", "note 备注", "settle by 办理")


@click.command(cls=Command)
@click.option("--department", default="", help="Whose, where it is not your own: for auditors.")
@click.option("--ical", is_flag=True, help="Print a calendar file (RFC 5545) of the deadlines.")
@click.option("--watch", is_flag=True, help="Then tell every change, until interrupted.")
@click.option("--json", "as_lines", is_flag=True, help="Print JSON, as -o json does.")
@click.pass_context
def inbox(ctx: click.Context, department: str, ical: bool, watch: bool, as_lines: bool) -> None:
    """List what your department owes, soonest first. Days left are working days.

    列出本部门的待办，按截止日期先后；剩余天数为工作日。
    """
    if department:
        warn_of_unknown(department)
    calls = session(ctx).client.coordination
    found = calls.ListInbox(pb.ListInboxRequest(department=department))
    found.items.extend(owed(session(ctx)))
    in_json = as_lines or session(ctx).output == "json"
    if ical:
        click.echo(calendar_of(found.items), nl=False)
        return
    _print(found, in_json)
    if watch:
        tell_watching(f"inbox · 待办 {department or session(ctx).department}")
        request = pb.WatchInboxRequest(department=department, after_position=found.position)
        for change in follow(calls.WatchInbox, request):
            _tell(change, in_json)


def _print(found: Any, in_json: bool) -> None:
    if in_json:
        click.echo("[" + ",\n ".join(as_json(item) for item in found.items) + "]")
    elif found.items:
        table(HEADINGS, [cells(item) for item in found.items])
    else:
        click.echo(f"nothing is owed · 没有待办（{day(found.today)}）", err=True)


def _tell(change: Any, in_json: bool) -> None:
    if in_json:
        click.echo(as_json(change))
    for item in () if in_json else change.items:
        click.echo("\t".join(one_line(cell) for cell in (change.action, *cells(item))))
    if not in_json and not change.items:
        click.echo(f"{change.action}\t{change.review}\tnothing is owed any more · 已无待办")
    sys.stdout.flush()


def cells(item: Any) -> Sequence[str]:
    """Return what is owed as a row of the table."""
    provisional = " ?" if item.due_provisional else ""
    due = day(item.due_date) + provisional
    return due, left(item), duty(item), item.title, _note(item), item.command


def left(item: Any) -> str:
    """Return the working days left, in words."""
    if item.paused:
        return "paused 暂停"
    if not item.due_date.year:
        return ""
    if item.days_left < 0:
        return f"{-item.days_left} over 逾期{-item.days_left}天"
    return f"{item.days_left} 天" if item.days_left else "today 今天"


def duty(item: Any) -> str:
    """Return what is owed: an opinion on what, a condition, or another duty."""
    said = choice(item.DESCRIPTOR.fields_by_name["duty"], item.duty)
    if not item.kind:
        return said
    kind = choice(item.DESCRIPTOR.fields_by_name["kind"], item.kind).rpartition(" ")[2]
    return f"{said} {item.condition}" if item.condition else f"{said}（{kind}）"


def _note(item: Any) -> str:
    notes = [item.text]
    if item.deputy:
        notes.append(f"escalated to · 已升级至 {item.deputy}")
    if item.reminders:
        notes.append(f"reminded · 已催办 {item.reminders}×")
    if item.due_provisional:
        notes.append("? the year's holidays are not announced · 节假日安排未公布")
    return "; ".join(filter(None, notes))

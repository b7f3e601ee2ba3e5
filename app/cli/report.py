"""`luoshu report`: a month's report, the list of reports, and the plans' targets."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from app.cli.output import as_json, choice, day, indented, table
from app.cli.session import Command, session
from luoshu.client import iterate
from luoshu.reports.v1 import reports_pb2

FORMATS = {
    "json": reports_pb2.FORMAT_JSON,
    "html": reports_pb2.FORMAT_HTML,
    "xlsx": reports_pb2.FORMAT_XLSX,
}
BASES = {
    "STATISTIC": {"en": "official statistics", "zh": "统计数据"},
    "NO_REGISTRY": {"en": "no registry yet", "zh": "尚无登记库"},
}
STANDINGS = {
    "UNKNOWN": {"en": "", "zh": ""},
    "BELOW": {"en": "below", "zh": "未达到"},
    "REACHED": {"en": "reached", "zh": "已达到"},
    "ABOVE": {"en": "above", "zh": "超过"},
}
OPERATORS = {"MORE_THAN": ">", "AT_LEAST": ">=", "ABOUT": "≈", "AT_MOST": "<=", "LESS_THAN": "<"}


@click.command(cls=Command)
@click.argument("period", required=False)
@click.option("--board", is_flag=True, help="The plans' targets beside what is counted.")
@click.option("--edition", default=0, type=click.IntRange(min=0), help="An edition; the newest.")
@click.option("--language", type=click.Choice(["zh", "en"]), default="zh")
@click.option(
    "-o", "--output", "style", type=click.Choice(["table", *FORMATS]), help="How to print."
)
@click.option("--file", type=click.Path(path_type=Path), help="Where to; else standard output.")
@click.pass_context
def report(
    ctx: click.Context,
    period: str | None,
    board: bool,
    edition: int,
    language: str,
    style: str | None,
    file: Path | None,
) -> None:
    """Print a month's report, such as 2026-03; without PERIOD the reports that there are."""
    style = style or session(ctx).output
    name = f"reports/{period.removeprefix('reports/')}" if period else ""
    if board:
        _board(ctx, reports_pb2.GetBoardRequest(report=name, edition=edition), language, style)
    elif not name:
        _list(ctx, style)
    elif style in FORMATS:
        _render(ctx, name, edition, language, style, file)
    else:
        _print(ctx, reports_pb2.GetReportRequest(name=name, edition=edition), language)


def _render(
    ctx: click.Context, name: str, edition: int, language: str, style: str, file: Path | None
) -> None:
    """Write the file that the service renders; a workbook never goes to a terminal."""
    request = reports_pb2.RenderReportRequest(
        name=name, edition=edition, format=FORMATS[style], language=language
    )
    rendered = session(ctx).client.reports.RenderReport(request)
    if file is None and not (style == "xlsx" and sys.stdout.isatty()):
        sys.stdout.buffer.write(rendered.content)
        return
    target = file or Path(Path(rendered.file_name).name)
    target.write_bytes(rendered.content)
    click.echo(f"{target}: {len(rendered.content)} bytes, sha-256 {rendered.digest}", err=True)


def _list(ctx: click.Context, style: str) -> None:
    request = reports_pb2.ListReportsRequest(page_size=1000)
    found = list(iterate(session(ctx).client.reports.ListReports, request))
    if style == "json":
        click.echo("[" + ",\n ".join(as_json(summary) for summary in found) + "]")
        return
    rows = [
        [summary.name, _short(summary, "status"), str(e.edition), day(e.known_day), e.digest[:16]]
        for summary in found
        for e in summary.editions or [reports_pb2.EditionSummary()]
    ]
    table(["report", "status", "edition", "known", "digest"], rows)


def _print(ctx: click.Context, request: Any, language: str) -> None:
    found: Any = session(ctx).client.reports.GetReport(request)
    days = f"{day(found.first_day)} – {day(found.last_day)}"
    click.echo(f"{found.name}  {days}  {_short(found, 'status')}  edition · 版次 {found.edition}")
    for one in found.tables:
        click.echo(f"\n{getattr(one.title, language)}")
        headings = [getattr(one.dimension, language)]
        headings += [getattr(column.title, language) for column in one.columns]
        units = [column.unit for column in one.columns]
        rows = [[getattr(r.label, language), *_numbers(r.values, units)] for r in one.rows]
        total = [["合计" if language == "zh" else "total", *_numbers(one.totals, units)]]
        table(headings, rows + (total if one.totals else []))
    for board in found.boards:
        _targets(board, language)


def _numbers(values: Any, units: list[int]) -> list[str]:
    """Return numbers as text: amounts with two decimals, counts whole."""
    counts = (reports_pb2.UNIT_COUNT, reports_pb2.UNIT_UNSPECIFIED)
    pairs = zip(values, units, strict=False)
    return [f"{v:,}" if unit in counts else f"{v // 100:,}.{v % 100:02}" for v, unit in pairs]


def _board(ctx: click.Context, request: Any, language: str, style: str) -> None:
    found: Any = session(ctx).client.reports.GetBoard(request)
    if style == "json":
        click.echo(indented(found))
        return
    for plan in found.plans:
        _targets(plan, language)


def _targets(plan: Any, language: str) -> None:
    click.echo(f"\n{getattr(plan.title, language)}")
    table(
        [
            "id",
            "target · 目标",
            "goal · 目标值",
            "counted · 已计",
            "forecast · 预测",
            "standing · 进展",
        ],
        [_target(target, language) for target in plan.targets],
    )


def _target(target: Any, language: str) -> list[str]:
    """Return a target's cells; what nothing counts shows why, never 0."""
    operator = OPERATORS.get(_short(target, "operator"), _short(target, "operator"))
    goal = f"{operator} {target.value} {getattr(target.unit, language)}"
    basis, standing = _short(target, "basis"), _short(target, "standing")
    counted = str(target.counted) if target.HasField("counted") else _said(BASES, basis, language)
    forecast = str(target.forecast) if target.HasField("forecast") else ""
    title = getattr(target.title, language)
    return [target.id, title, goal, counted, forecast, _said(STANDINGS, standing, language)]


def _said(words: Mapping[str, Mapping[str, str]], name: str, language: str) -> str:
    return words[name][language] if name in words else name


def _short(message: Any, name: str) -> str:
    return choice(message.DESCRIPTOR.fields_by_name[name], getattr(message, name))

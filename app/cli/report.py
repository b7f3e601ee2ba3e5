"""`luoshu report`: a month's report, the list of reports, and the plans' targets."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from app.cli.failures import Failure
from app.cli.files import Target, style_of
from app.cli.output import as_json, choice, day, indented, table
from app.cli.session import Command, session
from luoshu.client import iterate
from luoshu.reports.v1 import reports_pb2

FORMATS = {
    "json": reports_pb2.FORMAT_JSON,
    "html": reports_pb2.FORMAT_HTML,
    "xlsx": reports_pb2.FORMAT_XLSX,
}
STANDINGS = {
    "UNKNOWN": {"en": "", "zh": ""},
    "BELOW": {"en": "below", "zh": "未达到"},
    "REACHED": {"en": "reached", "zh": "已达到"},
    "ABOVE": {"en": "above", "zh": "超过"},
}
BOARD = {
    "en": ["id", "target", "goal", "counted", "forecast", "standing"],
    "zh": ["标识", "目标", "目标值", "已计", "期末预测", "进展"],
}
DIFFERENCES = {
    "en": ["figure", "before", "now", "events"],
    "zh": ["指标", "原值", "现值", "事件"],
}


@click.command(cls=Command)
@click.argument("period", required=False)
@click.option("--board", is_flag=True, help="The plans' targets beside what is counted.")
@click.option("--edition", default=0, type=click.IntRange(min=0), help="An edition; the newest.")
@click.option("--language", type=click.Choice(["zh", "en"]), default="zh")
@click.option(
    "-o", "--output", "style", type=click.Choice(["table", *FORMATS]), help="How to print."
)
@click.option(
    "--out",
    "--file",
    "file",
    type=Target(),
    help="Where to: .json, .html or .xlsx; else standard output.",
)
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
    name = f"reports/{period.removeprefix('reports/')}" if period else ""
    if file and (board or not name):
        raise Failure(
            "--out is for a month's report: luoshu report 2026-03 --out FILE.xlsx",
            "--out 仅用于月度报告：luoshu report 2026-03 --out FILE.xlsx",
        )
    style = style_of(file, style, tuple(FORMATS)) or session(ctx).output
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
    """Print the figures, what differs from the edition before, the targets."""
    found: Any = session(ctx).client.reports.GetReport(request)
    days = f"{day(found.first_day)} – {day(found.last_day)}"
    edition = "版次" if language == "zh" else "edition"
    click.echo(f"{found.name}  {days}  {_short(found, 'status')}  {edition} {found.edition}")
    for one in found.tables:
        if one.rows:
            _table(one, language)
    if found.differences:
        _differences(found.differences, language)
    for board in found.boards:
        _targets(board, language)


def _table(one: Any, language: str) -> None:
    click.echo(f"\n{getattr(one.title, language)}")
    units = [column.unit for column in one.columns]
    headings = [getattr(one.dimension, language)]
    headings += [getattr(c.title, language) + _unit(c.unit, language) for c in one.columns]
    lines = [(getattr(row.label, language), row.values) for row in one.rows]
    if one.totals:
        lines.append(("合计" if language == "zh" else "Total", one.totals))
    rows = [
        [label, *(_number(v, unit, language) for v, unit in zip(values, units, strict=True))]
        for label, values in lines
    ]
    table(headings, rows)


def _differences(found: Any, language: str) -> None:
    click.echo(
        "\n" + ("与上一版的差异" if language == "zh" else "Differences from the edition before")
    )
    rows = []
    for item in found:
        events = ", ".join(f"{event.source} {event.position}" for event in item.events[:3])
        more = f" … ({item.event_count})" if item.event_count > 3 else ""
        numbers = [_number(value, item.unit, language) for value in (item.before, item.after)]
        rows.append([getattr(item.label, language), *numbers, events + more])
    table(DIFFERENCES[language], rows)


def _unit(unit: int, language: str) -> str:
    if unit == reports_pb2.UNIT_FEN:
        return "（万元）" if language == "zh" else " (CNY)"
    return ""


def _number(value: int, unit: int, language: str) -> str:
    """Return a number as text: 万元 in Chinese, yuan in English, both to the fen; counts whole."""
    if unit not in (reports_pb2.UNIT_FEN, reports_pb2.UNIT_MINOR):
        return f"{value:,}"
    digits = 6 if unit == reports_pb2.UNIT_FEN and language == "zh" else 2
    whole, rest = divmod(abs(value), 10**digits)
    decimals = f"{rest:0{digits}}".rstrip("0").ljust(2, "0")
    return f"{'-' if value < 0 else ''}{whole:,}.{decimals}"


def _board(ctx: click.Context, request: Any, language: str, style: str) -> None:
    found: Any = session(ctx).client.reports.GetBoard(request)
    if style == "json":
        click.echo(indented(found))
        return
    for plan in found.plans:
        _targets(plan, language)


def _targets(plan: Any, language: str) -> None:
    click.echo(f"\n{getattr(plan.title, language)}")
    table(BOARD[language], [_target(target, language) for target in plan.targets])


def _target(target: Any, language: str) -> list[str]:
    """Return a target's cells; what nothing counts shows why, never 0."""
    from services.reports.texts import Language  # slow to load, and only a board needs it

    said = Language(language)
    counted = str(target.counted) if target.HasField("counted") else said.of(target.rule)
    forecast = str(target.forecast) if target.HasField("forecast") else ""
    standing = _said(STANDINGS, _short(target, "standing"), language)
    return [target.id, said.of(target.title), said.aim(target), counted, forecast, standing]


def _said(words: Mapping[str, Mapping[str, str]], name: str, language: str) -> str:
    return words[name][language] if name in words else name


def _short(message: Any, name: str) -> str:
    return choice(message.DESCRIPTOR.fields_by_name[name], getattr(message, name))

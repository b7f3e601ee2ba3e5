"""`luoshu statement`: what is awarded, paid and left, of a programme, a department, a unit, or of all."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from app.cli.callers import warn_of_unknown
from app.cli.files import Target, style_of
from app.cli.output import indented, table, titled
from app.cli.session import Command, session
from luoshu.funding.v1 import funding_pb2 as pb

CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")
AMOUNTS = ("awarded_fen", "paid_fen", "remaining_fen", "recovered_fen")
WORDS = {
    "zh": ("已立项", "已拨付", "未拨付", "已追回"),
    "en": ("awarded", "paid", "remaining", "recovered"),
}
CEILING = {
    "zh": ("专项", "牵头部门", "年度", "资金来源", "额度", "其中结转", "已立项", "可用"),
    "en": (
        "programme",
        "lead",
        "year",
        "source",
        "ceiling",
        "of it carried",
        "awarded",
        "available",
    ),
}
GROUPS = {
    "programmes": ("按专项", "by programme"),
    "departments": ("按部门", "by department"),
    "applicants": ("按单位", "by unit"),
}
AWARD = {
    "zh": ("项目", "名称", "单位", "年度", "资金来源"),
    "en": ("award", "title", "unit", "year", "source"),
}
SOURCES = "funding_sources"
FEN_A_WAN = 1_000_000


@click.command(cls=Command)
@click.argument("whose", required=False, default="")
@click.option("--year", default=0, type=click.IntRange(min=0), help="Budget year; every year.")
@click.option("--source", default="", metavar="ID", help="Source of the money, of the pack.")
@click.option("--position", default=0, type=click.IntRange(min=0), help="As of a position.")
@click.option("--language", type=click.Choice(["zh", "en"]), default="zh")
@click.option(
    "-o", "--output", "style", type=click.Choice(["table", "json", "xlsx"]), help="How to print."
)
@click.option(
    "--out",
    "--file",
    "file",
    type=Target(),
    help="Where to: .json or .xlsx; else standard output.",
)
@click.pass_context
def statement(
    ctx: click.Context,
    whose: str,
    year: int,
    source: str,
    position: int,
    language: str,
    style: str | None,
    file: Path | None,
) -> None:
    """State the money of WHOSE: programmes/ID, a department such as DST, or a unit's credit code.

    Every amount is a sum of the ledger's entries, in 万元 to the fen.

    对账：WHOSE 为专项、部门或单位的统一社会信用代码；金额以万元计，精确到分。
    """
    style = style_of(file, style, ("json", "xlsx")) or session(ctx).output
    if whose and _field(whose) == "department":
        warn_of_unknown(whose)
    asked = pb.GetStatementRequest(year=year, funding_source=source, position=position)
    setattr(asked, _field(whose), whose)
    found = whole(session(ctx).client.funding.GetStatement, asked)
    if whose and not found.awards and not found.ceilings:
        click.echo(f"the ledger has nothing of {whose!r} that you may see", err=True)
        click.echo(f"账中没有 {whose!r} 的记录，或无权查看", err=True)
    if style == "json":
        _write(file, (indented(found) + "\n").encode())
    elif style == "xlsx":
        from app.cli.statement_book import workbook

        _write(file or Path("statement.xlsx"), workbook(found, language))
    else:
        show(found, language)


def _field(whose: str) -> str:
    if whose.startswith("programmes/"):
        return "programme"
    return "applicant" if CODE.fullmatch(whose) else "department"


def whole(call: Any, asked: pb.GetStatementRequest) -> pb.Statement:
    """Return a statement with the awards of all its pages: the totals are of all of them anyway."""
    found = page = call(asked)
    while page.next_page_token:
        asked.page_token = page.next_page_token
        page = call(asked)
        found.awards.extend(page.awards)
    found.ClearField("next_page_token")
    return found  # type: ignore[no-any-return]


def _write(file: Path | None, content: bytes) -> None:
    if file is None:
        sys.stdout.buffer.write(content)
        return
    file.write_bytes(content)
    click.echo(f"{file}: {len(content)} bytes", err=True)


def wan(fen: int) -> str:
    """Return an amount in 万元, to the fen: `240.00`, `0.000001`."""
    whole, rest = divmod(abs(fen), FEN_A_WAN)
    decimals = f"{rest:06}".rstrip("0").ljust(2, "0")
    return f"{'-' if fen < 0 else ''}{whole:,}.{decimals}"


def show(found: pb.Statement, language: str) -> None:
    """Print ceilings, sums and awards."""
    unit = "单位：万元" if language == "zh" else "amounts in 10 000 CNY (万元)"
    at = "日志位置" if language == "zh" else "journal position"
    click.echo(f"{at} {found.position} · {unit}")
    if found.ceilings:
        click.echo()
        rows = [
            _in_words(ceiling_cells(line), {1: "departments", 3: SOURCES}, language)
            for line in found.ceilings
        ]
        table(CEILING[language], rows)
    for name, titles in GROUPS.items():
        groups = getattr(found, name)
        if len(groups) > 1 or (groups and name == "departments"):
            click.echo()
            heading = titles[0] if language == "zh" else titles[1]
            rows = [[_named(g), str(g.awards), *amounts(g.amounts)] for g in groups]
            if name == "departments":
                rows = [_in_words(row, {0: name}, language) for row in rows]
            table((heading, "项数" if language == "zh" else "awards", *WORDS[language]), rows)
    click.echo()
    rows = [
        [*_in_words(award_cells(line), {4: SOURCES}, language), *amounts(line.amounts)]
        for line in found.awards
    ]
    rows.append(["合计" if language == "zh" else "total", "", "", "", "", *amounts(found.total)])
    table((*AWARD[language], *WORDS[language]), rows)


def _in_words(cells: list[str], sections: Mapping[int, str], language: str) -> list[str]:
    """Return a row in which ids of the pack's sections, by their columns, are `titled`."""
    return [
        titled(sections[at], cell, language) if at in sections else cell
        for at, cell in enumerate(cells)
    ]


def _named(group: pb.GroupLine) -> str:
    return f"{group.key} {group.title}".strip() or "–"


def amounts(of: pb.Amounts) -> list[str]:
    return [wan(getattr(of, name)) for name in AMOUNTS]


def ceiling_cells(line: pb.CeilingLine) -> list[str]:
    texts = [line.programme, line.department, str(line.year), line.funding_source]
    fen = (line.ceiling_fen, line.carried_fen, line.awarded_fen, line.available_fen)
    return texts + [wan(value) for value in fen]


def award_cells(line: pb.AwardLine) -> list[str]:
    name = line.application or line.programme
    unit = line.applicant_name or line.applicant
    return [name, line.title, unit, str(line.year or ""), line.funding_source]

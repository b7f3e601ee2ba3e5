"""A statement as an Excel workbook: amounts are numbers in 万元 that keep every fen."""

import io
from collections.abc import Iterable, Sequence
from typing import Any

import xlsxwriter

from app.cli.statement import AMOUNTS, AWARD, CEILING, FEN_A_WAN, GROUPS, WORDS, award_cells
from luoshu.funding.v1 import funding_pb2 as pb
from services.reports.workbook import A4, fit

TITLES = {"zh": ("额度", "项目", "合计", "项数"), "en": ("ceilings", "awards", "total", "awards")}
UNIT = {"zh": "（万元）", "en": " (10 000 CNY)"}
MONEY = 4
"""The last columns of every sheet are amounts."""


class Fen(int):
    """An amount; any other number is a count."""


Cell = str | int


def workbook(statement: pb.Statement, language: str) -> bytes:
    """Return the workbook's bytes: ceilings, awards, and the sums by programme, department and unit."""
    target = io.BytesIO()
    ceilings, awards, total, count = TITLES[language]
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        book.set_properties({"comments": f"position {statement.position}"})
        pages = _Pages(book, UNIT[language])
        sums: list[Cell] = [*_fen(statement.total)]
        pages.add(
            awards,
            (*AWARD[language], *WORDS[language]),
            ([*award_cells(line), *_fen(line.amounts)] for line in statement.awards),
            (total, "", "", "", "", *sums),
        )
        pages.add(ceilings, CEILING[language], map(_ceiling, statement.ceilings))
        for name, titles in GROUPS.items():
            heading = titles[language != "zh"]
            rows: Iterable[Sequence[Cell]] = (
                [f"{g.key} {g.title}".strip(), g.awards, *_fen(g.amounts)]
                for g in getattr(statement, name)
            )
            last = (total, statement.award_count, *sums)
            pages.add(heading, (heading, count, *WORDS[language]), rows, last)
    return target.getvalue()


def _fen(amounts: pb.Amounts) -> list[Fen]:
    return [Fen(getattr(amounts, name)) for name in AMOUNTS]


def _ceiling(line: pb.CeilingLine) -> Sequence[Cell]:
    texts = (line.programme, line.department, str(line.year), line.funding_source)
    fen = (line.ceiling_fen, line.carried_fen, line.awarded_fen, line.available_fen)
    return (*texts, *map(Fen, fen))


class _Pages:
    """Writes the sheets of one workbook."""

    def __init__(self, book: Any, unit: str) -> None:
        self._book, self._unit = book, unit
        self._head = book.add_format({"bold": True, "bg_color": "#E8EDF2", "text_wrap": True})
        # A cell keeps 15 digits: every fen of amounts up to 10 billion yuan.
        self._amount = book.add_format({"num_format": "#,##0.00####"})
        self._count = book.add_format({"num_format": "#,##0"})

    def add(
        self,
        title: str,
        headings: Sequence[str],
        rows: Iterable[Sequence[Cell]],
        last: Sequence[Cell] = (),
    ) -> None:
        sheet = self._book.add_worksheet(title)
        widths: dict[tuple[str, int], int] = {}
        sheet.freeze_panes(1, 1)
        # On paper: A4 across, as wide as the page, the headings on each.
        sheet.set_paper(A4)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        for column, heading in enumerate(headings):
            money = column >= len(headings) - MONEY
            sheet.write_string(0, column, heading + self._unit * money, self._head)
            fit(sheet, widths, column, heading + self._unit * money)
        for number, row in enumerate((*rows, *([last] if last else [])), start=1):
            for column, cell in enumerate(row):
                self._write(sheet, number, column, cell)
                fit(sheet, widths, column, str(cell))

    def _write(self, sheet: Any, row: int, column: int, cell: Cell) -> None:
        if isinstance(cell, Fen):
            sheet.write_number(row, column, cell / FEN_A_WAN, self._amount)
        elif isinstance(cell, int):
            sheet.write_number(row, column, cell, self._count)
        else:
            sheet.write_string(row, column, cell)

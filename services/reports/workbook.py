"""A report as an Excel workbook, a sheet a table. Nothing in it depends on when it is written."""

import datetime
import io
import math
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import xlsxwriter
from google.type.date_pb2 import Date

from kernel.dates import iso
from luoshu.reports.v1 import reports_pb2 as pb
from services.reports.glance import glance, unclassified
from services.reports.texts import BASES, FEN_IN_WAN, FEN_IN_YUAN, STANDINGS, Language

FORBIDDEN = str.maketrans(dict.fromkeys("[]:*?/\\", " "))
LONGEST = 31  # characters of a sheet's name
LEAST, MOST = 12, 60  # characters of a column's width
ROW_HEIGHT = 15  # points
A4 = 9  # as Excel numbers paper


def workbook(report: pb.Report, language: Language) -> bytes:
    """Return the workbook's bytes."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        day = report.known_day
        created = datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC)
        book.set_properties({"title": heading(report, language), "created": created})
        sheets = _Sheets(book, language)
        sheets.about(report)
        sheets.boards(report)
        for table in report.tables:
            if table.rows:
                sheets.table(table)
        if report.differences:
            sheets.differences(report)
    return target.getvalue()


def heading(report: pb.Report, language: Language) -> str:
    """Return the report's title in full."""
    parts = (
        language.of(report.province),
        language.say("subject"),
        language.say("title"),
        language.month(report.first_day),
    )
    return "".join(parts[:3]) + f"（{parts[3]}）" if language.code == "zh" else " · ".join(parts)


def short(title: str) -> str:
    """Return a table's title as a sheet's name: an English one that is too long loses what it can spare."""
    if len(title) <= LONGEST:
        return title
    return title.partition(",")[0].replace(" by lead ", " by ")


def fit(sheet: Any, widths: dict[tuple[str, int], int], column: int, text: str) -> None:
    """Widen a column to what stands in it; `widths`: of the sheets' columns so far."""
    wanted = min(max(shown_width(text) + 2, LEAST), MOST)
    if wanted > widths.get((sheet.name, column), 0):
        widths[sheet.name, column] = wanted
        sheet.set_column(column, column, wanted)


def shown_width(text: str) -> int:
    """Return how wide a text is shown: a Chinese character is as wide as two Latin ones."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


class _Sheets:
    """Writes the sheets of one workbook."""

    def __init__(self, book: Any, language: Language) -> None:
        self._book, self._language = book, language
        self._bold = book.add_format({"bold": True})
        self._head = book.add_format(
            {"bold": True, "bg_color": "#E8EDF2", "bottom": 1, "text_wrap": True}
        )
        self._wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        self._count = book.add_format({"num_format": "#,##0"})
        self._hundredths = book.add_format({"num_format": "#,##0.00"})
        self._wan = book.add_format({"num_format": "#,##0.00####"})
        self._day = book.add_format({"num_format": "yyyy-mm-dd", "align": "left"})
        self._names: set[str] = set()
        self._widths: dict[tuple[str, int], int] = {}

    def about(self, report: pb.Report) -> None:
        """What the workbook is, and how to check it."""
        say, day = self._language.say, self._language.day
        closed = report.status == pb.STATUS_CLOSED
        status = (
            f"{say('edition', report.edition)} · {say('closed')}" if closed else say("provisional")
        )
        sheet = self._sheet(say("overview"))
        self._text(sheet, 0, 0, heading(report, self._language), self._bold)
        cuts = ", ".join(f"{cut.source} {cut.position}" for cut in report.cuts)
        lines = [
            (say("status"), status),
            (say("as_of"), day(report.as_of)),
            (say("known"), day(report.known_day)),
            (say("cuts"), cuts),
            (say("pack"), report.pack),
            (say("digest"), report.digest),
        ]
        for number, (label, text) in enumerate(lines, start=2):
            self._text(sheet, number, 0, label, self._bold)
            self._text(sheet, number, 1, text)
        self._glance(sheet, len(lines) + 3, report)

    def _glance(self, sheet: Any, row: int, report: pb.Report) -> None:
        """The few numbers at the top, and what they count."""
        language, rest, numbers = self._language, unclassified(report), glance(report)
        for number, (key, value, unit) in enumerate(numbers, start=row):
            self._text(sheet, number, 0, language.say(key) + language.unit(unit), self._bold)
            self._number(sheet, number, 1, value, unit)
        notes = [language.say("unclassified_note", language.number(rest))] if rest else []
        notes += [language.say("reached_note"), language.say("assessed_note")]
        for at, note in enumerate(notes, start=row + len(numbers) + 1):
            sheet.write_string(at, 0, note)

    def boards(self, report: pb.Report) -> None:
        """The targets, then the records that were counted."""
        language = self._language
        heads = ("target", "aim", "value", "by_end", "standing", "rule")
        sheet = self._sheet(language.say("board"))
        self._headings(sheet, 0, map(language.say, heads))
        row = 1
        for board in report.boards:
            self._text(sheet, row, 0, language.of(board.title), self._bold)
            for target in board.targets:
                row += 1
                self._target(sheet, row, target)
            row += 2
        self._records(report)

    def _target(self, sheet: Any, row: int, target: pb.Target) -> None:
        language = self._language
        self._text(sheet, row, 0, f"{target.id} {language.of(target.title)}")
        self._text(sheet, row, 1, language.aim(target))
        if target.HasField("counted"):
            sheet.write_number(row, 2, target.counted, self._count)
            self._text(sheet, row, 4, language.say(STANDINGS[target.standing]))
        else:
            self._text(sheet, row, 2, language.say(BASES[target.basis]))
        if target.HasField("forecast"):
            sheet.write_number(row, 3, target.forecast, self._count)
        rule = language.of(target.rule)
        self._text(sheet, row, 5, rule, self._wrapped)
        sheet.set_row(row, ROW_HEIGHT * math.ceil(shown_width(rule) / MOST))

    def _records(self, report: pb.Report) -> None:
        say = self._language.say
        sheet = self._sheet(say("records"))
        self._headings(sheet, 0, map(say, ("record", "target", "name", "day", "event")))
        found = [(t, r) for b in report.boards for t in b.targets for r in t.records]
        for row, (target, record) in enumerate(found, start=1):
            event = f"{record.source} {record.position}"
            texts = {0: record.title, 1: target.id, 2: record.record, 4: event}
            for column, text in texts.items():
                self._text(sheet, row, column, text)
            self._date(sheet, row, 3, record.day)

    def table(self, table: pb.Table) -> None:
        """One table, its totals at its end."""
        language = self._language
        sheet = self._sheet(short(language.of(table.title)))
        heads = [language.of(table.dimension), *map(self._head_of, table.columns)]
        self._headings(sheet, 0, heads)
        for number, row in enumerate(table.rows, start=1):
            self._text(sheet, number, 0, language.of(row.label))
            self._values(sheet, number, table, row.values)
        if table.totals:
            end = len(table.rows) + 1
            self._text(sheet, end, 0, language.say("total"), self._bold)
            self._values(sheet, end, table, table.totals)

    def _head_of(self, column: pb.Column) -> str:
        return self._language.of(column.title) + self._language.unit(column.unit)

    def _values(self, sheet: Any, row: int, table: pb.Table, values: Sequence[int]) -> None:
        for at, (column, value) in enumerate(zip(table.columns, values, strict=True), start=1):
            self._number(sheet, row, at, value, column.unit)

    def _number(self, sheet: Any, row: int, column: int, value: int, unit: int) -> None:
        """Amounts in 万元 or yuan: a cell keeps 15 digits, which is to the fen up to 10 billion yuan."""
        if unit == pb.UNIT_FEN and self._language.code == "zh":
            sheet.write_number(row, column, value / FEN_IN_WAN, self._wan)
        elif unit in (pb.UNIT_FEN, pb.UNIT_MINOR):
            sheet.write_number(row, column, value / FEN_IN_YUAN, self._hundredths)
        else:
            sheet.write_number(row, column, value, self._count)

    def differences(self, report: pb.Report) -> None:
        """What differs from the edition before, with the late events."""
        language = self._language
        sheet = self._sheet(language.say("differences", report.edition - 1))
        self._headings(sheet, 0, map(language.say, ("figure", "before", "after", "events")))
        for row, item in enumerate(report.differences, start=1):
            self._text(sheet, row, 0, language.of(item.label))
            self._number(sheet, row, 1, item.before, item.unit)
            self._number(sheet, row, 2, item.after, item.unit)
            events = ", ".join(f"{e.source} {e.position}" for e in item.events)
            self._text(sheet, row, 3, events)

    def _text(self, sheet: Any, row: int, column: int, text: str, style: Any = None) -> None:
        sheet.write_string(row, column, text, style)
        fit(sheet, self._widths, column, text)

    def _date(self, sheet: Any, row: int, column: int, day: Date) -> None:
        sheet.write_datetime(row, column, datetime.date(day.year, day.month, day.day), self._day)
        fit(sheet, self._widths, column, iso(day))

    def _headings(self, sheet: Any, row: int, texts: Iterable[str]) -> None:
        for column, text in enumerate(texts):
            self._text(sheet, row, column, text, self._head)

    def _sheet(self, title: str) -> Any:
        """Add a sheet; a name that Excel would refuse is made one that it takes."""
        name = plain = title.translate(FORBIDDEN)[:LONGEST].strip()
        number = 1
        while name.lower() in self._names:
            number += 1
            name = f"{plain[: LONGEST - 4]} {number}"
        self._names.add(name.lower())
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 1)
        # On paper: across, as wide as the page, the headings on each.
        sheet.set_paper(A4)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        return sheet

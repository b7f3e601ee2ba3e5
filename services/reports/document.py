"""A whole report, and its bytes."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable

import sqlalchemy as sa
from google.protobuf.json_format import MessageToDict, Parse

from kernel.dates import from_date
from kernel.pack import Pack
from luoshu.reports.v1 import reports_pb2 as pb
from services.reports.board import boards
from services.reports.figures import Cell, cells
from services.reports.labels import Labels
from services.reports.layouts import DIMENSIONS, LAYOUTS, Figure, Layout, Words
from services.reports.standing import readings
from services.reports.store import FACT
from services.reports.views import View, cuts, true_on

BOARD = "board"
COUNTED = "counted"


def build(tx: sa.Connection, view: View, sources: Iterable[str], pack: Pack) -> pb.Report:
    """Return the month's report as it was known: provisional, without edition and differences."""
    labels = Labels(pack, view.as_of, _titles(tx, view))
    at = cuts(tx, view.known)
    month = view.month
    return pb.Report(
        name=month.name,
        period=month.key,
        province=pb.Text(en=pack.en, zh=pack.zh),
        status=pb.STATUS_PROVISIONAL,
        first_day=from_date(month.first),
        last_day=from_date(month.last),
        known_day=from_date(view.known_day),
        as_of=from_date(view.as_of),
        cuts=[pb.Cut(source=s, position=at.get(s, 0)) for s in sorted(sources)],
        pack=pack.version,
        tables=_tables(cells(readings(tx, view), pack), labels),
        boards=boards(tx, view, pack),
    )


def _titles(tx: sa.Connection, view: View) -> dict[str, str]:
    """Return the titles of programmes, whose names head rows."""
    named = FACT.c.record > "programmes/", FACT.c.record < "programmes0"  # 0 comes after the slash
    programmes = sa.select(FACT.c.record).where(*named)
    rows = true_on(view.last, view.known, programmes)
    return {row.record: row.title for row in tx.execute(sa.select(rows.c.record, rows.c.title))}


def _tables(sums: Counter[Cell], labels: Labels) -> list[pb.Table]:
    rows: dict[str, set[str]] = {}
    for cell in sums:
        rows.setdefault(cell.table, set()).add(cell.row)
    return [_table(layout, rows.get(layout.id, set()), sums, labels) for layout in LAYOUTS]


def _table(layout: Layout, rows: set[str], sums: Counter[Cell], labels: Labels) -> pb.Table:
    keys = sorted(rows, key=lambda key: labels.order(layout, key))
    table = pb.Table(
        id=layout.id,
        collection=layout.collection,
        title=text(layout.title),
        dimension=text(DIMENSIONS[layout.dimension]),
        columns=[_column(figure) for figure in layout.columns],
    )
    for key in keys:
        values = [sums[Cell(layout.id, key, figure.key)] for figure in layout.columns]
        table.rows.add(key=key, label=text(labels.row(layout, key)), values=values)
    if layout.summed:
        table.totals.extend(
            sum(row.values[at] for row in table.rows) for at in range(len(layout.columns))
        )
    return table


def _column(figure: Figure) -> pb.Column:
    return pb.Column(key=figure.key, title=text(figure.title), unit=figure.unit)


def text(words: Words) -> pb.Text:
    """Return a label as the wire has it."""
    return pb.Text(en=words.en, zh=words.zh)


def figures_of(report: pb.Report) -> dict[Cell, int]:
    """Return the numbers of a report by their keys; 0 may be missing."""
    numbers = {
        Cell(table.id, row.key, column.key): value
        for table in report.tables
        for row in table.rows
        for column, value in zip(table.columns, row.values, strict=True)
    }
    for board in report.boards:
        for target in board.targets:
            if target.HasField("counted"):
                numbers[Cell(f"{BOARD}.{board.plan}", target.id, COUNTED)] = target.counted
    return numbers


def canonical(report: pb.Report) -> bytes:
    """Return the report's canonical JSON in UTF-8: every field by its proto name, keys sorted, no
    digest, a line end.
    """
    content = MessageToDict(
        report, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    del content["digest"]
    written = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return written.encode() + b"\n"


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of bytes, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def parsed(content: bytes) -> pb.Report:
    """Return the report of canonical JSON; fields that a later version had are left out."""
    return Parse(content, pb.Report(), ignore_unknown_fields=True)

"""The records behind a number, each with the event that made it count."""

import datetime
from collections.abc import Iterator

import sqlalchemy as sa

from kernel.dates import from_date
from kernel.errors import Invalid, NotFound
from kernel.pack import Pack
from luoshu.reports.v1 import reports_pb2 as pb
from services.reports.board import counted_targets, counting_ones, shown
from services.reports.document import BOARD, COUNTED
from services.reports.figures import row_of
from services.reports.layouts import BY_ID, Figure, Layout
from services.reports.reading import Kept
from services.reports.views import Line, View, each, happened, true_on

COLUMN_OF = {"state": "to_state"}
"""Where a dimension is not named as the facts' column."""


def behind(tx: sa.Connection, kept: Kept, figure: pb.FigureKey, pack: Pack) -> list[pb.Counted]:
    """Return what a figure counts, by record and position. Raises NotFound: no such figure."""
    if figure.table.startswith(f"{BOARD}."):
        return _of_target(tx, kept.view, figure, pack)
    layout = BY_ID.get(figure.table)
    column = _column(layout, figure.column) if layout else None
    if layout is None or column is None:
        raise _unknown(figure)
    lines = _lines(tx, kept.view, layout, column, figure.row, pack)
    return [_shown(line) for line in sorted(lines, key=lambda line: (line.record, line.position))]


def _of_target(tx: sa.Connection, view: View, figure: pb.FigureKey, pack: Pack) -> list[pb.Counted]:
    for plan, target in counted_targets(pack, view.as_of):
        named = (f"{BOARD}.{plan}", target.id, COUNTED)
        if named == (figure.table, figure.row, figure.column):
            return [shown(one) for one in counting_ones(tx, target.counting, view, pack)]
    raise _unknown(figure)


def _column(layout: Layout, key: str) -> Figure | None:
    return next((figure for figure in layout.columns if figure.key == key), None)


def _lines(
    tx: sa.Connection, view: View, layout: Layout, column: Figure, row: str, pack: Pack
) -> Iterator[Line]:
    """Yield events, or the records whose parts of the sum are not 0."""
    if column.moved:
        yield from _in_row(tx, happened(view), view, layout, column, row, pack)
        return
    parts: dict[str, int] = {}
    seen: dict[str, Line] = {}
    for factor, day in ((column.before, view.before), (column.last, view.last)):
        if not factor:
            continue
        for line in _in_row(tx, true_on(day, view.known), view, layout, column, row, pack):
            parts[line.record] = parts.get(line.record, 0) + factor * column.measure(line)
            seen[line.record] = line
    yield from (seen[record] for record, part in parts.items() if part)


def _in_row(
    tx: sa.Connection,
    rows: sa.Subquery,
    view: View,
    layout: Layout,
    column: Figure,
    row: str,
    pack: Pack,
) -> Iterator[Line]:
    wanted = sa.select(rows).where(rows.c.collection == layout.collection)
    if layout.dimension != "division":  # the pack says which reporting unit a division lies in
        wanted = wanted.where(rows.c[COLUMN_OF.get(layout.dimension, layout.dimension)] == row)
    for line in each(tx, wanted.subquery(), view):
        if layout.only(line) and row_of(layout, line, pack) == row and column.measure(line):
            yield line


def _shown(line: Line) -> pb.Counted:
    return pb.Counted(
        record=line.record,
        title=line.title,
        day=from_date(datetime.date.fromisoformat(line.effective_date)),
        source=line.source,
        position=line.position,
    )


def _unknown(figure: pb.FigureKey) -> NotFound:
    named = f"{figure.table} / {figure.row} / {figure.column}"
    return NotFound(
        f"no figure {named}; take table, row and column from the report",
        f"没有指标 {named}；请使用报告中的表、行、列",
        field="figure",
    )


def page(found: list[pb.Counted], size: int, token: str) -> tuple[list[pb.Counted], str]:
    """Return a page and the next one's token. Raises Invalid."""
    start = 0
    if token:
        after = _key(token)
        start = next((n for n, c in enumerate(found) if (c.record, c.position) > after), len(found))
    rows = found[start : start + size]
    more = len(found) > start + size
    return rows, f"{rows[-1].record} {rows[-1].position}" if more else ""


def _key(token: str) -> tuple[str, int]:
    record, _, position = token.rpartition(" ")
    if not record or not position.isdecimal():
        raise Invalid(
            "page_token is none of this list's; begin again without one",
            "page_token 无效；请不带该参数重新查询",
            field="page_token",
        )
    return record, int(position)

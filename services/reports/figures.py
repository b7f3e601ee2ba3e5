"""The figures of a report as sums over lines, so that each has its parts."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from kernel.pack import Pack
from services.reports.layouts import LAYOUTS, Layout
from services.reports.views import Line


class Cell(NamedTuple):
    """The key of one number of a report."""

    table: str
    row: str
    column: str


class Views(NamedTuple):
    """The three readings that figures are sums of."""

    last: Iterable[Line]
    before: Iterable[Line]
    moved: Iterable[Line]


def row_of(layout: Layout, line: Line, pack: Pack) -> str:
    """Return the key of the row that a line falls into."""
    key = str(getattr(line, layout.dimension))
    return reporting_unit(key, pack) if layout.dimension == "division" else key


def reporting_unit(code: str, pack: Pack) -> str:
    """Return the reporting unit that a division lies in, the code itself where there is none."""
    at = code
    while at in pack.divisions and at not in pack.reporting_units:
        at = pack.divisions[at].parent
    return at if at in pack.reporting_units else code


def cells(views: Views, pack: Pack, layouts: Iterable[Layout] = LAYOUTS) -> Counter[Cell]:
    """Return the figures that are not 0."""
    sums: Counter[Cell] = Counter()
    of: dict[str, list[Layout]] = {}
    for layout in layouts:
        of.setdefault(layout.collection, []).append(layout)
    for view, lines in zip(Views._fields, views, strict=True):
        for line in lines:
            for layout in of.get(line.collection, ()):
                _add(sums, layout, line, view, pack)
    return Counter({cell: value for cell, value in sums.items() if value})


def _add(sums: Counter[Cell], layout: Layout, line: Line, view: str, pack: Pack) -> None:
    if not layout.only(line):
        return
    for figure in layout.columns:
        value = getattr(figure, view) * figure.measure(line)
        if value:
            sums[Cell(layout.id, row_of(layout, line, pack), figure.key)] += value

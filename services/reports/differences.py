"""What an edition has otherwise than the one before, and which late events did it."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

import sqlalchemy as sa

from kernel.pack import Pack
from luoshu.reports.v1 import reports_pb2 as pb
from services.reports.board import counted_targets, counting_ones, families
from services.reports.document import BOARD, COUNTED, figures_of
from services.reports.figures import Cell, Views, cells
from services.reports.views import (
    Line,
    View,
    each,
    happened,
    late,
    late_events,
    told_of,
    true_on,
)

MOST = 500
"""So many events are listed with a difference; all are counted."""

Event = tuple[str, int]


def concerned(tx: sa.Connection, view: View, after: str) -> bool:
    """Tell whether what became known after a day changes anything that figures depend on."""
    who = late(view, after, view.known)
    former = view._replace(known=after)
    for day in (view.last, view.before):
        if told_of(tx, true_on(day, after, who)) != told_of(tx, true_on(day, view.known, who)):
            return True
    was, now = (sum(line.number for line in each(tx, happened(v, who), v)) for v in (former, view))
    return was != now


def differences(
    tx: sa.Connection, former: pb.Report, report: pb.Report, view: View, after: str, pack: Pack
) -> list[pb.Difference]:
    """Return the figures that differ, in the report's order, with the events committed after the
    day `after`.
    """
    before, now = figures_of(former), figures_of(report)
    swapped = _swapped(tx, view, after, pack)
    changed = [c for c in {**now, **before} if before.get(c, 0) != now.get(c, 0) or c in swapped]
    if not changed:
        return []
    events = _events(tx, view, after, pack, swapped)
    return [
        _difference(
            cell, before.get(cell, 0), now.get(cell, 0), events.get(cell, []), report, former
        )
        for cell in sorted(changed, key=_order(report, former))
    ]


def _swapped(tx: sa.Connection, view: View, after: str, pack: Pack) -> dict[Cell, set[str]]:
    """Return the targets whose counted records differ, with those that came or went, and their families if these count once."""
    views = (view._replace(known=after), view)
    found = {}
    for plan, target in counted_targets(pack, view.as_of):
        counting = target.counting
        was, now = ({one.record for one in counting_ones(tx, counting, v, pack)} for v in views)
        if records := was ^ now:
            tied = [families(tx, counting, v, records) for v in views if counting.merged_once]
            found[Cell(f"{BOARD}.{plan}", target.id, COUNTED)] = records.union(*tied)
    return found


def _events(
    tx: sa.Connection, view: View, after: str, pack: Pack, swapped: dict[Cell, set[str]]
) -> dict[Cell, list[Event]]:
    """Return the late events by the figures that their records changed."""
    of: dict[str, list[Event]] = {}
    for record, source, position in late_events(tx, view, after, view.known):
        of.setdefault(record, []).append((source, position))
    touched = _touched(tx, view, after, pack)
    for cell, records in swapped.items():
        for record in records:
            touched.setdefault(record, set()).add(cell)
    found: dict[Cell, list[Event]] = {}
    for record, its in touched.items():
        for cell in its:
            found.setdefault(cell, []).extend(of.get(record, []))
    return {cell: sorted(set(events)) for cell, events in found.items()}


def _touched(tx: sa.Connection, view: View, after: str, pack: Pack) -> dict[str, set[Cell]]:
    """Return, by record, the figures to which it contributes otherwise than it did."""
    was = _contributions(tx, view._replace(known=after), late(view, after, view.known), pack)
    now = _contributions(tx, view, late(view, after, view.known), pack)
    return {
        record: {
            cell
            for cell in {**was.get(record, {}), **now.get(record, {})}
            if was.get(record, {}).get(cell, 0) != now.get(record, {}).get(cell, 0)
        }
        for record in {**was, **now}
    }


def _contributions(
    tx: sa.Connection, view: View, who: sa.Select[tuple[str]], pack: Pack
) -> dict[str, dict[Cell, int]]:
    """Return what each record adds to each figure."""
    parts: dict[str, list[list[Line]]] = {}
    readings = (
        true_on(view.last, view.known, who),
        true_on(view.before, view.known, who),
        happened(view, who),
    )
    for number, rows in enumerate(readings):
        for record, lines in _by_record(each(tx, rows, view)):
            parts.setdefault(record, [[], [], []])[number] = lines
    return {record: cells(Views(*views), pack) for record, views in parts.items()}


def _by_record(lines: Iterable[Line]) -> Iterator[tuple[str, list[Line]]]:
    for record, its in groupby(lines, key=lambda line: line.record):
        yield record, list(its)


def _order(*reports: pb.Report) -> Callable[[Cell], int]:
    places: dict[Cell, int] = {}
    for report in reports:
        for cell in figures_of(report):
            places.setdefault(cell, len(places))
    return places.__getitem__


def _difference(
    cell: Cell, before: int, after: int, events: list[Event], *reports: pb.Report
) -> pb.Difference:
    label, unit = _named(cell, *reports)
    return pb.Difference(
        figure=pb.FigureKey(table=cell.table, row=cell.row, column=cell.column),
        label=label,
        unit=unit,
        before=before,
        after=after,
        events=[pb.EventReference(source=s, position=p) for s, p in events[:MOST]],
        event_count=len(events),
    )


def _named(cell: Cell, *reports: pb.Report) -> tuple[pb.Text, pb.Unit.ValueType]:
    """Return a figure's label and unit, from the first report that has it."""
    for report in reports:
        for table in (t for t in report.tables if t.id == cell.table):
            for row in (r for r in table.rows if r.key == cell.row):
                column = next(c for c in table.columns if c.key == cell.column)
                return _joined(table.title, row.label, column.title), column.unit
        for board in (b for b in report.boards if f"{BOARD}.{b.plan}" == cell.table):
            for target in (t for t in board.targets if t.id == cell.row):
                return _joined(board.title, target.title), pb.UNIT_COUNT
    return pb.Text(en=cell.row, zh=cell.row), pb.UNIT_COUNT


def _joined(*parts: pb.Text) -> pb.Text:
    return pb.Text(en=" / ".join(p.en for p in parts), zh="／".join(p.zh for p in parts))

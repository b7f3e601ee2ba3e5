"""The few numbers that a report begins with."""

from typing import NamedTuple

from luoshu.reports.v1 import reports_pb2 as pb

UNCLASSIFIED = "unclassified"
GLANCED = ("platforms.kind", "breakthroughs.direction", "money.department")


class Number(NamedTuple):
    """One of them. `key`: of its text."""

    key: str
    value: int
    unit: int = pb.UNIT_COUNT


def glance(report: pb.Report) -> tuple[Number, ...]:
    """Return the numbers at the top; imports without a kind are left out of the platforms, as its note says."""
    tables = {table.id: table for table in report.tables}
    kinds, met, money = (tables.get(name, pb.Table()) for name in GLANCED)
    return (
        Number("platforms_set_up", _sum(kinds, "established", but=UNCLASSIFIED)),
        Number("platforms_new", _sum(kinds, "recognized", but=UNCLASSIFIED)),
        Number("targets_reached", _sum(met, "reached")),
        Number("approved_in", _sum(money, "approved_in"), pb.UNIT_FEN),
        Number("paid_in", _sum(money, "paid_in"), pb.UNIT_FEN),
    )


def unclassified(report: pb.Report) -> int:
    """Return how many platforms are set up that have no kind, and so are not among the first number."""
    tables = {table.id: table for table in report.tables}
    kinds = tables.get("platforms.kind", pb.Table())
    return _sum(kinds, "established") - _sum(kinds, "established", but=UNCLASSIFIED)


def _sum(table: pb.Table, column: str, but: str = "") -> int:
    """Return a column's sum; 0 for a column that an older edition has not."""
    keys = [found.key for found in table.columns]
    if column not in keys:
        return 0
    return sum(row.values[keys.index(column)] for row in table.rows if row.key != but or not but)

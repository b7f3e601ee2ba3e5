"""Geometry of the static charts, in the units of their view boxes."""

from collections.abc import Sequence
from typing import NamedTuple

from luoshu.reports.v1 import reports_pb2 as pb

TRACK = 1000.0
"""Width of a progress bar's track."""
ROOM = 1.15
"""The track ends so much beyond the greater of value and target."""


class Progress(NamedTuple):
    """A target's bar: how far it is filled, where the target and the forecast lie on the track."""

    filled: float
    aim: float
    forecast: float


def progress(target: pb.Target) -> Progress | None:
    """Return the bar of a counted target; None where nothing is counted."""
    if not target.HasField("counted"):
        return None
    aim = float(target.value)
    end = max(aim, float(target.counted)) * ROOM or 1.0
    forecast = min(float(target.forecast), end) if target.HasField("forecast") else 0.0
    return Progress(*(round(TRACK * part / end, 1) for part in (target.counted, aim, forecast)))


class Bar(NamedTuple):
    """One bar of a bar chart. `share`: of the longest, 0 to 1."""

    label: pb.Text
    value: int
    share: float


def bars(table: pb.Table, column: int = 0) -> Sequence[Bar]:
    """Return a table's first column as bars, in the table's order; none where every value is 0."""
    longest = max((row.values[column] for row in table.rows), default=0)
    if longest <= 0:
        return ()
    return tuple(
        Bar(row.label, row.values[column], max(row.values[column], 0) / longest)
        for row in table.rows
    )

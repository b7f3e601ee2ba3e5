"""What stood when the last month closed, kept in groups of the alike, so that a month is told without reading the history.

A record that no event since then speaks of stands as it stood. The others are taken out of the groups and read anew.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import sqlalchemy as sa

from kernel.database import Put, is_postgres
from services.reports.figures import Views
from services.reports.periods import parse
from services.reports.store import STANDING
from services.reports.views import NOBODY, Line, View, groups, happened, moved_since, true_on

What = tuple[str | int, ...]
Sums = tuple[int, ...]

WHAT = STANDING.c.keys().index("number") - 1
"""So many columns of a line say what is alike; three more say what lies in the month, then come the sums."""


class Standing(NamedTuple):
    """What stood on a day, as it was known on it. `day`: empty, and no lines, before a month closed."""

    day: str
    lines: list[Line]


def stood(tx: sa.Connection) -> Standing:
    """Return what was kept when the last month closed."""
    rows = tx.execute(sa.select(STANDING)).all()
    lines = [_line(row[1 : WHAT + 1], row[WHAT + 1 :]) for row in rows]
    return Standing(parse(rows[0].period).last.isoformat() if rows else "", lines)


def readings(tx: sa.Connection, view: View) -> Views:
    """Return a month's three readings, in lines whose sums are those of all records."""
    base = stood(tx)
    moved = moved_since(base.day, view)
    gone = groups(tx, true_on(base.day, base.day, moved), view)
    rest = [*base.lines, *map(_taken_out, gone)]
    return Views(
        chain(rest, groups(tx, true_on(view.last, view.known, moved), view)),
        chain(rest, groups(tx, true_on(view.before, view.known, moved), view)),
        groups(tx, happened(view), view),
    )


def keep(tx: sa.Connection, view: View) -> None:
    """Keep what stands at a month's end in the place of what stood before."""
    rows = [(view.month.key, *alike, *sums) for alike, sums in _summed(readings(tx, view).last)]
    tx.execute(sa.delete(STANDING))
    Put(STANDING, postgres=is_postgres(tx.engine))(tx, rows)


def _summed(lines: Iterable[Line]) -> Iterator[tuple[What, Sums]]:
    """Yield the sums of what is alike, whatever lies in the month; not of what none is left of."""
    found: dict[What, Sums] = {}
    for line in lines:
        sums = found.get(line[:WHAT], (0,) * len(_sums(line)))
        found[line[:WHAT]] = tuple(map(sum, zip(sums, _sums(line), strict=True)))
    return ((what, sums) for what, sums in found.items() if sums[0])


def _taken_out(line: Line) -> Line:
    return _line(line[:WHAT], tuple(-number for number in _sums(line)))


def _sums(line: Line) -> Sums:
    return line.number, line.requested, line.approved, line.paid, line.recovered


def _line(what: What, sums: Sums) -> Line:
    """Return a line that has nothing in the month: records that have are among those moved."""
    return Line._make((*what, 0, 0, 0, *sums, *NOBODY))

"""Group commit: durable creates of 32 callers, against the same code committing each alone."""

from collections.abc import Iterator

from bench.contest import contest
from bench.creators import as_contestant
from bench.results import Line, at_least
from bench.serving import served

CALLERS, ROUNDS, LEAST = 32, 7, 2.0
TOGETHER, ALONE = "together", "each alone"


def lines() -> Iterator[Line]:
    with served(256) as together, served(1) as alone:
        found = contest(
            [as_contestant(TOGETHER, together), as_contestant(ALONE, alone)], CALLERS, ROUNDS
        )
    detail = "; ".join(map(found.told, found.found))
    yield at_least(
        f"group commit against each alone, {CALLERS} callers, SQLite",
        found.ratio(TOGETHER, ALONE),
        LEAST,
        detail,
    )

"""Durable creates: beside what a user would pick instead."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from app.cluster.postgres import Postgres
from bench.contest import Contestant, Rounds, children, contest
from bench.creators import (
    BATCHES,
    DEFAULT,
    EMPTY,
    FAST,
    GROUPED,
    ONE_TRIP,
    ORDINARY,
    PER_REQUEST,
    TWO,
    TWO_FAST,
    as_contestant,
    creators_on,
    empties,
    postgres,
)
from bench.pocketbase import POCKETBASE, pocketbase
from bench.results import FRONTS, Line, at_least, at_most
from bench.serving import served


def on_postgres() -> Iterator[Line]:
    """Ours and the peers' on one server, each on a database of its own."""
    with postgres() as server, creators_on(server) as (creators, batches):
        for callers in (128, 32):
            found = contest(creators, callers)
            yield from _against_go(found)
        writers = [creator for creator in creators if creator.name not in EMPTY.values()]
        yield from _of_the_database(server, writers)
        yield _alone(creators, found)
        per_request = next(c for c in creators if c.name == PER_REQUEST)
        batched = contest([batches, per_request], 8)
        yield at_least(
            "records a second by BatchCreate of 100, against Go a commit a request, 8 callers",
            batched.ratio(BATCHES, PER_REQUEST), 3, batched.all_told(),
            f"{_busy(batched, BATCHES)}; {_room(3 * batched.rate(PER_REQUEST))}",
        )  # fmt: skip


def _alone(creators: list[Contestant], many: Rounds) -> Line:
    alone = contest([c for c in creators if c.name in (DEFAULT, FAST, PER_REQUEST)], 1)
    dearer = alone.cpu(DEFAULT) - many.cpu(DEFAULT)
    return at_least(
        "creates of one caller, PostgreSQL, against Go a commit a request",
        alone.ratio(DEFAULT, PER_REQUEST), 0.6, alone.all_told(),
        why=f"{_busy(alone)}; {dearer:,.0f} µs of ours are what {many.callers} callers share or find warm: a transaction's trip, "
        "two threads' wake-ups, caches that the wait before each create has left cold (Go's is dearer alone, too)",
    )  # fmt: skip


def _of_the_database(server: Postgres, creators: list[Contestant]) -> Iterator[Line]:
    """What PostgreSQL itself uses a create, at 32 callers."""
    assert server.process is not None
    pid = server.process.pid
    for creator in creators:
        found = contest([replace(creator, pids=lambda: children(pid))], 32, rounds=2)
        yield Line(
            f"CPU of PostgreSQL a create, {creator.name}", f"{found.cpu(creator.name):,.0f} µs"
        )


def _against_go(found: Rounds) -> Iterator[Line]:
    callers, go, ordinary = found.callers, found.rate(PER_REQUEST), found.rate(ORDINARY)
    of, times = f"creates at {callers} callers, PostgreSQL", 1.5 if callers <= 32 else 2
    yield at_least(
        f"{of}, against {PER_REQUEST}", found.ratio(DEFAULT, PER_REQUEST), 0.8, found.all_told(),
        _left(found, DEFAULT, 0.8 * go),
    )  # fmt: skip
    yield at_least(
        f"{of}, against {ORDINARY}", found.ratio(DEFAULT, ORDINARY), 5,
        why=_left(found, DEFAULT, 5 * ordinary, ORDINARY),
    )  # fmt: skip
    yield at_least(
        f"{of}, native front against {PER_REQUEST}", found.ratio(FAST, PER_REQUEST), times,
        why=_left(found, FAST, times * go),
    )  # fmt: skip
    yield at_most(
        f"{of}, p99 against Go's", found.ratio(DEFAULT, PER_REQUEST, "p99"), 1.5,
        why=_waits(found, DEFAULT),
    )  # fmt: skip
    yield at_most(
        f"{of}, p99 of the native front against Go's", found.ratio(FAST, PER_REQUEST, "p99"), 1,
        why=_waits(found, FAST),
    )  # fmt: skip
    for ours in (TWO, TWO_FAST):
        replicas = ours.removeprefix("Luoshu, ")
        yield Line(
            f"{of}, {replicas}, against {PER_REQUEST}", f"{found.ratio(ours, PER_REQUEST):.2f}"
        )
        yield Line(
            f"{of}, {replicas}, p99 against Go's", f"{found.ratio(ours, PER_REQUEST, 'p99'):.2f}"
        )
    for peer in (ONE_TRIP, GROUPED):
        yield Line(f"{of}, against {peer}", f"{found.ratio(DEFAULT, peer):.2f}")
        yield Line(f"{of}, native front against {peer}", f"{found.ratio(FAST, peer):.2f}")


def on_sqlite() -> Iterator[Line]:
    """Ours, synced, beside PocketBase as it comes, which does not sync."""
    with contextlib.ExitStack() as running:
        ours, fast = (running.enter_context(served(front=front)) for front in FRONTS)
        other = running.enter_context(pocketbase())
        contestants = [as_contestant(DEFAULT, ours), as_contestant(FAST, fast), *empties(running)]
        for callers in (32, 128):
            found = contest([*contestants, other], callers)
            of, theirs = f"creates at {callers} callers, SQLite", found.rate(POCKETBASE)
            yield at_least(
                f"{of}, against {POCKETBASE}", found.ratio(DEFAULT, POCKETBASE), 0.7, found.all_told(),
                _left(found, DEFAULT, 0.7 * theirs, POCKETBASE),
            )  # fmt: skip
            yield at_least(
                f"{of}, native front against {POCKETBASE}", found.ratio(FAST, POCKETBASE), 1.3,
                why=_left(found, FAST, 1.3 * theirs, POCKETBASE),
            )  # fmt: skip


def _left(found: Rounds, ours: str, rate: float, other: str = PER_REQUEST) -> str:
    """Say what is between us and so many creates a second, from what both use and what the front alone can do."""
    empty = EMPTY[ours]
    return (
        f"{_busy(found, ours, other)}; {_room(rate)}, and {empty} takes {found.cpu(empty):,.0f} µs of it "
        f"({found.rate(empty):,.0f}/s, {found.ratio(empty, other):.1f} of {other}); what a create takes, part by part: *parts*"
    )


def _busy(found: Rounds, ours: str = DEFAULT, other: str = PER_REQUEST) -> str:
    mine, theirs = found.cpu(ours), found.cpu(other)
    return (
        f"{ours} takes {mine:,.0f} µs of CPU in its process for what takes {other} {theirs:,.0f} µs, "
        f"and is busy with it for {found.rate(ours) * mine / 1e6:.2f} of a core; the rest of that one waits, "
        "as the callers do, for the group that the database is at"
    )


def _room(rate: float) -> str:
    """Say what so many records a second leave for each."""
    return f"Python's part runs on one core at a time, so that to hold, one may take about {1e6 / rate:,.0f} µs in all"


def _waits(found: Rounds, ours: str) -> str:
    slower = found.ratio(PER_REQUEST, ours)
    spread, theirs = (found.p99(name) / found.p50(name) for name in (ours, PER_REQUEST))
    return (
        f"as many callers wait for a server of {1 / slower:.2f} of Go's rate, so that each waits {slower:.1f} times as long; "
        f"its own p99 is {spread:.1f} times its median, Go's {theirs:.1f}"
    )

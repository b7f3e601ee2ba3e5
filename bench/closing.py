"""Closing a month: what it costs beside a history that is ten times as long."""

import statistics
import tempfile
import time
from collections.abc import Iterator

import sqlalchemy as sa

from app import migrate
from app.settings import Settings
from bench.results import Line, at_most
from kernel import database
from kernel.pack import Pack, load
from services.reports.closing import Closing
from services.reports.store import FACT, WATERMARK

MONTH, SHORT, LONG = 10_000, 100_000, 1_000_000  # events of the month; of the history before it
ROUNDS = 5
KINDS = ("key-laboratory", "pilot-test-base", "new-rd-institution")
SOURCES = ("platforms",)


def lines() -> Iterator[Line]:
    pack = load(Settings({}).pack)
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        engines = [
            _filled(f"sqlite:///{folder}/{size}.sqlite3", size, pack) for size in (SHORT, LONG)
        ]
        times = [[_closed(engine, pack) for engine in engines] for _ in range(ROUNDS)]
    short, long = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(b / a for a, b in times)
    yield at_most(
        f"closing a month of {MONTH:,} events after {LONG:,} events against after {SHORT:,}", ratio, 1.2,
        f"{long:.2f} s against {short:.2f} s, SQLite",
    )  # fmt: skip


def _filled(url: str, history: int, pack: Pack) -> sa.Engine:
    """Return a database in which every month before September is closed, and September is over."""
    migrate.upgrade("reports", url)
    engine = database.writing(url)
    rows = [_fact(n, _day(n, history)) for n in range(history)]
    rows += [_fact(history + n, f"2026-09-{1 + n % 30:02}") for n in range(MONTH)]
    with engine.begin() as tx:
        for start in range(0, len(rows), 10_000):
            tx.execute(sa.insert(FACT), rows[start : start + 10_000])
        _told(tx, "2026-09-02")
        Closing(SOURCES, pack).settle(tx)
        _told(tx, "2026-10-02")
        tx.execute(sa.text("ANALYZE"))
    return engine


def _told(tx: sa.Connection, day: str) -> None:
    days = {"first_date": "2024-01-01", "business_date": day}
    tx.execute(sa.delete(WATERMARK))
    tx.execute(sa.insert(WATERMARK).values(source="platforms", commit_time=0, **days))


def _day(number: int, history: int) -> str:
    """The history is spread over the 32 months before."""
    months = number * 32 // history
    return f"{2024 + months // 12}-{1 + months % 12:02}-{1 + number % 28:02}"


def _fact(number: int, day: str) -> dict[str, int | str]:
    """A platform's first event: every record has one, as a register of many records has."""
    said: dict[str, int | str] = {
        c.name: 0 if isinstance(c.type, sa.Integer) else "" for c in FACT.c
    }
    return said | {
        "source": "platforms", "position": number + 1, "collection": "platforms", "record": f"platforms/p{number}",
        "revision": 1, "action": "create", "to_state": "STATE_DRAFT", "business_date": day, "effective_date": day,
        "department": "DST", "kind": KINDS[number % 3], "division": f"41{number % 17 + 1:02}00", "direction": "new-materials",
    }  # fmt: skip


def _closed(engine: sa.Engine, pack: Pack) -> float:
    """Close September and take it back; return seconds."""
    with engine.begin() as tx:
        began = time.perf_counter()
        Closing(SOURCES, pack).settle(tx)
        seconds = time.perf_counter() - began
        tx.rollback()
    return seconds

"""Streaming import, journal included, against the fastest way to put the same rows into the same tables."""

import contextlib
import functools
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import sqlalchemy as sa

from app import migrate
from app.catalogue import registry
from app.cluster.postgres import Postgres
from bench import threads
from bench.creators import postgres
from bench.results import Line, at_least
from bench.rows import messages
from bench.serving import APPLICANT, SERVICE, Served, served
from kernel import database
from kernel.tables import Tables, tables_of
from luoshu.journal.v1 import journal_pb2
from luoshu.platforms.v1 import platforms_pb2_grpc

ROWS, ROUNDS, DATABASES = 20_000, 3, 3


def lines() -> Iterator[Line]:
    """Rounds on one database and on the next: of one the figures depend on where its pages came to lie."""
    with postgres() as server:
        found = [rates for n in range(DATABASES) for rates in _on_postgres(server, n)]
    yield _line("COPY, PostgreSQL", found, 0.3)
    found = [rates for _ in range(DATABASES) for rates in _on_sqlite()]
    yield _line("executemany, SQLite", found, 0.25)


def _on_postgres(server: Postgres, number: int) -> list[tuple[float, float]]:
    names = [f"{name}{number}" for name in (SERVICE, "copied")]
    server.create(*names)
    ours, theirs = map(server.url, names)
    for url in (ours, theirs):
        migrate.upgrade(SERVICE, url)
    with served(database=ours) as service:
        return [_round(service, n, ours, theirs) for n in range(ROUNDS)]


def _on_sqlite() -> list[tuple[float, float]]:
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        copied = f"sqlite:///{folder}/copied.sqlite3"
        migrate.upgrade(SERVICE, copied)
        ours = Path(folder) / "ours"
        ours.mkdir()
        with served(folder=ours) as service:
            url = f"sqlite:///{ours}/{SERVICE}.sqlite3"
            return [_round(service, n, url, copied) for n in range(ROUNDS)]


def _line(other: str, found: list[tuple[float, float]], goal: float) -> Line:
    ratio = statistics.median(ours / theirs for ours, theirs in found)
    rates = [f"{statistics.median(column):,.0f}" for column in zip(*found, strict=True)]
    return at_least(
        f"streaming import against {other}", ratio, goal,
        f"{rates[0]} against {rates[1]} rows/s, {ROWS:,} rows, 500 a message, {len(found)} rounds in turn",
        why=f"a row takes this much CPU in one thread, on SQLite: {_parts()}; the other side has nothing but the last but one",
    )  # fmt: skip


@functools.cache
def _parts() -> str:
    """Tell what a row costs by part, with nothing beside it."""
    taken = threads.of_rows(list(messages(5_000)))
    return ", ".join(f"{part} {seconds * 1e6:,.0f} µs" for part, seconds in taken.items())


def _round(service: Served, number: int, ours: str, theirs: str) -> tuple[float, float]:
    """Import rows that are new, then put the very rows that this made into the other database."""
    before = _head(ours)  # not the number of rows: a journal also tells its days
    rate = import_rate(service, ROWS, first=number * ROWS + 1)
    return rate, copy_rate(ours, theirs, before)


def _head(url: str) -> int:
    engine = database.reading(url)
    with engine.connect() as tx:
        position = int(tx.execute(sa.select(_tables().head.c.position)).scalar_one())
    engine.dispose()
    return position


def import_rate(service: Served, count: int, first: int = 1) -> float:
    """Enter so many rows; return rows a second."""
    sent = list(messages(count, first=first))
    with grpc.insecure_channel(service.address) as channel:
        stub = platforms_pb2_grpc.PlatformServiceStub(channel)
        began, entered = time.perf_counter(), 0
        for answer in stub.ImportPlatforms(iter(sent), metadata=APPLICANT):
            entered += sum(r.outcome == journal_pb2.IMPORT_OUTCOME_ENTERED for r in answer.results)
        seconds = time.perf_counter() - began
    if entered != count:
        raise RuntimeError(f"{entered} of {count} rows were entered")
    return count / seconds


def copy_rate(ours: str, theirs: str, after: int) -> float:
    """Put the records and journal lines above a position into another database of the same schema; return records a second."""
    tables, engine = _tables(), database.reading(ours)
    with engine.connect() as tx:
        rows = [(t, _above(tx, t, after)) for t in (tables.records["platforms"], tables.journal)]
    engine.dispose()
    put = _copied if theirs.startswith("postgresql") else _inserted
    began = time.perf_counter()
    put(theirs, rows)
    return len(rows[0][1]) / (time.perf_counter() - began)


def _above(tx: sa.Connection, table: sa.Table, after: int) -> list[tuple[Any, ...]]:
    found = tx.execute(sa.select(table).where(table.c.position > after).order_by(table.c.position))
    return [tuple(row) for row in found]


def _tables() -> Tables:
    service = registry(SERVICE)
    assert service is not None
    return tables_of(service)


def _copied(url: str, tables: list[tuple[sa.Table, list[tuple[Any, ...]]]]) -> None:
    import psycopg

    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for table, rows in tables:
            names = ", ".join(f'"{name}"' for name in table.c.keys())  # noqa: SIM118 - names, not columns
            with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)


def _inserted(url: str, tables: list[tuple[sa.Table, list[tuple[Any, ...]]]]) -> None:
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        for pragma in database.SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        with connection:
            for table, rows in tables:
                marks = ", ".join("?" for _ in table.c)
                connection.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows)

"""The first page of each question of an auditor, over ten million entries: `python -m bench.auditing`.

The rows go straight into the audit's table, as the consumer would have written them but for hashes and proofs. The indexes are
made after them, which is how the fill takes minutes and not hours.
"""

import argparse
import datetime
import gc
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.catalogue import APPROVALS, EVENTS, homes
from kernel import database
from kernel.pack import load
from luoshu.audit.v1 import audit_pb2 as pb
from luoshu.journal.v1.journal_pb2 import Change, EventHead
from services.audit import schema, search, view
from services.audit.questions import Asking, answer

ROWS = 10_000_000
ROUNDS = 300
LIMIT = 50.0  # ms, of the 99th percentile
START = datetime.datetime(2021, 1, 4, tzinfo=datetime.UTC)
YEARS = 5
ACTIONS = ("create", "update", "submit", "accept", "approve", "denied", "read_protected", "activate", "recognize")  # fmt: skip
DEPARTMENTS = ("DRC", "DST", "DIIT", "FINANCE", "410100", "410300")
SOURCES = (
    ("platforms", "platforms"),
    ("technologies", "breakthroughs"),
    ("funding", "applications"),
)
ACCOUNTS, PER_RECORD = 2_000, 25
LISTED = ("entries by action", "entries by source", "entries by department", "entries of a month")


def fill(url: str, rows: int) -> None:
    """Make the table, the rows, then the indexes."""
    engine = database.writing(url)
    schema.metadata.create_all(engine)
    indexes = sorted(schema.entry.indexes, key=lambda index: str(index.name))
    for index in indexes:
        index.drop(engine)
    began = time.perf_counter()
    with engine.begin() as tx:
        tx.exec_driver_sql(_generated(rows))
        journals = sa.select(schema.entry.c.source, 0, sa.func.max(schema.entry.c.position))
        columns = ["source", "shard", "position"]
        tx.execute(
            sa.insert(schema.cursor).from_select(columns, journals.group_by(schema.entry.c.source))
        )
    print(f"{rows:,} rows in {time.perf_counter() - began:,.0f} s", flush=True)
    for index in indexes:
        began = time.perf_counter()
        index.create(engine)
        print(f"{index.name}: {time.perf_counter() - began:,.0f} s", flush=True)
    engine.dispose()


def _generated(rows: int) -> str:
    """Return the statement that makes the rows; some accounts work much more than others."""
    first, step = int(START.timestamp() * 1_000_000), YEARS * 365 * 86_400_000_000 // rows

    def one_of(values: Sequence[str], number: str) -> str:
        quoted = ",".join(f'"{value}"' for value in values)
        return f"json_extract('[{quoted}]', '$[' || ({number}) || ']')"

    def drawn(most: int) -> str:
        return f"abs(random() % {most})"

    sources, collections = zip(*SOURCES, strict=True)
    head = EventHead(change=Change(record="platforms/r1", action="update", actor="u1"))
    columns = (
        "n",
        one_of(sources, "n % 3"),
        "0",
        "n / 3 + 1",
        f"x'{head.SerializeToString().hex()}'",
        f"x'{'00' * 32}'",
        f"{one_of(collections, 'n % 3')} || '/r' || {drawn(max(1, rows // PER_RECORD))}",
        one_of(ACTIONS, drawn(len(ACTIONS))),
        f"'u' || CASE WHEN n % 2 = 0 THEN {drawn(20)} ELSE {drawn(ACCOUNTS)} END",
        one_of(DEPARTMENTS, drawn(len(DEPARTMENTS))),
        f"{first} + n * {step}",
        f"date(({first} + n * {step}) / 1000000 + 28800, 'unixepoch')",
    )
    numbers = (
        f"WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {rows - 1})"
    )
    return f"{numbers} INSERT INTO entry SELECT {', '.join(columns)} FROM s"


def measure(url: str, rows: int) -> list[tuple[str, list[tuple[float, float]]]]:
    """Time the first page of every question, each round about somebody or something else."""
    asking = Asking(load(Path("packs/henan")), APPROVALS)
    registries = view.Registries(EVENTS, {n: h.service.name for n, h in homes().items()})
    chance, records = random.Random(2), max(1, rows // PER_RECORD)
    engine = database.reading(url)

    def record() -> str:
        return f"{chance.choice(SOURCES)[1]}/r{int(chance.random() * records)}"

    def span(request: Any) -> Any:
        first = START + datetime.timedelta(days=chance.randrange(YEARS * 365 - 30))
        request.start_time.FromDatetime(first)
        request.end_time.FromDatetime(first + datetime.timedelta(days=30))
        return request

    def actor() -> str:
        return f"u{chance.randrange(chance.choice((20, ACCOUNTS)))}"

    ask = pb.AskEntriesRequest
    questions: dict[str, Callable[[], Any]] = {
        "what a department did": lambda: ask(department=chance.choice(DEPARTMENTS)),
        "what one journal tells": lambda: ask(source=chance.choice(SOURCES)[0]),
        "who did what to a record": lambda: ask(question=pb.QUESTION_RECORD, record=record()),
        "what an account did": lambda: ask(question=pb.QUESTION_ACTOR, actor=actor()),
        "what an account did in a month": lambda: span(
            ask(question=pb.QUESTION_ACTOR, actor=actor())
        ),
        "outside office hours": lambda: ask(question=pb.QUESTION_OFF_HOURS),
        "outside office hours in a month, one account": lambda: span(
            ask(question=pb.QUESTION_OFF_HOURS, actor=actor())
        ),
        "approvals without a second pair of eyes": lambda: ask(question=pb.QUESTION_UNSECONDED),
        "the same in a month": lambda: span(ask(question=pb.QUESTION_UNSECONDED)),
    }
    gc.collect()
    gc.freeze()  # as a server does once it has started
    found = {name: list[tuple[float, float]]() for name in (*questions, "seen on a day", *LISTED)}
    with engine.connect() as connection:
        for _ in range(ROUNDS):
            for name, request in questions.items():
                asked = request()
                found[name].append(_timed(lambda a=asked: answer(connection, a, asking)))
            day = (START + datetime.timedelta(days=chance.randrange(900, YEARS * 365))).date()
            found["seen on a day"].append(_timed(lambda d=day: _view(connection, record(), d, registries)))  # fmt: skip
            listed = {
                "action": pb.ListEntriesRequest(action=chance.choice(ACTIONS)),
                "source": pb.ListEntriesRequest(source=chance.choice(SOURCES)[0]),
                "department": pb.ListEntriesRequest(department=chance.choice(DEPARTMENTS)),
                "time": span(pb.ListEntriesRequest()),
            }
            for name, listing in zip(LISTED, listed.values(), strict=True):
                found[name].append(_timed(lambda q=listing: search.page(connection, q)))
    engine.dispose()
    return list(found.items())


def _view(connection: sa.Connection, record: str, day: datetime.date, registries: Any) -> None:
    from kernel.errors import NotFound

    try:
        view.view(connection, record, day, registries)
    except NotFound:
        return


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return ms by the clock, and of this thread's CPU, which others' work on the machine does not lengthen."""
    began, used = time.perf_counter(), time.thread_time()
    work()
    return (time.perf_counter() - began) * 1000, (time.thread_time() - used) * 1000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument(
        "--database", help="an SQLite file's URL, empty or filled by an earlier run"
    )
    parser.add_argument("--filled", action="store_true", help="it is filled")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = said.database or f"sqlite:///{folder}/audit.sqlite3"
        if not said.filled:
            fill(url, said.rows)
        for name, times in measure(url, said.rows):
            clock, cpu = zip(*times, strict=True)
            tail = _tail(clock)
            verdict = "met" if tail <= LIMIT else "MISSED"
            print(
                f"{name}: p50 {statistics.median(clock):.2f} ms, p99 {tail:.2f} ms "
                f"(CPU p99 {_tail(cpu):.2f} ms), goal {LIMIT:.0f}: {verdict}",
                flush=True,
            )


def _tail(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


if __name__ == "__main__":
    main()

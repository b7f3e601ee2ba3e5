"""`python -m bench.duplicates.speed [documents …]`: how long a whole check takes among many applications; writes speed.md.

The applications are made of the awards' sentences, put together by chance, with names of their own. So a checked one shares
whole sentences with hundreds of others: more work than real ones make. A check reads the index, judges ten candidates
and quotes the evidence; each comes as to a process that has never seen its candidates. Processor time is that of the
checking thread and of PostgreSQL's backend; the clock's is worth something on a machine that does nothing else.
"""

import gc
import os
import random
import statistics
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from app.cluster.ports import Missing
from bench.creators import postgres
from bench.duplicates import corpus
from bench.duplicates.measuring import DAY, PACK, application
from kernel import database
from kernel.database import Put
from services.coordination.duplicates.document import Document
from services.coordination.duplicates.index import EVERY, Index, tables_of
from services.coordination.duplicates.search import Search
from services.coordination.duplicates.text import key_of, stem, take_apart

PAGE = Path(__file__).with_name("speed.md")
DOCUMENTS, CHECKS, PORTION = (20_000, 100_000), 400, 500
WARM = 20  # checks before those that count
GOAL = 50.0  # ms

HEAD = """\
## Speed of a whole check (words only)

| database | applications | goal: p99 ≤ 50 ms of processor time | median, ms | of the clock: p99, ms | median, ms |
|---|---|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of one check, by processor and by clock."""

    cpu: float
    wall: float


def main() -> None:
    counts = tuple(int(word) for word in sys.argv[1:]) or DOCUMENTS
    lines = [HEAD, *(_line(name, count) for name in ENGINES for count in counts)]
    lines.append(
        f"\n{CHECKS} checks each, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )
    text = "\n".join(lines)
    print(text)
    if counts == DOCUMENTS:
        PAGE.write_text(text + "\n", encoding="utf-8")


def _line(name: str, count: int) -> str:
    try:
        with ENGINES[name]() as engine:
            took = _measured(engine, count)
    except Missing as missing:
        return f"| {name} | {count:,} | not measured: {missing} | | | |"
    cpu, wall = sorted(t.cpu for t in took), sorted(t.wall for t in took)
    p99 = _p99(cpu)
    said = f"{p99:.1f}" if p99 <= GOAL else f"{p99:.1f} **falls short**"
    medians = statistics.median(cpu), statistics.median(wall)
    return (
        f"| {name} | {count:,} | {said} | {medians[0]:.1f} | {_p99(wall):.1f} | {medians[1]:.1f} |"
    )


def _p99(took: list[float]) -> float:
    return took[int(len(took) * 0.99)]


@contextmanager
def _on_sqlite() -> Iterator[sa.Engine]:
    with TemporaryDirectory() as folder:
        engine = database.writing(f"sqlite:///{Path(folder)}/index.sqlite3")
        yield engine
        engine.dispose()


@contextmanager
def _on_postgres() -> Iterator[sa.Engine]:
    with postgres() as server:
        server.create("duplicates")
        engine = database.writing(server.url("duplicates"))
        yield engine
        engine.dispose()


ENGINES: dict[str, Callable[[], Any]] = {"SQLite": _on_sqlite, "PostgreSQL": _on_postgres}


Spoken = tuple[str, frozenset[int]]
"""A sentence and its terms: taken apart once, for a hundred thousand works share them."""


def _sentences() -> list[Spoken]:
    texts = [take_apart(work.abstract) for work in corpus.earlier_hold_out()]
    return [
        (text.quote(index), frozenset(sentence.terms))
        for text in texts
        for index, sentence in enumerate(text.sentences)
    ]


def _works(sentences: list[Spoken], count: int) -> Iterator[tuple[corpus.Work, set[int]]]:
    """Yield works, each with its keys."""
    for number in range(count):
        dice = random.Random(number)
        own = dice.sample(sentences, dice.randint(5, 12))
        names = [_name(dice) for _ in range(4)]
        title, unit = " ".join(names), f"unit {number % 20_000}"
        keys = {EVERY, key_of(f"unit:{unit}"), *(key_of(stem(n.lower())) for n in names)}
        keys.update(*(terms for _, terms in own))
        said = " ".join(quote for quote, _ in own)
        yield corpus.Work(str(number), unit, title, said), keys


def _name(dice: random.Random) -> str:
    return "".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=6)).title()


def _measured(engine: sa.Engine, count: int) -> list[Took]:
    on_postgres = engine.dialect.name == "postgresql"
    index, sentences = Index(postgres=on_postgres), _sentences()
    _fill(engine, index, _works(sentences, count), postgres=on_postgres)
    search = Search(index, PACK, meanings=None)
    works = [work for work, _ in _works(sentences, WARM + CHECKS)]
    gc.collect()
    gc.freeze()  # a server holds no such heap of works
    with engine.connect() as tx:
        took = [_checked(tx, search, work) for work in works]
    return took[WARM:]


def _checked(tx: sa.Connection, search: Search, work: corpus.Work) -> Took:
    take_apart.cache_clear()
    document = Document(application(work, "checked", work.applicant))
    server = _backend(tx)
    began = time.thread_time(), time.perf_counter(), server()
    search.candidates(tx, document, DAY)
    ended = time.thread_time(), time.perf_counter(), server()
    cpu, wall, theirs = (after - before for before, after in zip(began, ended, strict=True))
    return Took(cpu * 1000 + theirs, wall * 1000)


def _backend(tx: sa.Connection) -> Callable[[], float]:
    """Return a clock of the milliseconds that the other side of the connection has worked."""
    if tx.engine.dialect.name != "postgresql":
        return lambda: 0.0
    pid = tx.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    stat = Path(f"/proc/{pid}/schedstat")
    return lambda: int(stat.read_text().split()[0]) / 1_000_000


def _fill(
    engine: sa.Engine,
    index: Index,
    works: Iterator[tuple[corpus.Work, set[int]]],
    *,
    postgres: bool,
) -> None:
    """Fill the tables in bulk: the rows that `put` would write one document after another."""
    metadata = sa.MetaData()
    tables = tables_of(metadata)
    put = {
        table: Put(table, postgres=postgres)
        for table in (tables.document, tables.key, tables.frequency)
    }
    frequencies = dict[int, int]()
    with engine.begin() as tx:
        metadata.create_all(tx)
    for portion in _portions(works):
        rows = [_row(document, keys) for document, keys in portion]
        pairs = sorted((key, d.number) for d, keys in portion for key in keys if key != EVERY)
        with engine.begin() as tx:
            put[tables.document](tx, rows)
            put[tables.key](tx, pairs)
        for _, keys in portion:
            for key in keys:
                frequencies[key] = frequencies.get(key, 0) + 1
    counted = sorted(frequencies.items())
    with engine.begin() as tx:
        put[tables.frequency](tx, counted)
    if postgres:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
            tx.exec_driver_sql("VACUUM ANALYZE")


Kept = tuple[Document, set[int]]


def _portions(works: Iterator[tuple[corpus.Work, set[int]]]) -> Iterator[list[Kept]]:
    portion = list[Kept]()
    for position, (work, keys) in enumerate(works, 1):
        given = application(work, f"a{work.id}", work.applicant)
        portion.append((Document(given, position), keys))
        if len(portion) == PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def _row(document: Document, keys: set[int]) -> tuple[Any, ...]:
    said = document.application.SerializeToString()
    packed = array("q", sorted(keys)).tobytes()
    return (document.number, document.name, document.position, 1, 0, "", said, packed, b"")


if __name__ == "__main__":
    main()

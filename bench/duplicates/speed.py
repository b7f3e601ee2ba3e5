"""`python -m bench.duplicates.speed [documents]`: how long a whole check takes among many applications; writes speed.md.

The applications are made of the hold-out's sentences, put together by chance, with names of their own. So a checked one shares
whole sentences with hundreds of others: more work than real ones make. A check reads the index, judges ten candidates
and quotes the evidence.
"""

import random
import statistics
import sys
import time
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from bench.duplicates import corpus
from bench.duplicates.measuring import DAY, application, searching
from kernel import database
from services.coordination.duplicates.document import Document
from services.coordination.duplicates.index import EVERY, Index, tables_of
from services.coordination.duplicates.search import Search
from services.coordination.duplicates.text import key_of, stem, take_apart

PAGE = Path(__file__).with_name("speed.md")
DOCUMENTS, CHECKS, PORTION = 100_000, 400, 2_000
GOAL = 50.0  # ms


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENTS
    with TemporaryDirectory() as folder:
        engine = database.writing(f"sqlite:///{Path(folder)}/index.sqlite3")
        search = searching()
        _fill(engine, search.index, count)
        took = sorted(_checks(engine, search))
    p99, median = took[int(len(took) * 0.99)], statistics.median(took)
    verdict = "met" if p99 <= GOAL else "**falls short**"
    line = (
        f"| whole check among {count:,} applications, p99 (SQLite, words only) | ≤ 50 ms | "
        f"{p99:.1f} ms of CPU; median {median:.1f} ms, {CHECKS} checks, each with a cold document | {verdict} |"
    )
    print(line)
    if count == DOCUMENTS:
        PAGE.write_text(line + "\n", encoding="utf-8")


Spoken = tuple[str, frozenset[int]]
"""A sentence and its terms: taken apart once, for a hundred thousand works share them."""


def _sentences() -> list[Spoken]:
    texts = [take_apart(work.abstract) for work in corpus.hold_out()]
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


def _fill(engine: sa.Engine, index: Index, count: int) -> None:
    """Fill the tables in bulk: the rows that `put` would write one document after another."""
    metadata = sa.MetaData()
    tables_of(metadata)
    frequencies = dict[int, int]()
    with engine.begin() as tx:
        metadata.create_all(tx)
        documents, rows = list[tuple[Document, set[int]]](), list[tuple[int, int]]()
        for number, (work, keys) in enumerate(_works(_sentences(), count), 1):
            document = Document(application(work, f"a{work.id}", work.applicant), number)
            for key in keys:
                frequencies[key] = frequencies.get(key, 0) + 1
            rows += [(key, document.number) for key in keys if key != EVERY]
            documents.append((document, keys))
            if len(documents) == PORTION or number == count:
                _write(tx, index, documents, rows)
                documents, rows = [], []
        counted = "INSERT INTO compared_frequency VALUES (?, ?)"
        tx.exec_driver_sql(counted, sorted(frequencies.items()))


def _write(
    tx: sa.Connection,
    index: Index,
    documents: Sequence[tuple[Document, set[int]]],
    rows: list[tuple[int, int]],
) -> None:
    blank = "INSERT INTO compared_document VALUES (?, ?, ?, 1, 0, '', ?, ?, ?)"
    tx.exec_driver_sql(
        blank,
        [
            (
                d.number,
                d.name,
                d.position,
                d.application.SerializeToString(),
                array("q", sorted(keys)).tobytes(),
                b"",
            )
            for d, keys in documents
        ],
    )
    tx.exec_driver_sql("INSERT INTO compared_key VALUES (?, ?)", sorted(rows))


def _checks(engine: sa.Engine, search: Search) -> Iterator[float]:
    """Yield milliseconds of processor time: others share this machine."""
    for number, (work, _) in enumerate(list(_works(_sentences(), CHECKS))):
        take_apart.cache_clear()
        given = application(work, "checked", f"unit {number}")
        began = time.thread_time()
        with engine.connect() as tx:
            search.candidates(tx, Document(given), DAY)
        yield (time.thread_time() - began) * 1000


if __name__ == "__main__":
    main()

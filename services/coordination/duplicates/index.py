"""The inverted index, in plain tables of coordination's database: what is found depends on what is in it, not on its order."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from kernel.database import TEXT, WHOLE, many, one_of
from luoshu.funding.v1 import funding_pb2 as funding
from services.coordination.duplicates.document import Document
from services.coordination.duplicates.sought import Sought
from services.coordination.duplicates.text import key_of
from services.coordination.duplicates.weighing import Weights

EVERY, BARE = 0, 1
"""Keys that every document has, and every one without a vector: nobody seeks them, how many have them is what counts."""
READ = 6_000
"""Rows of the index that a search reads about: rare keys first."""
FIRST, AT_MOST = 12, 24_000
"""Keys that are read however common they are, as long as all rows together are no more than that."""
COMPARED = 10
"""How many of the documents that the keys find are compared word by word."""


@dataclass(frozen=True)
class Tables:
    """`document`: an application as it was compared last. `key`: which documents have it. `frequency`: how many."""

    document: sa.Table
    key: sa.Table
    frequency: sa.Table


def tables_of(metadata: sa.MetaData) -> Tables:
    """Return the index's tables; nothing is created. `number`: made of the name, so that no order of arrival shows."""
    document = sa.Table(
        "compared_document",
        metadata,
        sa.Column("number", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("application", TEXT, nullable=False, unique=True),
        sa.Column("position", WHOLE, nullable=False),
        sa.Column("is_in", WHOLE, nullable=False),
        sa.Column("is_chinese", WHOLE, nullable=False),
        sa.Column("owner_unit", TEXT, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
        sa.Column("keys", sa.LargeBinary, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Index("compared_document_position", "position"),
    )
    key = sa.Table(
        "compared_key",
        metadata,
        sa.Column("key", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("document", WHOLE, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    frequency = sa.Table(
        "compared_frequency",
        metadata,
        sa.Column("key", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("documents", WHOLE, nullable=False),
    )
    return Tables(document, key, frequency)


class Index:
    """Statements only: nothing here opens or ends a transaction."""

    def __init__(self, *, postgres: bool) -> None:
        self.tables = tables_of(sa.MetaData())
        self._insert = postgresql.insert if postgres else sqlite.insert
        self._postgres = postgres
        document, frequency = self.tables.document, self.tables.frequency
        by_number = one_of(document.c.number, postgres=postgres)
        self._some = sa.select(document.c.record, document.c.position).where(by_number)
        self._keys_of = sa.select(document.c.number, document.c["keys"]).where(by_number)
        self._counted = sa.select(frequency.c.key, frequency.c.documents).where(
            one_of(frequency.c.key, postgres=postgres)
        )
        self._sought = Sought(self.tables.key, postgres=postgres)

    # Writing.

    def put(self, tx: sa.Connection, document: Document, vector: bytes) -> None:
        """Take a document in, in the place of what it was before."""
        before = self._keys(tx, document.name)
        counted = {EVERY} if vector else {EVERY, BARE}
        after = document.keys | counted if document.is_in else frozenset[int]()
        self._leave(tx, document.name, before - after)
        self._enter(tx, document.name, after - before)
        self.put_document(tx, document, after, vector)

    def stays(self, tx: sa.Connection, document: Document) -> None:
        """Keep a newer revision of a document that is found as before."""
        table = self.tables.document
        tx.execute(
            sa.update(table)
            .where(table.c.number == document.number)
            .values(position=document.position, record=document.application.SerializeToString())
        )

    def put_document(
        self, tx: sa.Connection, document: Document, keys: Iterable[int], vector: bytes
    ) -> None:
        table = self.tables.document
        row = {
            "number": document.number,
            "application": document.name,
            "position": document.position,
            "is_in": int(document.is_in),
            "is_chinese": int(document.is_chinese),
            "owner_unit": document.application.owner_unit,
            "record": document.application.SerializeToString(),
            "keys": array("q", sorted(keys)).tobytes(),
            "vector": vector,
        }
        insert = self._insert(table).values(row)
        tx.execute(insert.on_conflict_do_update(index_elements=[table.c.number], set_=row))

    def _enter(self, tx: sa.Connection, name: str, keys: Iterable[int]) -> None:
        new = [{"key": key, "document": key_of(name)} for key in sorted(keys)]
        if new:
            counted = self.tables.frequency
            once = self._insert(counted).values(key=sa.bindparam("key"), documents=1)
            more = once.on_conflict_do_update(
                index_elements=[counted.c.key], set_={"documents": counted.c.documents + 1}
            )
            tx.execute(sa.insert(self.tables.key), [row for row in new if row["key"] > BARE])
            tx.execute(more, [{"key": row["key"]} for row in new])

    def _leave(self, tx: sa.Connection, name: str, keys: Iterable[int]) -> None:
        old = [{"old": key, "of": key_of(name)} for key in sorted(keys)]
        if old:
            key, counted = self.tables.key, self.tables.frequency
            gone = sa.delete(key).where(
                key.c.key == sa.bindparam("old"), key.c.document == sa.bindparam("of")
            )
            fewer = (
                sa.update(counted)
                .where(counted.c.key == sa.bindparam("old"))
                .values(documents=counted.c.documents - 1)
            )
            tx.execute(gone, old)
            tx.execute(fewer, [{"old": row["old"]} for row in old])

    def _keys(self, tx: sa.Connection, name: str) -> set[int]:
        table = self.tables.document
        found = tx.execute(sa.select(table.c["keys"]).where(table.c.number == key_of(name)))
        return set(_unpacked(found.scalar() or b""))

    # Reading.

    def extent(self, tx: sa.Connection) -> tuple[int, int]:
        """Return how many documents are in, and how many of these have no vector."""
        counted = self.weights(tx, (BARE,))
        return counted.documents, counted.frequencies.get(BARE, 0)

    def get(self, tx: sa.Connection, name: str) -> Document | None:
        """Return an application as it was compared last, one that is out too."""
        return next(iter(self.some(tx, [key_of(name)])), None)

    def vector(self, tx: sa.Connection, number: int) -> bytes:
        """Return a document's vector; empty where it has none, or there is no such document."""
        table = self.tables.document
        found = tx.execute(sa.select(table.c.vector).where(table.c.number == number)).scalar()
        return bytes(found or b"")

    def some(self, tx: sa.Connection, numbers: Sequence[int]) -> list[Document]:
        rows = tx.execute(self._some, self._many(numbers)).all()
        return [
            Document(funding.Application.FromString(record), position) for record, position in rows
        ]

    def weights(self, tx: sa.Connection, keys: Iterable[int]) -> Weights:
        """Return what the keys weigh in the corpus of this moment."""
        rows: Any = tx.execute(self._counted, self._many({*keys, EVERY})).all()
        found = dict[int, int](map(tuple, rows))
        return Weights(found.pop(EVERY, 0), found)

    def candidates(self, tx: sa.Connection, document: Document) -> list[Document]:
        """Return the documents that are most like this one by their keys, best first; of equals the lesser number."""
        weights = self.weights(tx, document.keys)
        best = self._sought.best(tx, _rare(document.keys, weights), document.number)
        rows = tx.execute(self._keys_of, self._many(best)).all()
        ranked = sorted(
            (-_likeness(document.keys, _unpacked(keys), weights), number) for number, keys in rows
        )
        order = {number: place for place, (_, number) in enumerate(ranked[:COMPARED])}
        found = self.some(tx, list(order))
        return sorted(found, key=lambda other: order[other.number])

    def _many(self, numbers: Iterable[int]) -> dict[str, Any]:
        return many(numbers, postgres=self._postgres)


def _rare(keys: Iterable[int], weights: Weights) -> dict[int, int]:
    """Return the keys to search by, with their weights: the rarest, as many as READ rows hold, or a few more."""
    known = sorted((weights.frequencies[k], k) for k in keys if weights.frequencies.get(k))
    chosen, read = dict[int, int](), 0
    for documents, key in known:
        read += documents
        if read > (READ if len(chosen) >= FIRST else AT_MOST):
            break
        chosen[key] = weights.of(key)
    return chosen


def _likeness(own: frozenset[int], other: Sequence[int], weights: Weights) -> int:
    """Return shared weight squared by the other's length: what a short copy shares counts as much as what a long one does."""
    shared = weights.total(own.intersection(other))
    return shared * shared // max(1, len(other))


def _unpacked(keys: bytes) -> array[int]:
    unpacked = array("q")
    unpacked.frombytes(keys)
    return unpacked

"""One document against all that are indexed: what it may be a duplicate of, and why."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from kernel.pack import Pack
from kernel.room import Room
from luoshu.coordination.v1 import findings_pb2 as pb
from services.coordination.duplicates.document import Document
from services.coordination.duplicates.index import Index
from services.coordination.duplicates.judging import Judge, thresholds
from services.coordination.duplicates.meaning import Meanings

_SEARCHES: WeakKeyDictionary[Room, "Search"] = WeakKeyDictionary()


@dataclass(frozen=True)
class Search:
    """`meanings`: compares across languages; None where the extra is not installed."""

    index: Index
    pack: Pack
    meanings: Meanings | None = field(default_factory=Meanings.installed)

    @classmethod
    def of(cls, room: Room) -> "Search":
        """Return the one search of a room: what follows its index and what answers from it share the vectors."""
        if room not in _SEARCHES:
            _SEARCHES[room] = cls(Index(postgres=room.store.postgres), room.pack)
        return _SEARCHES[room]

    def candidates(
        self, tx: sa.Connection, document: Document, day: datetime.date, vector: bytes = b""
    ) -> list[pb.Candidate]:
        """Return the candidates, those that would be raised first, then by score. `vector`: of the document, where known."""
        found = self.index.candidates(tx, document)
        meaning = self._meaning(tx, document, vector or self.vector(document))
        known = {other.number for other in found}
        others = [*found, *self.index.some(tx, [n for n in meaning if n not in known])]
        judge = Judge(
            self.index.weights(tx, _terms([document, *others])),
            thresholds(self.pack, day),
            partial(self.index.get, tx),
        )
        judged = judge.candidates(document, others, meaning)
        return sorted(judged, key=lambda c: (not c.raised, -c.score, c.application))

    def vector(self, document: Document) -> bytes:
        """Return the document's meaning; empty where the extra is not installed."""
        return self.meanings.vector(document) if self.meanings else b""

    def _meaning(self, tx: sa.Connection, document: Document, vector: bytes) -> dict[int, int]:
        """Return documents of the other language that mean about the same, with how much so, permille."""
        if not self.meanings or not vector:
            return {}
        return self.meanings.nearest(tx, self.index.tables.document, document, vector)


def _terms(documents: Iterable[Document]) -> set[int]:
    return {term for document in documents for term in document.text.terms}

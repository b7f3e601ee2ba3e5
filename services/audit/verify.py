"""Checks the log without trusting its keeper: entries, checkpoints and a key in, a report out.

Trust comes from the verifier key, and from checkpoints that the reader kept or that witnesses
signed: a log that was cut back to an older state together with its checkpoints is sound in itself,
and only a newer checkpoint from elsewhere shows it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit import merkle
from services.audit.domain import LogEntry, columns
from services.audit.keys import Malformed, Verifier, parse_verifier
from services.audit.note import Forged, verify_checkpoint
from services.audit.report import Comparison, Finding, Kind, Report
from services.audit.suites import Digest

T = TypeVar("T")
Progress = Callable[[int], None]

PROGRESS_EVERY = 1000
"""Entries between two calls of the progress callback."""
MAX_FINDINGS = 100
"""Findings of one kind that a report lists: the first ones."""


def verify_log(
    entries: Iterable[LogEntry],
    checkpoint: str,
    verifier_key: str,
    *,
    earlier: Sequence[str] = (),
    nodes: merkle.Nodes | None = None,
    progress: Progress | None = None,
) -> Report:
    """Recompute the log from its entries and compare it with what was signed.

    `earlier`: more checkpoints of the same key, such as every stored one: all must lie on one line,
    and they narrow a difference down. `nodes`: the stored hashes, to be checked too (empty bytes
    where none is stored). A difference names its entry as long as stored leaf hashes are still the
    signed ones; else the entries between the last checkpoint that fits and the first that does not.

    Raises:
        Malformed: the verifier key is no key.
    """
    verifier = parse_verifier(verifier_key)
    signed, findings = _signed([*earlier, checkpoint], verifier)
    walk = _Walk(signed, nodes, findings, verifier.suite.digest)
    if signed:
        for entry in _counted(entries, progress):
            if not walk.take(entry):
                break
        walk.finish()
    return Report(walk.tree.size, walk.tree.root, tuple(findings))


def compare_journal(
    entries: Iterable[LogEntry],
    journal: Iterable[JournalEntry],
    source: str,
    progress: Progress | None = None,
) -> Comparison:
    """Compare the entries of one journal, in the order of the log, with its bytes from position 1.

    It stops at the first difference. Journal entries that the log does not have yet are counted.
    On a log in use, read the entries up to a size that was known before the journal was asked.
    """
    mine = (entry for entry in entries if entry.source == source)
    agreed = pending = 0
    for entry, line in zip_longest(mine, _counted(journal, progress)):
        if entry is None:
            pending += 1
        elif line is None or (line.position, line.event) != (entry.position, entry.event):
            detail = f"{source}, position {entry.position}"
            finding = Finding(Kind.JOURNAL, entry.index, entry.index, detail)
            return Comparison(agreed, pending, finding)
        else:
            agreed += 1
    return Comparison(agreed, pending, None)


def _signed(notes: Iterable[str], verifier: Verifier) -> tuple[dict[int, bytes], list[Finding]]:
    """Return size -> root of the checkpoints that the key signed, and findings on the others."""
    signed: dict[int, bytes] = {}
    findings = []
    for note in notes:
        try:
            checkpoint = verify_checkpoint(note, verifier)
        except (Malformed, Forged) as error:
            findings.append(Finding(Kind.CHECKPOINT, detail=str(error)))
            continue
        if signed.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            findings.append(Finding(Kind.FORK, detail=f"size {checkpoint.size}"))
    return signed, findings


def _counted(items: Iterable[T], progress: Progress | None) -> Iterator[T]:
    count = 0
    for count, item in enumerate(items, 1):
        yield item
        if progress and count % PROGRESS_EVERY == 0:
            progress(count)
    if progress and count % PROGRESS_EVERY:
        progress(count)


@dataclass
class _Stored:
    """Leaf hashes as they were stored: their own tree, and where they first leave the entries."""

    tree: merkle.Tree
    first: int | None = None
    signed: bool = False

    def take(self, stored: bytes, computed: bytes) -> None:
        if stored != computed and self.first is None:
            self.first = self.tree.size
        self.tree, _ = merkle.extend(self.tree, [stored])

    def compare(self, size: int, root: bytes) -> None:
        self.signed = (self.tree.size, self.tree.root) == (size, root)


class _Walk:
    """Goes through the log once, from entry 0 on.

    Entries below `good` are what was signed. `bad` is the first signed size whose root differs.
    """

    def __init__(
        self,
        signed: dict[int, bytes],
        nodes: merkle.Nodes | None,
        findings: list[Finding],
        digest: Digest,
    ) -> None:
        self.tree = merkle.Tree(digest=digest)
        self._signed, self._nodes, self._findings = signed, nodes, findings
        self._end, self._whole = max(signed, default=0), True
        self._good, self._bad = 0, 0
        self._positions: Counter[tuple[str, int]] = Counter()
        self._found: Counter[Kind] = Counter()
        self._stored = (
            _Stored(self.tree),
            _Stored(self.tree),
        )  # in the entries' rows, in the nodes' rows
        self._inner: Finding | None = None

    def take(self, entry: LogEntry) -> bool:
        """Check one entry; False when nothing after it can be checked."""
        size = self.tree.size
        if entry.index != size or size == self._end:
            self._whole = False
            self._find(Kind.MISSING if entry.index != size else Kind.SURPLUS, size)
            return False
        self._check_position(entry)
        if entry.columns is not None and entry.columns != columns(entry.event):
            self._find(Kind.COLUMNS, size)
        self._append(entry)
        if self.tree.size in self._signed and not self._bad:
            self._compare(self._signed[self.tree.size])
        return True

    def finish(self) -> None:
        """Report what only the whole log shows."""
        if self._whole and self.tree.size < self._end:
            self._find(Kind.MISSING, self.tree.size)
        if self._bad and not self._located:
            self._findings.append(Finding(Kind.CONTENT, self._good, self._bad - 1))
        for stored in self._stored:
            if stored.first is not None:
                self._find(self._kind(stored, stored.first), stored.first)
        if self._inner and self._inner.last is not None and self._inner.last < self._good:
            self._findings.append(self._inner)

    @property
    def _located(self) -> bool:
        """Some stored leaf hashes are still the signed ones: where they differ is the place."""
        return any(stored.signed for stored in self._stored)

    def _kind(self, stored: _Stored, index: int) -> Kind:
        right = index < self._good or (self._located and not stored.signed)
        return Kind.HASH if right else Kind.CONTENT

    def _check_position(self, entry: LogEntry) -> None:
        journal = (entry.source, entry.shard)
        expected = self._positions[journal] + 1
        if entry.position != expected:
            detail = f"{entry.source}: position {entry.position}, expected {expected}"
            self._find(Kind.ORDER, entry.index, detail)
        self._positions[journal] = entry.position

    def _append(self, entry: LogEntry) -> None:
        digest = _leaf_hash(entry, self.tree.digest)
        self.tree, (_, *inner) = merkle.extend(self.tree, [digest])
        if entry.leaf_hash:
            self._stored[0].take(entry.leaf_hash, digest)
        if self._nodes is not None:
            self._stored[1].take(self._nodes(0, entry.index), digest)
            self._check_inner(inner, self._nodes)

    def _check_inner(self, inner: Sequence[merkle.Node], nodes: merkle.Nodes) -> None:
        for node in inner:
            if self._inner is None and nodes(node.level, node.place) != node.hash:
                first, last = node.place << node.level, ((node.place + 1) << node.level) - 1
                self._inner = Finding(Kind.HASH, first, last, f"level {node.level}")

    def _compare(self, root: bytes) -> None:
        size = self.tree.size
        if self.tree.root == root:
            self._good = size
            return
        self._bad = size
        for stored in self._stored:
            stored.compare(size, root)

    def _find(self, kind: Kind, index: int, detail: str = "") -> None:
        self._found[kind] += 1
        if self._found[kind] <= MAX_FINDINGS:
            self._findings.append(Finding(kind, index, index, detail))


def _leaf_hash(entry: LogEntry, digest: Digest) -> bytes:
    try:
        return merkle.leaf_hash(entry.leaf, digest)
    except ValueError:  # no journal holds such an entry: any hash but the signed one will do
        return merkle.EMPTY_ROOT

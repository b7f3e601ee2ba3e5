"""Everything that somebody with the database in hand could do to a log, one edit at a time, and the entry that it should name.

A log is held as its tables hold it: entries with their search columns and leaf hashes, the tree's nodes, signed notes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa

from luoshu.journal.v1.journal_pb2 import Change, EventHead, JournalEntry
from services.audit import merkle, schema, store, verify
from services.audit.domain import LogEntry, without_hash
from services.audit.keys import Signer
from services.audit.note import sign_checkpoint
from services.audit.report import Report
from tests.service.audit_log import Log

SIGNER = Signer("log.example/henan", bytes(range(32)))
SOURCES = ("platforms", "funding")
remembered = lru_cache(maxsize=4096)(verify.verify_checkpoint)
"""The signatures that an edit leaves alone are checked once: the function is pure, and a check takes 0.1 ms."""


@dataclass(frozen=True)
class Stored:
    """A log as it is stored. The last note is also what a witness kept. Of another log than the first entries have no hash."""

    entries: tuple[LogEntry, ...]
    nodes: dict[tuple[int, int], bytes]
    notes: tuple[str, ...]
    kept: str
    signer: Signer = SIGNER

    def check(self, key: str = "") -> Report:
        """Verify as `audit verify --kept` does."""
        notes, key = [*self.notes, self.kept], key or self.signer.verifier.encoded()
        with patch.object(verify, "verify_checkpoint", remembered):
            return verify.verify_log(
                self.entries, notes[-1], key, earlier=notes[:-1], nodes=self._node
            )

    def _node(self, level: int, place: int) -> bytes:
        return self.nodes.get((level, place), b"")


@dataclass(frozen=True)
class Edit:
    """`first`: the entry that the check must name; None: only that something is wrong."""

    what: str
    stored: Stored
    first: int | None = None
    key: str = ""

    def missed(self) -> str:
        """Return what was not found; nothing where all is well."""
        report = self.stored.check(self.key)
        if report.sound:
            return f"{self.what}: not found"
        if self.first is not None and report.first_bad_index != self.first:
            return f"{self.what}: entry {report.first_bad_index} named, not {self.first}"
        return ""


def line(index: int) -> JournalEntry:
    """Two journals take turns, three entries each."""
    source, position = SOURCES[index // 3 % 2], index // 6 * 3 + index % 3 + 1
    change = Change(position=position, record=f"{source}/r{index}", action="update", actor="li")
    change.reason = f"the plan of {index} names what the unit has built"
    change.commit_time.FromSeconds(1_755_000_000 + index)
    event = EventHead(change=change).SerializeToString()
    return JournalEntry(source=source, position=position, event=event)


def stored(rows: int, signer: Signer = SIGNER) -> Stored:
    """Return a log that the service itself stored and signed, with a checkpoint every 13 entries and at its end."""
    tables = schema.LOGS[signer.kind]
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    schema.metadata.create_all(engine)
    log = Log(engine, signer, SOURCES)
    for index in range(rows):
        made = line(index)
        log.tell(made.source, [made])
        if index % 13 == 12 or index == rows - 1:
            _seal(log)
    with engine.connect() as connection:
        found = connection.execute(sa.select(tables.node))
        nodes = {(level, place): digest for level, place, digest in found}
        notes = tuple(note for _, note in store.checkpoints(connection, log=tables))
        entries = store.read_entries(connection)
        own = entries if tables is schema.FIRST else map(without_hash, entries)
        return Stored(tuple(own), nodes, notes, notes[-1], signer)


def _seal(log: Log) -> None:
    unsigned = log.sealer.unsigned()
    assert unsigned is not None
    told = {(s, p): e.event for s, journal in log.journals.items() for p, e in journal.items()}
    log.sealer.seal(unsigned, told)


def flip(raw: bytes, bit: int) -> bytes:
    at, mask = bit >> 3, 1 << (bit & 7)
    return raw[:at] + bytes([raw[at] ^ mask]) + raw[at + 1 :]


def flips_of(raw: bytes) -> Iterator[bytes]:
    """Yield it with every bit flipped, one at a time."""
    return (flip(raw, bit) for bit in range(8 * len(raw)))


def with_entry(log: Stored, index: int, entry: LogEntry) -> Stored:
    return replace(log, entries=(*log.entries[:index], entry, *log.entries[index + 1 :]))


def entry_flips(log: Stored, index: int) -> Iterator[Edit]:
    """Every bit of every field of one row."""
    entry = log.entries[index]
    assert entry.columns is not None
    for name, value in (*fields(entry), *(("columns." + n, v) for n, v in fields(entry.columns))):
        for bad in _flipped(value):
            row = edited(entry, name, bad)
            yield Edit(f"{name} of {index}", with_entry(log, index, row), index)


def fields(row: Any) -> list[tuple[str, Any]]:
    if isinstance(row, LogEntry):
        return [(n, getattr(row, n)) for n in ("source", "shard", "position", "event", "leaf_hash")]
    return list(row._asdict().items())


def _flipped(value: Any) -> Iterator[Any]:
    """Yield a value with every bit of it flipped, as far as a table can hold it."""
    if isinstance(value, bytes):
        yield from flips_of(value)
    elif isinstance(value, int):
        yield from (value ^ 1 << bit for bit in range(63))
    else:
        for edited in flips_of(value.encode()):
            try:
                yield edited.decode()
            except UnicodeDecodeError:
                continue


def edited(entry: LogEntry, name: str, value: Any) -> LogEntry:
    assert entry.columns is not None
    if name.startswith("columns."):
        changed = {name.removeprefix("columns."): value}
        return replace(entry, columns=entry.columns._replace(**changed))
    return replace(entry, **{name: value})


def node_flips(log: Stored, level: int, place: int) -> Iterator[Edit]:
    for edited in (*flips_of(log.nodes[level, place]), b""):
        nodes = {**log.nodes, (level, place): edited}
        yield Edit(f"node {level}/{place}", replace(log, nodes=nodes), place << level)


def note_flips(log: Stored, number: int) -> Iterator[Edit]:
    """A note that is no text cannot be stored."""
    for edited in flips_of(log.notes[number].encode()):
        try:
            text = edited.decode()
        except UnicodeDecodeError:
            continue
        notes = (*log.notes[:number], text, *log.notes[number + 1 :])
        yield Edit(f"checkpoint {number}", replace(log, notes=notes))


def deletion(log: Stored, index: int, *, moved_up: bool) -> Edit:
    left = [*log.entries[:index], *log.entries[index + 1 :]]
    if moved_up:
        left = [replace(entry, index=at) for at, entry in enumerate(left)]
    return Edit(f"entry {index} deleted", replace(log, entries=tuple(left)), index)


def swap(log: Stored, one: int, other: int, *, whole: bool) -> Edit:
    """Swap two rows, or only their events. `one` is before `other`."""
    entries, a, b = list(log.entries), log.entries[one], log.entries[other]
    if whole:
        entries[one], entries[other] = replace(b, index=one), replace(a, index=other)
    else:
        entries[one], entries[other] = replace(a, event=b.event), replace(b, event=a.event)
    return Edit(f"{one} and {other} swapped", replace(log, entries=tuple(entries)), one)


def truncation(log: Stored, size: int) -> Edit:
    return Edit(f"cut to {size}", replace(log, entries=log.entries[:size]), size)


def rollback(log: Stored, number: int) -> Edit:
    """Everything as it was at an earlier checkpoint; only what a witness kept is newer."""
    size = int(log.notes[number].split("\n")[1])
    nodes = {at: digest for at, digest in log.nodes.items() if (at[1] + 1) << at[0] <= size}
    notes = log.notes[: number + 1]
    back = replace(log, entries=log.entries[:size], nodes=nodes, notes=notes)
    return Edit(f"rolled back to {size}", back, size)


def rewritten(log: Stored, index: int, event: bytes, signer: Signer) -> Edit:
    """All hashes and checkpoints made anew around another event, signed by somebody's key."""
    digest = log.signer.suite.digest
    entries = [replace(e, event=event) if e.index == index else e for e in log.entries]
    hashes = [merkle.leaf_hash(entry.leaf, digest) for entry in entries]
    entries = [replace(e, leaf_hash=h, columns=None) for e, h in zip(entries, hashes, strict=True)]
    tree, added = merkle.extend(merkle.Tree(digest=digest), hashes)
    nodes = {(n.level, n.place): n.hash for n in added}
    note = sign_checkpoint(len(entries), tree.root, signer)
    made = Stored(tuple(entries), nodes, (note,), log.kept, log.signer)
    return Edit(f"rewritten around {index}", made)


def replaced_key(log: Stored, signer: Signer) -> Edit:
    """The reader is given another key under the log's name."""
    return Edit("another key", log, key=signer.verifier.encoded())

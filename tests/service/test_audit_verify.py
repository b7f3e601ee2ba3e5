"""Tampering with 64 stored entries: every edit is found, and the first bad entry is named."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from shutil import copyfile

import pytest
import sqlalchemy as sa

from luoshu.audit.v1.audit_pb2 import Entry
from luoshu.journal.v1.journal_pb2 import Change, EventHead, JournalEntry
from services.audit import merkle, schema, store
from services.audit.check import verify_stored
from services.audit.domain import columns, from_wire
from services.audit.keys import Malformed, Signer
from services.audit.note import Checkpoint, sign, sign_checkpoint
from services.audit.report import Kind, Report
from services.audit.verify import Progress, compare_journal, verify_log
from tests.service.audit_log import Log

SIGNER = Signer("log.example/henan", bytes(range(32)))
KEY = SIGNER.verifier.encoded()
SIZE = 64
BATCHES = (0, 5, 12, 20, 40, 64)


def journal_line(index: int) -> JournalEntry:
    """Two journals take turns, three entries each."""
    source = ("platforms", "funding")[index // 3 % 2]
    position = index // 6 * 3 + index % 3 + 1
    change = Change(position=position, record=f"{source}/r{index}", action="update", actor="li")
    event = EventHead(change=change).SerializeToString()
    return JournalEntry(source=source, position=position, event=event)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audit") / "audit.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    schema.metadata.create_all(engine)
    log = Log(engine, SIGNER, ("platforms", "funding"))
    for start, end in pairwise(BATCHES):
        for index in range(start, end):
            line = journal_line(index)
            asyncio.run(log.apply(line.source, [line]))
    engine.dispose()
    return path


class Copy:
    """The log in memory: entries, nodes and notes, to be edited."""

    def __init__(self, engine: sa.Engine) -> None:
        with engine.connect() as connection:
            self.entries = list(store.read_entries(connection))
            notes = [note for _, note in store.checkpoints(connection)]
            rows = connection.execute(sa.select(schema.FIRST.node))
            self.nodes: dict[tuple[int, int], bytes] = {(row[0], row[1]): row[2] for row in rows}
        self.notes = [notes[size - 1] for size in BATCHES[1:]]

    def check(self, progress: Progress | None = None) -> Report:
        return verify_log(
            self.entries,
            self.notes[-1],
            KEY,
            earlier=self.notes[:-1],
            nodes=self.node,
            progress=progress,
        )

    def node(self, level: int, place: int) -> bytes:
        return self.nodes.get((level, place), b"")


@pytest.fixture
def log(database: Path) -> Copy:
    engine = sa.create_engine(f"sqlite:///{database}")
    try:
        return Copy(engine)
    finally:
        engine.dispose()


def altered(raw: bytes, at: int, mask: int = 1) -> bytes:
    return raw[:at] + bytes([raw[at] ^ mask]) + raw[at + 1 :]


def test_an_untouched_log_is_sound(log: Copy) -> None:
    counted: list[int] = []
    report = log.check(progress=counted.append)
    assert report.sound
    assert report.findings == ()
    assert report.first_bad_index is None
    assert (report.size, counted) == (SIZE, [SIZE])


@pytest.mark.parametrize("index", range(SIZE))
def test_every_other_altered_field_of_an_entry_is_found_and_named(log: Copy, index: int) -> None:
    entry = log.entries[index]
    assert entry.columns
    for worse in (
        replace(entry, source="plat_forms"),
        replace(entry, source="no source"),
        replace(entry, position=entry.position + 1),
        replace(entry, position=0),
        replace(entry, shard=1),
        replace(entry, columns=entry.columns._replace(actor="wang")),
        replace(entry, leaf_hash=altered(entry.leaf_hash, 3)),
    ):
        log.entries[index] = worse
        assert log.check().first_bad_index == index


@pytest.mark.parametrize("index", range(SIZE))
def test_a_deleted_entry_is_found_and_named(log: Copy, index: int) -> None:
    del log.entries[index]
    assert log.check().first_bad_index == index
    assert log.check().findings[0].kind is Kind.MISSING


@pytest.mark.parametrize("index", range(SIZE))
def test_a_deleted_entry_is_named_though_the_rest_moved_up(log: Copy, index: int) -> None:
    del log.entries[index]
    log.entries = [replace(entry, index=at) for at, entry in enumerate(log.entries)]
    assert log.check().first_bad_index == index


@pytest.mark.parametrize("size", range(SIZE))
def test_a_truncated_log_is_found_by_its_checkpoint(log: Copy, size: int) -> None:
    del log.entries[size:]
    assert log.check().first_bad_index == size


def test_a_rollback_with_its_checkpoints_is_found_by_a_kept_one(log: Copy) -> None:
    kept = log.notes.pop()
    del log.entries[BATCHES[-2] :]
    assert log.check().sound
    report = verify_log(log.entries, log.notes[-1], KEY, earlier=[kept])
    assert report.first_bad_index == BATCHES[-2]


def test_an_entry_that_no_checkpoint_covers_is_named(log: Copy) -> None:
    log.entries.append(replace(log.entries[-1], index=SIZE, position=40))
    assert log.check().first_bad_index == SIZE


@pytest.mark.parametrize("distance", [1, 2, 3, 6, 31])
def test_every_swap_of_contents_is_found_and_named(log: Copy, distance: int) -> None:
    whole = log.entries
    for index in range(SIZE - distance):
        one, other = whole[index], whole[index + distance]
        log.entries = list(whole)
        log.entries[index] = replace(one, event=other.event)
        log.entries[index + distance] = replace(other, event=one.event)
        assert log.check().first_bad_index == index


@pytest.mark.parametrize("distance", [1, 2, 3, 6, 31])
def test_every_swap_of_whole_rows_is_found_and_named(log: Copy, distance: int) -> None:
    whole = log.entries
    for index in range(SIZE - distance):
        one, other = whole[index], whole[index + distance]
        log.entries = list(whole)
        log.entries[index] = replace(other, index=index)
        log.entries[index + distance] = replace(one, index=index + distance)
        assert log.check().first_bad_index == index


def rewrite(log: Copy, index: int, event: bytes) -> None:
    """What a database administrator can do: all hashes fit again, only the key is not his."""
    log.entries[index] = replace(log.entries[index], event=event)
    hashes = [merkle.leaf_hash(entry.leaf) for entry in log.entries]
    log.entries = [
        replace(entry, leaf_hash=digest) for entry, digest in zip(log.entries, hashes, strict=True)
    ]
    log.nodes = {(n.level, n.place): n.hash for n in merkle.extend(merkle.Tree(), hashes)[1]}


@pytest.mark.parametrize("index", range(SIZE))
def test_a_log_rewritten_throughout_differs_from_its_checkpoints(log: Copy, index: int) -> None:
    rewrite(log, index, altered(log.entries[index].event, 0))
    before = max(size for size in BATCHES if size <= index)
    after = min(size for size in BATCHES if size > index)
    contents = [f for f in log.check().findings if f.kind is Kind.CONTENT]
    assert [(finding.first, finding.last) for finding in contents] == [(before, after - 1)]
    assert log.check().first_bad_index in (before, index)


def test_a_log_signed_anew_by_another_key_is_found(log: Copy) -> None:
    rewrite(log, 9, b"")
    root = merkle.extend(merkle.Tree(), [entry.leaf_hash for entry in log.entries])[0].root
    log.notes = [sign_checkpoint(SIZE, root, Signer(SIGNER.name, bytes(32)))]
    assert [finding.kind for finding in log.check().findings] == [Kind.CHECKPOINT]


def test_a_log_signed_anew_by_its_own_key_differs_from_a_kept_checkpoint(log: Copy) -> None:
    kept = log.notes[-1]
    rewrite(log, 9, b"")
    log.entries[9] = replace(log.entries[9], columns=columns(b""))
    root = merkle.extend(merkle.Tree(), [entry.leaf_hash for entry in log.entries])[0].root
    log.notes = [sign_checkpoint(SIZE, root, SIGNER)]
    assert verify_log(log.entries, log.notes[0], KEY).sound
    report = verify_log(log.entries, log.notes[0], KEY, earlier=[kept])
    assert Kind.FORK in [finding.kind for finding in report.findings]


def test_a_checkpoint_of_another_origin_is_refused(log: Copy) -> None:
    note = sign(Checkpoint("log.example/else", SIZE, bytes(32)).text(), SIGNER)
    assert [f.kind for f in verify_log(log.entries, note, KEY).findings] == [Kind.CHECKPOINT]


def test_a_text_that_is_no_key_is_refused(log: Copy) -> None:
    with pytest.raises(Malformed):
        verify_log(log.entries, log.notes[-1], "no key")


def test_a_finding_is_told_in_two_languages(log: Copy) -> None:
    del log.entries[7]
    finding = log.check().findings[0]
    assert finding.en == "entry 7: missing"
    assert finding.zh == "条目 7：缺失"


def journal_of(source: str) -> list[JournalEntry]:
    return [line for line in map(journal_line, range(SIZE)) if line.source == source]


def test_the_log_agrees_with_the_journals_that_it_came_from(log: Copy) -> None:
    for source in ("platforms", "funding"):
        compared = compare_journal(log.entries, journal_of(source), source)
        assert compared.sound
        assert (compared.agreed, compared.pending) == (len(journal_of(source)), 0)


def test_journal_entries_that_are_not_yet_in_the_log_are_counted(log: Copy) -> None:
    ahead = JournalEntry(source="funding", position=999, event=b"")
    compared = compare_journal(log.entries, [*journal_of("funding"), ahead, ahead], "funding")
    assert compared.sound
    assert compared.pending == 2


def shorter(lines: list[JournalEntry]) -> list[JournalEntry]:
    return lines[:10]


def without(lines: list[JournalEntry]) -> list[JournalEntry]:
    return lines[:10] + lines[11:]


def edited(lines: list[JournalEntry]) -> list[JournalEntry]:
    worse = JournalEntry(source="platforms", position=11, event=altered(lines[10].event, 3))
    return [*lines[:10], worse, *lines[11:]]


@pytest.mark.parametrize("edit", [shorter, without, edited])
def test_a_journal_that_was_changed_afterwards_is_found_at_its_entry(
    log: Copy, edit: Callable[[list[JournalEntry]], list[JournalEntry]]
) -> None:
    compared = compare_journal(log.entries, edit(journal_of("platforms")), "platforms")
    eleventh = [entry for entry in log.entries if entry.source == "platforms"][10]
    assert compared.finding is not None
    assert compared.finding.first == eleventh.index
    assert "position 11" in compared.finding.en
    assert compared.agreed == 10


@pytest.fixture
def stored(database: Path, tmp_path: Path) -> sa.Engine:
    copyfile(database, tmp_path / "copy.db")
    return sa.create_engine(f"sqlite:///{tmp_path / 'copy.db'}")


def test_an_untouched_database_is_sound(stored: sa.Engine) -> None:
    with stored.connect() as connection:
        report = verify_stored(connection, KEY)
    assert report.sound
    assert report.size == SIZE


TAMPERINGS = {
    'DELETE FROM entry WHERE "index" = 17': 17,
    'DELETE FROM entry WHERE "index" >= 50': 50,
    "UPDATE entry SET event = x'00' WHERE \"index\" = 17": 17,
    "UPDATE entry SET actor = 'wang' WHERE \"index\" = 17": 17,
    'UPDATE entry SET commit_time = 1 WHERE "index" = 17': 17,
    'UPDATE entry SET shard = 1 WHERE "index" = 17': 17,
    "UPDATE node SET hash = x'00' WHERE level = 2 AND \"index\" = 3": 12,
    'DELETE FROM node WHERE level = 0 AND "index" = 3': 3,
    "DELETE FROM checkpoint WHERE size > 60": 60,
    "DELETE FROM checkpoint": 0,
    "UPDATE checkpoint SET text = 'no note' WHERE size = 20": None,
    "UPDATE checkpoint SET size = 99 WHERE size = 20": None,
    "UPDATE checkpoint SET size = size + 100 WHERE size = 20": None,
    "INSERT INTO entry SELECT 64, source, shard, 99, event, leaf_hash, record, action, actor, "
    'department, commit_time, business_date FROM entry WHERE "index" = 17': 64,
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_every_tampering_with_the_tables_is_found(stored: sa.Engine, tampering: str) -> None:
    with stored.begin() as tx:
        tx.exec_driver_sql(tampering)
    with stored.connect() as connection:
        report = verify_stored(connection, KEY)
    assert not report.sound
    assert report.first_bad_index == TAMPERINGS[tampering]


def test_a_database_that_was_rolled_back_differs_from_a_kept_checkpoint(
    stored: sa.Engine, log: Copy
) -> None:
    with stored.begin() as tx:
        tx.exec_driver_sql('DELETE FROM entry WHERE "index" >= 40')
        tx.exec_driver_sql("DELETE FROM checkpoint WHERE size > 40")
    with stored.connect() as connection:
        assert verify_stored(connection, KEY).sound
        assert verify_stored(connection, KEY, kept=[log.notes[-1]]).first_bad_index == 40


def test_an_empty_database_is_sound_until_a_checkpoint_says_otherwise(log: Copy) -> None:
    engine = sa.create_engine("sqlite://")
    schema.metadata.create_all(engine)
    with engine.connect() as connection:
        assert verify_stored(connection, KEY).sound
        assert verify_stored(connection, KEY, kept=[log.notes[0]]).first_bad_index == 0


def test_entries_over_the_wire_verify_without_the_tables(log: Copy) -> None:
    sent = [
        Entry(
            index=entry.index,
            source=entry.source,
            position=entry.position,
            event=entry.event,
            leaf_hash=entry.leaf_hash,
        )
        for entry in log.entries
    ]
    assert verify_log(map(from_wire, sent), log.notes[-1], KEY).sound
    sent[5].event = b""
    assert verify_log(map(from_wire, sent), log.notes[-1], KEY).first_bad_index == 5

"""Journals into the log: order, restarts, doubles, holes, and what a reader then sees."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.consumer import Gap, following
from kernel.database import Statement, is_postgres
from luoshu.journal.v1.journal_pb2 import Change, EventHead, JournalEntry
from services.audit import merkle, schema, store
from services.audit.consumer import AuditSink
from services.audit.domain import leaf
from services.audit.hashes import hashes_at, with_nodes
from services.audit.keys import Signer
from services.audit.note import verify_checkpoint
from services.audit.sealing import Damaged
from tests.service.audit_log import Log, audit_engine

SIGNER = Signer("log.example/henan", bytes(range(32)))
SOURCES = ("platforms", "funding")


def event(position: int, record: str = "platforms/a") -> bytes:
    change = Change(position=position, record=record, action="update", actor="li", department="DST")
    change.commit_time.FromSeconds(1_755_000_000 + position)
    return EventHead(change=change).SerializeToString()


def line(position: int, source: str = "platforms", raw: bytes | None = None) -> JournalEntry:
    made = event(position) if raw is None else raw
    return JournalEntry(source=source, position=position, event=made)


def lines(first: int, last: int, source: str = "platforms") -> list[JournalEntry]:
    return [line(position, source) for position in range(first, last + 1)]


def make(path: Path) -> sa.Engine:
    return audit_engine(path)


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    return make(tmp_path / "audit.db")


@pytest.fixture
def log(engine: sa.Engine) -> Log:
    return Log(engine, SIGNER, SOURCES, lambda: 1_755_000_000_000_000)


@pytest.fixture
def sink(log: Log) -> AuditSink:
    return log.sink


def root(engine: sa.Engine, size: int) -> bytes:
    with engine.connect() as connection:
        return with_nodes(connection, lambda nodes: merkle.load(size, nodes)).root


def content(engine: sa.Engine) -> list[tuple[str, int]]:
    with engine.connect() as connection:
        return [(entry.source, entry.position) for entry in store.read_entries(connection)]


async def test_on_postgresql_a_turn_brings_all_hashes_that_it_needs(
    engine: sa.Engine, log: Log
) -> None:
    for signed, stored in ((0, 1), (1, 7), (7, 21)):
        log.tell("platforms", lines(1, stored))
        with engine.connect() as tx:
            held = store.lock(tx).peaks
            needed = [*merkle.subtrees(0, signed), *merkle.subtrees(0, stored)]
            there = hashes_at(tx, needed)
        assert held == (there if is_postgres(engine) else {})
        await log.seal()


def test_the_log_holds_the_exact_bytes_in_the_order_of_arrival(
    engine: sa.Engine, sink: AuditSink
) -> None:
    sink.apply("platforms", lines(1, 3))
    sink.apply("funding", [line(1, "funding", b"\xff no event")])
    sink.apply("platforms", lines(4, 4))
    with engine.connect() as connection:
        entries = list(store.read_entries(connection))
    assert [entry.index for entry in entries] == [0, 1, 2, 3, 4]
    assert [entry.source for entry in entries] == ["platforms"] * 3 + ["funding", "platforms"]
    assert entries[3].event == b"\xff no event"
    assert entries[4].event == event(4)
    assert sink.cursors() == {("platforms", 0): 4, ("funding", 0): 1}


async def test_a_checkpoint_is_the_root_of_its_leaves(engine: sa.Engine, log: Log) -> None:
    hashes = [merkle.leaf_hash(leaf("platforms", 0, at, event(at))) for at in range(1, 12)]
    for first, last in ((1, 1), (2, 6), (7, 11)):
        await log.apply("platforms", lines(first, last))
    with engine.connect() as connection:
        notes = store.checkpoints(connection)
    signed = [verify_checkpoint(note, SIGNER.verifier) for _, note in notes]
    assert [checkpoint.size for checkpoint in signed] == [1, 6, 11]
    for checkpoint in signed:
        assert checkpoint.root == merkle.extend(merkle.Tree(), hashes[: checkpoint.size])[0].root


async def test_what_the_log_has_is_passed_over_and_nothing_is_signed(
    engine: sa.Engine, log: Log
) -> None:
    await log.apply("platforms", lines(1, 5))
    await log.apply("platforms", lines(2, 5))
    await log.apply("platforms", [])
    await log.apply("platforms", [line(3, raw=b"another story")])
    with engine.connect() as connection:
        assert len(store.checkpoints(connection)) == 1
    assert len(content(engine)) == 5


def test_entries_sent_again_within_a_batch_count_once(engine: sa.Engine, sink: AuditSink) -> None:
    sink.apply("platforms", [*lines(1, 3), *lines(2, 5), *lines(1, 1)])
    assert content(engine) == [("platforms", at) for at in range(1, 6)]


def test_a_hole_is_refused_and_what_is_before_it_is_kept(
    engine: sa.Engine, sink: AuditSink
) -> None:
    with pytest.raises(Gap) as caught:
        sink.apply("platforms", [*lines(1, 2), *lines(4, 6)])
    assert (caught.value.source, caught.value.expected, caught.value.got) == ("platforms", 3, 4)
    assert sink.cursors() == {("platforms", 0): 2}
    sink.apply("platforms", lines(3, 6))
    assert content(engine) == [("platforms", at) for at in range(1, 7)]


def test_a_hole_at_the_beginning_changes_nothing(engine: sa.Engine, sink: AuditSink) -> None:
    with pytest.raises(Gap):
        sink.apply("platforms", lines(2, 3))
    assert content(engine) == []
    assert sink.cursors() == {}


def test_a_hole_that_the_same_batch_fills_is_none() -> None:
    fresh, gap = following("platforms", 4, [line(7), line(9), line(5), line(6), line(7), line(8)])
    assert [entry.position for entry in fresh] == [5, 6, 7, 8, 9]
    assert gap is None


def test_a_restart_between_batches_goes_on_as_if_nothing_was(tmp_path: Path) -> None:
    whole = make(tmp_path / "whole.db")
    AuditSink(whole, SOURCES).apply("platforms", lines(1, 23))
    for first, last in ((1, 7), (8, 8), (9, 23)):
        part = make(tmp_path / "parts.db")
        AuditSink(part, SOURCES).apply("platforms", lines(first, last))
        part.dispose()
    again = make(tmp_path / "parts.db")
    assert root(again, 23) == root(whole, 23)
    assert AuditSink(again, SOURCES).cursors() == {("platforms", 0): 23}


STEPS = ["_put_entries", "_put_nodes", "_put_cursor"]


class Refused:
    """What a table takes no row from."""

    def of(self, _rows: object) -> list[Statement]:
        return [Statement("INSERT INTO no_such_table VALUES (1)", ())]


@pytest.mark.parametrize("step", STEPS)
async def test_a_batch_that_fails_anywhere_leaves_nothing(
    engine: sa.Engine, log: Log, step: str
) -> None:
    sink = log.sink
    await log.apply("platforms", lines(1, 3))
    before = root(engine, 3)
    with patch.object(sink, step, Refused()), pytest.raises(sa.exc.DBAPIError):
        sink.apply("platforms", lines(4, 9))
    assert len(content(engine)) == 3
    assert sink.cursors() == {("platforms", 0): 3}
    await log.apply("platforms", lines(4, 9))
    assert len(content(engine)) == 9
    with engine.connect() as connection:
        sizes = [verify_checkpoint(n, SIGNER.verifier) for _, n in store.checkpoints(connection)]
    assert [(c.size, c.root) for c in sizes] == [(3, before), (9, root(engine, 9))]


DAMAGES: list[tuple[str, Callable[[sa.Connection], object]]] = [
    ("entry gone", lambda tx: tx.execute(sa.delete(schema.entry).where(schema.entry.c.index == 9))),
    (
        "hash altered",
        lambda tx: tx.execute(sa.update(schema.FIRST.node).values(hash=bytes(32))),
    ),
]


@pytest.mark.parametrize("damage", [work for _, work in DAMAGES], ids=[name for name, _ in DAMAGES])
async def test_nothing_is_stored_on_a_damaged_log(
    engine: sa.Engine, log: Log, damage: Callable[[sa.Connection], object]
) -> None:
    await log.apply("platforms", lines(1, 10))
    with engine.begin() as tx:
        damage(tx)
    with pytest.raises(Damaged):
        log.tell("platforms", lines(11, 12))
    assert log.sink.cursors() == {("platforms", 0): 10}


def test_a_second_active_instance_never_forks_the_log(tmp_path: Path) -> None:
    """It reads the same edge, then loses: the index is taken. On PostgreSQL the turn is, and the other waits in vain."""
    first, second = make(tmp_path / "audit.db"), make(tmp_path / "audit.db")
    AuditSink(first, SOURCES).apply("platforms", lines(1, 3))
    late, overtaken = AuditSink(second, SOURCES), list[bool]()
    append = late._append

    def overtake(*given: Any) -> None:
        overtaken.append(True)
        AuditSink(first, SOURCES).apply("platforms", lines(4, 5))
        append(*given)

    with (
        patch.object(late, "_append", overtake),
        pytest.raises((sa.exc.IntegrityError, sa.exc.OperationalError)),
    ):
        late.apply("platforms", lines(4, 9))
    assert overtaken
    late.apply("platforms", lines(4, 9))
    assert content(first) == [("platforms", at) for at in range(1, 10)]


def test_a_leaf_over_the_limit_is_not_stored(engine: sa.Engine, sink: AuditSink) -> None:
    with pytest.raises(ValueError, match="makes a leaf of"):
        sink.apply("platforms", [line(1), line(2, raw=bytes(65_536))])
    assert content(engine) == []


ARRIVALS = st.tuples(st.sampled_from(SOURCES), st.integers(0, 9), st.integers(0, 6))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ARRIVALS, max_size=9))
def test_however_it_arrives_the_log_is_dense(
    tmp_path_factory: pytest.TempPathFactory, arrivals: list[tuple[str, int, int]]
) -> None:
    engine = make(tmp_path_factory.mktemp("audit") / "audit.db")
    sink = AuditSink(engine, SOURCES)
    for source, start, count in arrivals:
        before = sink.cursors().get((source, 0), 0)
        try:
            sink.apply(source, lines(start + 1, start + count, source))
        except Gap:
            assert start > before
    with engine.connect() as connection:
        entries = list(store.read_entries(connection))
    assert [entry.index for entry in entries] == list(range(len(entries)))
    for source in SOURCES:
        seen = [entry.position for entry in entries if entry.source == source]
        assert seen == list(range(1, sink.cursors().get((source, 0), 0) + 1))
    engine.dispose()


def test_a_thousand_entries_take_well_under_a_tenth_of_a_second(sink: AuditSink) -> None:
    sink.apply("platforms", lines(1, 10))  # compiles the statements
    batch = lines(11, 1010)
    start = time.process_time()
    sink.apply("platforms", batch)
    assert time.process_time() - start < 0.2  # twice the goal: the machine may be busy

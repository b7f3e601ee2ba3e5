"""Each filter of an auditor walks an index of its own: no page sorts, or looks at, all that there is."""

from collections.abc import Callable
from typing import Any, cast

import pytest
import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp

from luoshu.audit.v1 import audit_pb2 as pb
from luoshu.journal.v1.journal_pb2 import Change, EventHead, JournalEntry
from services.audit import questions, schema, search
from services.audit.consumer import AuditSink

START = 1_755_000_000
SOURCES = ("platforms", "funding")
Work = Callable[[sa.Connection], object]


def line(source: str, position: int) -> JournalEntry:
    change = Change(record=f"{source}/r{position}", action="update", actor="u1", department="DST")
    change.commit_time.FromSeconds(START + position)
    event = EventHead(change=change).SerializeToString()
    return JournalEntry(source=source, position=position, event=event)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> sa.Engine:
    """300 entries a journal; of funding all at once, long after they were made."""
    engine = sa.create_engine(f"sqlite:///{tmp_path_factory.mktemp('plans') / 'audit.db'}")
    schema.metadata.create_all(engine)
    sink = AuditSink(engine, SOURCES)
    for at in range(1, 301, 50):
        sink.apply("platforms", [line("platforms", n) for n in range(at, at + 50)])
    sink.apply("funding", [line("funding", n) for n in range(1, 301)])
    return engine


def at(seconds: int) -> Timestamp:
    return Timestamp(seconds=START + seconds)


FILTERS: dict[str, tuple[dict[str, Any], str]] = {
    "none": ({}, "INTEGER PRIMARY KEY"),
    "source": ({"source": "funding"}, "entry_source (source=?"),
    "record": ({"record": "funding/r7"}, "entry_record (record=?"),
    "actor": ({"actor": "u1"}, "entry_actor (actor=?"),
    "action": ({"action": "update"}, "entry_action (action=?"),
    "department": ({"department": "DST"}, "entry_department (department=?"),
    "start": ({"start_time": at(290)}, "INTEGER PRIMARY KEY (rowid>?"),
    "end": ({"end_time": at(10)}, "INTEGER PRIMARY KEY"),
    "span": ({"start_time": at(100), "end_time": at(110)}, "INTEGER PRIMARY KEY (rowid>?"),
}
ASKED: dict[str, tuple[dict[str, Any], str]] = {
    "none": ({}, "entry_commit_time"),
    "source": ({"source": "funding"}, "entry_source_time (source=?"),
    "actor": ({"actor": "u1"}, "entry_actor_time (actor=?"),
    "department": ({"department": "DST"}, "entry_department_time (department=?"),
    "span": ({"start_time": at(100), "end_time": at(110)}, "entry_commit_time"),
}


def plans(engine: sa.Engine, work: Work) -> list[str]:
    """Return the steps by which SQLite answers what a work asks."""
    asked = list[tuple[str, Any]]()

    def keep(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    with engine.connect() as connection:
        sa.event.listen(engine, "before_cursor_execute", keep)
        work(connection)
        sa.event.remove(engine, "before_cursor_execute", keep)
        found = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {s}", p) for s, p in asked]
        return [str(row[-1]) for rows in found for row in rows]


def demand(steps: list[str], index: str) -> None:
    entries = [step for step in steps if " entry " in f"{step} "]
    assert any(index in step for step in entries), steps
    assert not [step for step in entries if step.startswith("SCAN")], steps
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


@pytest.mark.parametrize("oldest_first", [False, True], ids=["newest", "oldest"])
@pytest.mark.parametrize("name", FILTERS)
def test_a_list_by_one_condition_walks_its_index(
    engine: sa.Engine, name: str, oldest_first: bool
) -> None:
    said, index = FILTERS[name]
    request = pb.ListEntriesRequest(oldest_first=oldest_first, **said)
    demand(plans(engine, lambda c: search.page(c, request)), index)


@pytest.mark.parametrize("name", ASKED)
def test_a_question_by_one_condition_walks_its_index(engine: sa.Engine, name: str) -> None:
    said, index = ASKED[name]
    request = pb.AskEntriesRequest(**said)
    demand(plans(engine, lambda c: questions.answer(c, request, None)), index)  # type: ignore[arg-type]


def test_approvals_are_found_by_their_actions_index(engine: sa.Engine) -> None:
    asking = questions.Asking(cast(Any, None), {"funding": frozenset({"update", "approve"})})
    request = pb.AskEntriesRequest(question=pb.QUESTION_UNSECONDED)
    steps = plans(engine, lambda c: questions.answer(c, request, asking))
    assert any("entry_action_time (action=?" in step for step in steps), steps
    others = [step for step in steps if step.startswith("SEARCH other")]
    assert others, steps
    assert all("entry_record (record=?" in step for step in others), steps
    assert not [step for step in steps if step.startswith("SCAN entry")], steps


def test_the_question_about_a_record_looks_at_its_entries_only(engine: sa.Engine) -> None:
    request = pb.AskEntriesRequest(question=pb.QUESTION_RECORD, record="funding/r7")
    steps = plans(engine, lambda c: questions.answer(c, request, None))  # type: ignore[arg-type]
    assert any("entry_record (record=?" in step for step in steps)


@pytest.mark.parametrize(("since", "until"), [(1, 301), (100, 110), (299, 900), (0, 2), (400, 500)])
def test_a_time_finds_every_entry_of_it_in_every_journal(
    engine: sa.Engine, since: int, until: int
) -> None:
    """Also of a journal that was read late, whose entries lie behind younger ones of another."""
    request = pb.ListEntriesRequest(start_time=at(since), end_time=at(until), page_size=1000)
    with engine.connect() as connection:
        found = {(e.source, e.position) for e in search.page(connection, request).entries}
    positions = range(max(since, 1), min(until, 301))
    assert found == {(source, position) for source in SOURCES for position in positions}

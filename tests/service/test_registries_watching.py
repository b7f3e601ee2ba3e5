"""Every registry: the stream of its changes, and the journal behind it."""

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from luoshu.journal.v1 import journal_pb2
from tests.running import Running, Who, refusal, request, some
from tests.service.registry_suite import (
    APPLICANT,
    AUDITOR,
    OFFICER,
    PLATFORM,
    SAMPLES,
    STRANGER,
    Sample,
)

each = pytest.mark.parametrize("sample", SAMPLES, ids=str)
SERVICES = {sample.service.name: sample.service for sample in SAMPLES}


def journal(running: Running, source: str, who: Who = AUDITOR, **said: Any) -> list[Any]:
    return list(running.watch("ReadJournal", who, source=source, **said))


def until(stream: Any, position: int) -> Iterator[Any]:
    """Yield what comes up to a position, then leave."""
    for event in stream:
        if event.change.position > position:
            break
        yield event
        if event.change.position == position:
            break
    stream.cancel()


@each
def test_a_list_and_a_watch_from_its_position_miss_and_repeat_nothing(
    registries: Running, sample: Sample
) -> None:
    stop, made = threading.Event(), list[str]()

    def write() -> None:
        while not stop.is_set():
            made.append(sample.create(registries).name)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(made) < 5:
            pass
        page = sample.page(registries, page_size=1000, order_by="create_time desc")
        while len(made) < 15:
            pass
    finally:
        stop.set()
        writer.join()
    listed = [record.name for record in sample.listed(page)]
    last = sample.create(registries)
    stream = registries.watch(f"Watch{sample.plural}", AUDITOR, after_position=page.position)
    watched = list[str]()
    for event in stream:
        assert event.change.position > page.position
        watched.append(event.change.record)
        if event.change.record == last.name:
            break
    stream.cancel()
    for name in made:
        assert name in listed or name in watched
        assert watched.count(name) <= 1


@pytest.mark.parametrize("source", SERVICES)
def test_the_watches_of_a_service_together_are_dense(registries: Running, source: str) -> None:
    for sample in SAMPLES:
        if sample.service.name == source:
            sample.act(registries, sample.create(registries))
    head, positions = registries.head(source), list[int]()
    for sample in (s for s in SAMPLES if s.service.name == source):
        last = registries.rows(
            source, "SELECT max(position) FROM journal WHERE collection = ?", sample.collection
        )[0][0]
        stream = registries.watch(f"Watch{sample.plural}", AUDITOR)
        mine = [event.change.position for event in until(stream, last)]
        assert mine == sorted(mine)
        positions += mine
    # Ticks, and kinds that have tests of their own.
    sampled = {sample.collection for sample in SAMPLES}
    lines = registries.rows(source, "SELECT position, collection FROM journal")
    others = [position for position, collection in lines if collection not in sampled]
    dense = sorted(p for p in positions + others if p <= head)
    assert dense == list(range(1, head + 1))


@each
def test_a_watch_goes_on_where_it_was_left(registries: Running, sample: Sample) -> None:
    position = registries.head(sample.service.name)
    record = sample.create(registries)
    for n in range(4):
        sample.retitle(registries, record, f"第{n}版")
    watch = f"Watch{sample.plural}"
    first = list(some(registries.watch(watch, AUDITOR, after_position=position), 2))
    again = first[-1].change.position
    rest = list(some(registries.watch(watch, AUDITOR, after_position=again), 3))
    revisions = [event.change.revision for event in first + rest]
    assert revisions == [1, 2, 3, 4, 5]


@each
def test_a_watch_tells_a_change_as_soon_as_it_is_made(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    other = sample.create(registries)
    head = registries.head(sample.service.name)
    stream = registries.watch(
        f"Watch{sample.plural}", AUDITOR, after_position=head, name=record.name
    )
    sample.retitle(registries, other, "与此无关")
    changed = sample.retitle(registries, record, "正是此项")
    (event,) = some(stream, 1)
    assert event.change.record == record.name
    assert getattr(event, sample.singular).title == changed.title


@each
def test_a_watch_shows_a_stranger_what_is_public_only(registries: Running, sample: Sample) -> None:
    head, public = registries.head(sample.service.name), sample.resource.lifecycle.public
    records = [sample.act(registries, sample.create(registries)) for _ in range(2)]
    last = registries.head(sample.service.name)
    if records[0].state not in public:
        found = registries.watch(
            f"Watch{sample.plural}", STRANGER, after_position=head, timeout=0.5
        )
        with pytest.raises(Exception, match="DEADLINE"):
            next(found)
        return
    stream = registries.watch(f"Watch{sample.plural}", STRANGER, after_position=head)
    states = {getattr(event, sample.singular).state for event in until(stream, last)}
    assert states == {records[0].state}


@each
def test_the_journal_has_the_bytes_that_a_watch_sends(registries: Running, sample: Sample) -> None:
    source, head = sample.service.name, registries.head(sample.service.name)
    sample.act(registries, sample.create(registries))
    method = f"/{sample.service.contract.full_name}/Watch{sample.plural}"
    raw: Any = registries.channel.unary_stream(method, lambda m: m.SerializeToString(), lambda b: b)
    question = request(f"Watch{sample.plural}", after_position=head)
    sent = list(some(raw(question, metadata=AUDITOR.metadata, timeout=20), 2))
    entries = journal(registries, source, after_position=head, limit=2)
    assert [entry.event for entry in entries] == sent
    assert [entry.position for entry in entries] == [head + 1, head + 2]
    assert {entry.source for entry in entries} == {source}
    kept = registries.rows(
        source, "SELECT event FROM journal WHERE position > ? ORDER BY position LIMIT 2", head
    )
    assert [event for (event,) in kept] == sent


@pytest.mark.parametrize("source", SERVICES)
def test_a_journal_is_dense_and_its_revisions_too(registries: Running, source: str) -> None:
    entries = journal(registries, source)
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
    last: dict[str, int] = {}
    before = 0
    for entry in entries:
        change = SERVICES[source].event.FromString(entry.event).change
        assert change.revision == last.get(change.record, 0) + 1
        assert change.commit_time.ToMicroseconds() >= before
        last[change.record], before = change.revision, change.commit_time.ToMicroseconds()


def test_a_journal_is_read_by_those_who_may_see_everything(registries: Running) -> None:
    for role in ("auditor", "operator", "system"):
        entries = journal(registries, "platforms", Who("a", "X", (role,)), limit=1)
        assert [entry.position for entry in entries] == [1]
    for who in (OFFICER, APPLICANT, Who("a", "X", ("importer",)), Who("a", "X", ())):
        wrong = refusal(partial(journal, registries, "platforms", who))
        assert (wrong.code, wrong.reason) == ("PERMISSION_DENIED", "ROLE_MISSING")


def test_a_journal_that_there_is_not_is_not_found(registries: Running) -> None:
    wrong = refusal(lambda: journal(registries, "nowhere"))
    assert wrong.code == "NOT_FOUND"
    assert "platforms" in wrong.text


def test_a_journal_ends_where_it_ends_or_stays(registries: Running) -> None:
    head = registries.head("platforms")
    assert journal(registries, "platforms", after_position=head) == []
    stream = registries.watch(
        "ReadJournal", AUDITOR, source="platforms", after_position=head, follow=True
    )
    record = PLATFORM.create(registries)
    (entry,) = some(stream, 1)
    assert isinstance(entry, journal_pb2.JournalEntry)
    assert record.name.encode() in entry.event

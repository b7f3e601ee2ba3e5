"""What an attack found in the kernel: each stays closed."""

import asyncio
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from kernel import database, rpc
from kernel.case import Caller, Role
from kernel.decision import Decision
from kernel.edit import apply_mask
from kernel.errors import Invalid, NotFound, Silent, Stopping, Violated
from kernel.filter import _fits
from kernel.gather import Gatherer
from kernel.identity import Identity
from kernel.personal import Vault, commit, conceal
from kernel.rights import may_see_past
from kernel.room import Circumstances, Room
from kernel.rules import PARTS, Rules
from kernel.store import Store
from kernel.tide import Tide
from kernel.writer import Work
from luoshu.journal.v1.journal_pb2 import Person
from luoshu.platforms.v1 import platforms_pb2 as pb
from tests.unit import kernel_world as world

METADATA = (("luoshu-actor", "wang"), ("luoshu-department", "DST"), ("luoshu-roles", "applicant"))
VAULT = Vault(world.SECRET)
RULES = Rules()


def crowd(count: int) -> pb.CreatePlatformRequest:
    """Return a request with so many units, each of which breaks two rules."""
    units = [pb.Unit(code="x")] * count
    return pb.CreatePlatformRequest(platform=pb.Platform(title="甲", co_building_units=units))


def test_a_message_made_to_break_rules_is_told_the_first_and_costs_no_minutes() -> None:
    RULES.broken(crowd(0))  # compiles the rules
    began = time.perf_counter()
    assert len(RULES.broken(crowd(500_000))) == 1
    assert time.perf_counter() - began < 5


def test_a_message_of_usual_size_is_told_everything() -> None:
    assert len(RULES.broken(crowd(20))) > 2 * 20
    assert len(RULES.broken(crowd(PARTS + 1))) == 1


def import_edge() -> rpc.Edge:
    method = world.TOY.contract.methods_by_name["ImportPlatforms"]
    return rpc.Edge(rpc.Gate(Identity(True)), method, None)


async def test_a_million_rows_in_a_message_are_refused_before_they_are_looked_at() -> None:
    edge, raw = import_edge(), b"\x0a\x03old" + b"\x12\x00" * 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(Violated) as wrong:
            await edge._rows(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [(p.field, p.code) for p in wrong.value.problems] == [("rows", "REPEATED_MAX_ITEMS")]
    assert peak < 2 * len(raw)


async def test_others_come_in_between_the_rows_of_a_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rpc, "AT_A_TIME", 0)
    edge = import_edge()
    sent = pb.ImportPlatformsRequest(source="old", rows=[pb.ImportPlatformsRequest.Row()] * 20)
    reading, turns = asyncio.ensure_future(edge._rows(sent.SerializeToString())), 0
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 20
    assert [*reading.result().wrong] == [*range(20)]


def test_an_update_too_large_to_tell_is_not_taken_unchecked() -> None:
    edge = rpc.Edge(
        rpc.Gate(Identity(True)), world.TOY.contract.methods_by_name["UpdatePlatform"], None
    )
    record = pb.Platform(name="platforms/x", title="甲", former_titles=["乙"] * PARTS)
    update = pb.UpdatePlatformRequest(platform=record)
    update.update_mask.paths.append("title")
    with pytest.raises(Invalid) as wrong:
        edge._parsed(update.SerializeToString())
    assert wrong.value.code == "TOO_MANY_ENTRIES"


def test_a_field_that_is_named_a_million_times_is_written_once() -> None:
    record = pb.Platform(title="甲")
    began = time.perf_counter()
    apply_mask(record, pb.Platform(title="乙"), ["title"] * 1_000_000)
    assert record.title == "乙"
    assert time.perf_counter() - began < 1


def test_a_key_that_is_given_twice_names_nobody() -> None:
    with pytest.raises(Invalid) as wrong:
        Identity(True).caller((*METADATA, ("luoshu-department", "DIIT")))
    assert wrong.value.code == "IDENTITY_MALFORMED"


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_a_star_stands_for_anything(pattern: str, text: str) -> None:
    def slow(text: str, pattern: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return slow(text, pattern[1:]) or (bool(text) and slow(text[1:], pattern))
        return text[:1] == pattern[0] and slow(text[1:], pattern[1:])

    assert _fits(text, pattern + "*") == slow(text, pattern + "*")
    assert _fits(text, "*" + pattern) == slow(text, "*" + pattern)


async def test_whoever_asks_after_the_end_is_refused_and_does_not_wait_for_ever() -> None:
    gatherer: Gatherer[int, int] = Gatherer(lambda questions: list(questions), name="t")
    assert await gatherer.ask(1) == 1
    await asyncio.to_thread(gatherer.close)
    with pytest.raises(Stopping):
        await asyncio.wait_for(gatherer.ask(2), 1)


async def test_a_watcher_that_leaves_is_forgotten() -> None:
    tide = Tide()
    for _ in range(10):
        waiting = asyncio.ensure_future(tide.wait(tide.turn()))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert tide._waiters == set()


def test_a_database_that_is_away_is_no_fault_of_the_program(tmp_path: Path) -> None:
    with pytest.raises(Silent), database.looking(database.reading(f"sqlite:///{tmp_path}/no/x")):
        pass


def test_what_a_read_cannot_run_is_a_fault_of_the_program(tmp_path: Path) -> None:
    engine = database.reading(f"sqlite:///{tmp_path / 'x'}")
    with pytest.raises(sa.exc.OperationalError), database.looking(engine) as tx:
        tx.exec_driver_sql("SELECT nothing FROM nowhere")
    engine.dispose()


def test_large_events_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    url = world.schema(tmp_path / "toy.sqlite3")
    writer = world.writer(url)
    abstracts = [world.creation(fields={"abstract": "长" * 1000}) for _ in range(20)]
    writer.write([Work(tuple(abstracts))])
    engine = database.reading(url)
    with database.looking(engine) as tx:
        store = Store(world.TOY, engine)
        assert len(store.told(tx, 0, 500)) == 20
        few = store.told(tx, 0, 500, most=8_000)
        assert [line.position for line in few] == [1, 2, 3]
    engine.dispose()


async def test_watchers_at_the_end_read_nothing_and_sleep_through_refusals(tmp_path: Path) -> None:
    async def nobody(_: str) -> None:
        return None

    url = world.schema(tmp_path / "toy.sqlite3")
    around = Circumstances(url, world.SECRET, world.NO_PACK, world.Clock(), nobody)
    room = Room(world.TOY, around)
    reads = list[int]()
    told = room.store.told

    def counted(tx: Any, after: int, *more: Any) -> Any:
        reads.append(after)
        return told(tx, after, *more)

    room.store.told = counted  # type: ignore[method-assign]
    watchers = [room.tell(0, follow=True) for _ in range(40)]
    waiting = [asyncio.ensure_future(anext(watcher)) for watcher in watchers]
    seen_before = -1
    while (
        seen_before != len(reads) or not reads
    ):  # all have looked once; a busy machine takes its time
        seen_before = len(reads)
        await asyncio.sleep(0.2)
    reads.clear()
    for _ in range(5):
        with pytest.raises(Invalid):
            await room.settle(world.creation("refused"))
    await asyncio.sleep(0.1)
    assert reads == []
    await room.settle(world.creation())
    lines = await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert [[line.position for line in seen] for seen in lines] == [[1]] * 40
    assert reads == []
    await asyncio.to_thread(room.close)


# Who sees the past.


def test_who_sees_a_record_only_since_it_is_published_does_not_see_its_draft() -> None:
    stranger = Caller("chen", "DIIT", frozenset({Role.CASE_OFFICER}))
    assert not may_see_past(
        stranger, f" {world.UNIT} DST ", f" {world.UNIT} DST ", public_then=False
    )
    assert may_see_past(stranger, f" {world.UNIT} DST ", f" {world.UNIT} DST ", public_then=True)
    assert may_see_past(world.OWNER, f" {world.UNIT} DST ", " OLD ", public_then=False)
    auditor = Caller("qian", "", frozenset({Role.AUDITOR}))
    assert may_see_past(auditor, f" {world.UNIT} ", f" {world.UNIT} ", public_then=False)


def test_another_record_that_the_caller_may_not_see_does_not_exist_for_its_rule() -> None:
    batch = world.batch()
    batch.decide(
        world.creation("别人的", Caller("ma", "914403001922038216", frozenset({Role.APPLICANT})))
    )
    (hidden,) = batch.records
    batch.decide(world.creation("自己的"))
    own = next(name for name in batch.records if name != hidden)
    assert [_sees(batch, name) for name in (own, hidden, "platforms/none")] == [True, False, False]


def _sees(batch: Any, name: str) -> bool:
    try:
        Decision(batch, world.creation()).get(name)
    except NotFound:
        return False
    return True


# Persons.


def committed(record: Any, old: Any = None) -> Any:
    return commit(record, old, VAULT, lambda subject: (subject.encode() * 32)[:32])


def test_another_identity_number_cannot_stand_under_the_first_ones_pseudonym() -> None:
    old = pb.Platform(contact=Person(name="李四", identity_number="1"))
    committed(old)
    new = pb.Platform(contact=Person(name=old.contact.name, identity_number="2"))
    with pytest.raises(Invalid) as wrong:
        committed(new, old)
    assert (wrong.value.code, wrong.value.field) == ("TWO_PERSONS", "contact")
    same = pb.Platform(contact=Person(name=old.contact.name, identity_number="1", phone="3"))
    committed(same, old)
    assert same.contact.subject == old.contact.subject


def test_values_of_two_persons_are_not_one_person() -> None:
    objections = [pb.Objection(objector=Person(name=name, phone=name)) for name in "甲乙"]
    old = pb.Platform(public_notice=pb.PublicNotice(objections=objections))
    committed(old)
    one, two = (o.objector for o in old.public_notice.objections)
    new = pb.Platform(contact=Person(name=one.name, phone=two.phone))
    with pytest.raises(Invalid):
        committed(new, old)


def test_what_was_only_tried_tells_no_commitment_and_no_pseudonym() -> None:
    record = pb.Platform(contact=Person(name="李四", identity_number="1"))
    committed(record)
    record.contact.phone = "0371"  # a value that the caller may see stays
    conceal(record)
    assert record.contact == Person(phone="0371")

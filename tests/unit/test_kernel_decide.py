"""Deciding in memory: what a command leaves behind, and what a refused one does not."""

import copy
import datetime
import time
from dataclasses import replace
from typing import Any

import pytest

from kernel.columns import COMMON, Common, common_of, values_of
from kernel.decide import Batch, decide_all, decide_together
from kernel.decision import EVENT_LIMIT
from kernel.errors import (
    AlreadyExists,
    Denied,
    Invalid,
    NotFound,
    Refused,
    Reused,
    Stale,
    TooLate,
)
from kernel.outcome import Settled
from luoshu.journal.v1.journal_pb2 import Person
from luoshu.platforms.v1 import platforms_pb2 as pb
from tests.unit.kernel_world import (
    MORNING,
    OFFICER,
    OWNER,
    S,
    batch,
    command,
    creation,
    row,
    stamp,
)


def left(batch: Batch) -> Any:
    """Return what would be written."""
    return copy.deepcopy(
        (
            batch.position, batch.journal, batch.drawn, batch.numbers, batch.seen, batch.sealed,
            {name: held and held.revisions for name, held in batch.records.items() if held},
            {c: dict(rows) for c, rows in batch.rows.items()},
        )
    )  # fmt: skip


def recognized(on: Batch) -> str:
    """Lead a platform to its recognition; return its name."""
    name = on.decide(creation()).name
    on.decide(command("submit", name))
    on.decide(command("recognize", name, OFFICER))
    return name


def refused(on: Batch, kind: type[Exception], what: Any) -> Any:
    before = left(on)
    with pytest.raises(kind) as wrong:
        on.decide(what)
    assert left(on) == before
    return wrong.value


def test_a_refused_command_leaves_nothing() -> None:
    on = batch()
    name = on.decide(creation()).name
    refused(on, Invalid, creation("refused"))
    refused(on, ZeroDivisionError, creation("crash"))
    refused(on, Refused, command("recognize", name, OFFICER))
    refused(on, Denied, creation(caller=OFFICER))
    refused(on, NotFound, command("submit", "platforms/none"))
    refused(on, Stale, command("submit", name, etag="r9"))
    refused(on, TooLate, creation(deadline=time.monotonic() - 1))
    refused(on, AlreadyExists, command("create", name, given=pb.Platform(title="x")))


def test_a_command_that_only_validates_leaves_nothing() -> None:
    on = batch()
    name = on.decide(creation()).name
    on.decide(command("submit", name))
    before = left(on)
    settled = on.decide(command("recognize", name, OFFICER, validate_only=True))
    assert pb.Platform.FromString(settled.record).official_number == "N001"
    assert left(on) == before


def test_a_number_is_drawn_by_what_is_accepted_only() -> None:
    on = batch()
    names = [on.decide(creation()).name for _ in range(3)]
    for name in names:
        on.decide(command("submit", name))
    on.decide(command("recognize", names[0], OFFICER, validate_only=True))
    refused(on, Denied, command("recognize", names[0], OWNER))
    drawn = [
        pb.Platform.FromString(on.decide(command("recognize", name, OFFICER)).record)
        for name in names
    ]
    assert [record.official_number for record in drawn] == ["N001", "N002", "N003"]
    assert on.drawn == {"numbers": 3}


def test_an_event_says_what_it_would_say_without_its_neighbours() -> None:
    on, traced = batch(), replace(OWNER, traceparent="00-ab-cd-01")
    names = [on.decide(creation(caller=caller)).name for caller in (OWNER, OWNER, traced)]
    together, apart = list[bytes](), list[bytes]()
    moves = [
        command("submit", names[0]),
        command("submit", names[1], reason="late", effective=MORNING.date()),
        command("submit", names[2], traced),
        *(command("recognize", name, OFFICER) for name in names),
        *(
            command("merge", name, OFFICER, request=pb.MergePlatformRequest(into=names[2]))
            for name in names[:2]
        ),
        row("platforms/old", "旧平台", MORNING.date() - datetime.timedelta(days=9)),
        row("platforms/old", "改正", MORNING.date() - datetime.timedelta(days=9)),
        row("platforms/older", "旧平台", MORNING.date() - datetime.timedelta(days=99)),
    ]
    for move in moves:
        lonely = replace(on.fork(), changes={})
        for each, events in ((on, together), (lonely, apart)):
            before = len(each.journal)
            each.decide(move)
            events += [line.event for line in each.journal[before:]]
    assert together == apart


def test_a_row_has_the_columns_that_would_be_read_from_its_record() -> None:
    assert Common._fields == tuple(column.path for column in COMMON)
    on = batch()
    name = recognized(on)
    on.now = stamp(MORNING + datetime.timedelta(hours=1))
    on.moment += 3_600_000_000
    on.decide(row("platforms/old", "旧平台", MORNING.date() - datetime.timedelta(days=9)))
    on.decide(command("merge", name, OFFICER, request=pb.MergePlatformRequest(into=recognized(on))))
    on.decide(row("platforms/old", "更早", MORNING.date() - datetime.timedelta(days=99)))
    resource = on.service.by_collection["platforms"]
    for columns in on.rows["platforms"].values():
        record = pb.Platform.FromString(columns[7])
        own = values_of(resource, record)[2:]
        assert columns[8:] == (*common_of(record), *own)


def test_a_change_that_ties_two_records_is_two_events_of_one_request() -> None:
    on = batch()
    first, second = recognized(on), recognized(on)
    tie = command("merge", first, OFFICER, request=pb.MergePlatformRequest(into=second))
    on.decide(tie)
    mine, theirs = (pb.PlatformsEvent.FromString(r.event) for r in on.journal[-2:])
    assert (mine.change.record, theirs.change.record) == (first, second)
    assert mine.change.request_id == theirs.change.request_id == tie.request_id
    assert (mine.change.cause_position, theirs.change.cause_position) == (0, mine.change.position)
    assert list(theirs.platform.predecessors) == [first]
    assert theirs.platform.revision == 4
    assert len({r.request_id for r in on.journal}) == len(on.journal)


def test_a_record_cannot_be_tied_to_itself() -> None:
    on = batch()
    name = recognized(on)
    tie = command("merge", name, OFFICER, request=pb.MergePlatformRequest(into=name))
    refused(on, Invalid, tie)


def test_a_repeat_in_the_same_batch_gets_the_first_answer() -> None:
    on, what = batch(), creation()
    first, second = decide_all(on, [what, what])
    assert isinstance(first, Settled)
    assert isinstance(second, Settled)
    assert (first.repeated, second.repeated) == (False, True)
    assert second.record == first.record
    assert len(on.journal) == 1


def test_a_clash_in_the_same_batch_is_refused() -> None:
    on, what = batch(), creation()
    clash = creation(request_id=what.request_id, fingerprint=b"other")
    _, second = decide_all(on, [what, clash])
    assert isinstance(second, Reused)


def test_a_forbidden_action_names_what_this_caller_may_do_and_nothing_that_others_may() -> None:
    on = batch()
    name = on.decide(creation()).name
    assert "allowed: update, submit" in refused(on, Refused, command("merge", name)).en
    wrong = refused(on, Refused, command("merge", name, OFFICER))
    assert wrong.en.endswith("allowed: nothing to you; to others: update, submit")
    assert wrong.zh.endswith("可执行：无；其他人可执行：update, submit")


def test_neighbours_of_a_refused_command_are_decided() -> None:
    on = batch()
    outcomes = decide_all(on, [creation(), creation("refused"), creation("crash"), creation()])
    assert [type(o).__name__ for o in outcomes] == ["Settled", "Invalid", "ZeroDivisionError", "Settled"]  # fmt: skip
    assert [r.position for r in on.journal] == [1, 2]


def test_together_means_all_or_nothing() -> None:
    on = batch()
    on.decide(creation())
    before = left(on)
    after, outcomes = decide_together(on, [creation(), creation("refused"), creation()])
    assert after is on
    assert left(on) == before
    assert len(outcomes) == 3
    assert {str(o) for o in outcomes} == {"requests[1]: the title is refused; take another"}
    after, outcomes = decide_together(on, [creation(), creation()])
    assert [o.revision for o in outcomes if isinstance(o, Settled)] == [1, 1]
    assert len(after.journal) == 3
    assert left(on) == before


def test_what_a_thrown_away_fork_knew_of_a_person_is_not_used() -> None:
    """A key that was made in the fork is never stored: a value sealed under it would be lost."""
    person = {"contact": Person(name="李四")}
    on = batch()
    decide_together(on, [creation(fields=person), creation("refused")])
    on.decide(creation(fields=person))
    (subject,) = {sealed.subject for sealed in on.sealed.values()}
    assert subject in on.new_keys
    assert on.keys[subject] == on.vault.unwrap(on.new_keys[subject])


def test_an_event_at_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    on = batch()
    empty = len(batch_event(on, "x"))
    room = EVENT_LIMIT - empty - 4  # the lengths of text, record and event take more bytes
    taken = on.decide(creation("x" * room))
    assert EVENT_LIMIT - 8 <= len(on.journal[-1].event) <= EVENT_LIMIT
    over = EVENT_LIMIT - len(on.journal[-1].event) + room + 1
    wrong = refused(on, Invalid, creation("x" * over))
    assert wrong.code == "EVENT_TOO_LARGE"
    assert taken.revision == 1


def batch_event(on: Batch, title: str) -> bytes:
    trial = on.fork()
    trial.decide(creation(title))
    return trial.journal[-1].event


def test_a_row_of_history_that_comes_late_keeps_the_newer_one() -> None:
    on = batch()
    later, earlier = datetime.date(2020, 1, 1), datetime.date(2019, 1, 1)
    on.decide(row("platforms/h", "新", later))
    on.decide(row("platforms/h", "旧", earlier))
    held = on.held("platforms/h")
    assert held is not None
    assert (held.message.title, held.revisions) == ("新", 2)
    assert on.rows["platforms"]["platforms/h"][1:4] == (2, 1, 2)
    on.decide(row("platforms/h", "最新", later))
    held = on.held("platforms/h")
    assert held is not None
    assert (held.message.title, held.message.revision) == ("最新", 3)


def test_a_record_that_moved_on_takes_no_row_even_when_a_row_ties_to_it() -> None:
    on = batch()
    name, day = recognized(on), datetime.date(2019, 1, 1)
    assert refused(on, Refused, row(name, "史料", day)).code == "MOVED_ON"
    on.decide(row("platforms/h", "前身", day, fields={"successors": [name]}))
    held = on.held(name)
    assert held is not None
    assert list(held.message.predecessors) == ["platforms/h"]
    assert refused(on, Refused, row(name, "史料", day)).code == "MOVED_ON"


def test_an_effective_date_lies_between_the_records_own_and_today() -> None:
    on = batch()
    monday = datetime.date(2026, 3, 16)
    name = on.decide(creation(effective=monday)).name
    for day in (monday - datetime.timedelta(1), monday + datetime.timedelta(1)):
        wrong = refused(on, Invalid, command("submit", name, effective=day))
        assert wrong.field == "effective_date"
    assert on.decide(command("submit", name, effective=monday)).revision == 2


def test_an_effective_date_before_1900_is_a_slip_of_the_hand() -> None:
    for slip in (datetime.date(1026, 2, 3), datetime.date(1899, 12, 31)):
        wrong = refused(batch(), Invalid, creation(effective=slip))
        assert (wrong.field, wrong.code) == ("effective_date", "DATE_TOO_EARLY")
        assert "1900-01-01" in wrong.en
        assert "1900-01-01" in wrong.zh
    assert batch().decide(creation(effective=datetime.date(1900, 1, 1))).revision == 1


def test_a_historical_row_may_be_true_since_the_19th_century() -> None:
    on = batch()
    assert on.decide(row("platforms/old", "史料", datetime.date(1864, 5, 1))).revision == 1
    slip = refused(on, Invalid, row("platforms/older", "史料", datetime.date(1026, 2, 3)))
    assert slip.field == "effective_date"


def test_a_day_is_told_once_and_not_after_an_event_of_it() -> None:
    on = batch(last=0)
    on.tick()
    assert [(r.record, r.position) for r in on.journal] == [("clock", 1)]
    change = pb.PlatformsEvent.FromString(on.journal[0].event).change
    assert (change.action, change.revision, change.request_id) == ("tick", 1, "tick~2026-03-16")
    busy = batch(last=int(MORNING.timestamp() * 1_000_000))
    busy.tick()
    assert busy.journal == []
    tomorrow = batch(
        last=int(MORNING.timestamp() * 1_000_000), now=stamp(MORNING + datetime.timedelta(days=1))
    )
    tomorrow.tick()
    assert len(tomorrow.journal) == 1


def test_an_answers_state_is_the_tables() -> None:
    on = batch()
    name = recognized(on)
    held = on.held(name)
    assert held is not None
    assert held.message.state == S.STATE_RECOGNIZED
    assert on.rows["platforms"][name][6] == 1  # public

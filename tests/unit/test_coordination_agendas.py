"""What departments owe of their own records: read off each record, and told once when it changes."""

import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from kernel.dates import from_date, to_date
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.coordination.v1 import findings_pb2 as findings
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry
from luoshu.platforms.v1 import platforms_pb2 as platforms
from luoshu.technologies.v1 import technologies_pb2 as technologies
from services.coordination.agendas.domain import LIFECYCLE
from services.coordination.agendas.entries import ACCEPT_WITHIN, compared, entries_of
from services.coordination.agendas.following import Agendas
from services.coordination.inbox import item_of_finding, items_of_agenda
from services.funding.domain import APPLICATION
from services.platforms.domain import LIFECYCLE as PLATFORM
from tests.unit.coordination_world import BEFORE_HOLIDAY, henan
from tests.unit.fake_case import FakeCase, acted

TODAY = BEFORE_HOLIDAY
A, B = funding.Application.State, technologies.Breakthrough.State
P = platforms.Platform.State
D = pb.InboxItem


def day(offset: int = 0) -> Any:
    return from_date(TODAY + datetime.timedelta(offset))


def application(state: int, **more: Any) -> funding.Application:
    said = {"name": "applications/a1", "title": "固态电池", "lead_department": "DST"}
    return funding.Application(state=state, **{**said, **more})  # type: ignore[arg-type]


def noticed(*objections: funding.Objection, closed: bool = False) -> funding.Application:
    notice = funding.PublicNotice(end_date=day(3), objections=objections)
    if closed:
        notice.close_date.CopyFrom(day(4))
    return application(A.STATE_IN_PUBLIC_NOTICE, public_notice=notice)


def breakthrough() -> technologies.Breakthrough:
    made = technologies.Breakthrough(
        name="breakthroughs/b1", title="主轴承", lead_department="DST", state=B.STATE_IN_PROGRESS
    )
    made.milestones.add(id="m1", title="样件", due_date=day(-1))
    made.milestones.add(id="m2", title="整机", due_date=day(200))
    return made


def owed(record: Any) -> list[pb.AgendaEntry]:
    return entries_of(record, henan())


def test_an_exception_that_waits_for_a_second_person_is_owed_until_it_is_decided() -> None:
    asked = application(A.STATE_CONTRACTED)
    asked.overrides.add(number=1, rule="no-duplicate", reason="专题会议议定")
    (entry,) = owed(asked)
    assert entry.duty == D.DUTY_OVERRIDE
    assert entry.command.startswith("luoshu decide-override applications/a1 --number 1 ")
    asked.overrides[0].decided_by = "sun"
    assert not owed(asked)


MONDAY = datetime.datetime(2026, 9, 7, 2, tzinfo=datetime.UTC)


def arrived(state: int = A.STATE_RECOMMENDED) -> funding.Application:
    record = application(state)
    record.update_time.FromDatetime(MONDAY)
    return record


def test_who_leads_owes_the_acceptance_within_five_working_days_until_it_is_done() -> None:
    (entry,) = owed(arrived())
    assert (entry.duty, entry.command) == (D.DUTY_STEP, "luoshu accept applications/a1")
    (item,) = items(arrived(), MONDAY.date())
    assert (to_date(item.due_date), item.days_left) == (datetime.date(2026, 9, 14), 5)
    assert items(arrived(), datetime.date(2026, 9, 16))[0].days_left == -2
    assert not items(arrived(), department="DIIT")
    assert not owed(arrived(A.STATE_SUBMITTED))  # its recommending unit is waited for
    assert not owed(arrived(A.STATE_ACCEPTED))


def test_a_joint_review_that_has_ended_waits_for_its_notice_without_a_day() -> None:
    (item,) = items(arrived(A.STATE_JOINTLY_REVIEWED))
    assert item.command == "luoshu publish-notice applications/a1"
    assert not item.HasField("due_date")


@pytest.mark.parametrize(
    ("kind", "state", "waits"),
    [
        ("key-laboratory", P.STATE_SUBMITTED, ""),
        ("key-laboratory", P.STATE_RECOMMENDED, "accept"),
        ("key-laboratory", P.STATE_JOINTLY_REVIEWED, "publish-notice"),
        ("key-laboratory", P.STATE_COMPLETION_REQUESTED, ""),
    ],
)
def test_a_platforms_next_step_is_owed_where_its_lead_alone_is_waited_for(
    kind: str, state: Any, waits: str
) -> None:
    made = platforms.Platform(name="platforms/p1", kind=kind, state=state)
    made.update_time.FromDatetime(MONDAY)
    assert [entry.command.split()[1] for entry in owed(made)] == ([waits] if waits else [])


@pytest.mark.parametrize("lifecycle", [APPLICATION, PLATFORM])
def test_the_days_of_the_acceptance_are_those_of_the_lifecycles(lifecycle: Any) -> None:
    days = {move.within for move in lifecycle.moves if move.name == "accept"}
    assert days == {ACCEPT_WITHIN}


def test_an_objection_is_owed_within_the_notice_and_a_signature_after_it() -> None:
    objection = funding.Objection(number=1, text="数据不实")
    (entry,) = owed(noticed(objection))
    assert (entry.duty, to_date(entry.due_date)) == (D.DUTY_OBJECTION, to_date(day(3)))
    assert [e.duty for e in owed(noticed(objection, closed=True))] == [D.DUTY_OBJECTION]
    objection.resolve_date.CopyFrom(day())
    (signature,) = owed(noticed(objection, closed=True))
    assert signature.command.startswith("luoshu approve applications/a1 ")
    objection.upheld = True
    assert not owed(noticed(objection, closed=True))


def test_of_what_no_department_was_asked_about_it_is_said_that_it_was_compared() -> None:
    """Once its notice is over: the signature is owed from then on, so that the agenda changes."""
    record = noticed(closed=True)
    record.revision = 9
    assert compared(record) == 0  # imported in its notice: it was not checked here
    record.duplicate_check.basis_revision = 3
    assert compared(record) == 9
    record.joint_review.asked_revision = 5
    assert compared(record) == 0
    assert compared(noticed()) == compared(breakthrough()) == 0


def test_a_platforms_signature_is_that_of_its_kind() -> None:
    made = platforms.Platform(
        name="platforms/p1",
        kind="new-rd-institution",
        state=platforms.Platform.STATE_IN_PUBLIC_NOTICE,
    )
    made.public_notice.close_date.CopyFrom(day())
    made.public_notice.objections.add(number=1, content="人数不实")
    (entry,) = owed(made)
    assert "resolve-objection platforms/p1 --objection-number 1" in entry.command
    made.public_notice.objections[0].resolved = True
    (entry,) = owed(made)
    kind = henan().kind("new-rd-institution") if "new-rd-institution" in henan().kinds else None
    assert entry.command.split()[1] == (kind.ending if kind else "recognize").replace("_", "-")


@pytest.mark.parametrize(
    "record",
    [
        funding.Sanction(name="sanctions/s1", state=funding.Sanction.STATE_DRAFT),
        funding.Programme(
            name="programmes/p1",
            state=funding.Programme.STATE_DRAFT,
            ceilings=[funding.Ceiling(year=2026)],
        ),
    ],
)
def test_what_takes_a_second_signature_to_begin_is_owed(record: Any) -> None:
    assert [entry.duty for entry in owed(record)] == [D.DUTY_APPROVAL]


def agenda(record: Any) -> pb.Agenda:
    return pb.Agenda(
        name="agendas/a1",
        subject=record.name,
        title=record.title,
        lead_department=record.lead_department,
        entries=owed(record),
    )


def items(record: Any, today: datetime.date = TODAY, department: str = "DST") -> list[pb.InboxItem]:
    return list(items_of_agenda(agenda(record), department, today, henan()))


def test_a_bidder_is_to_be_selected_once_no_sealed_bid_can_be_revealed_any_more() -> None:
    bidding = technologies.Breakthrough(name="breakthroughs/b1", state=B.STATE_BIDS_CLOSED)
    bidding.bids.add(id="b1", seal="aa", reveal_date=day())
    waiting = bidding.bids.add(id="b2", seal="bb")
    assert not owed(bidding)
    waiting.lapse_date.CopyFrom(day())
    (entry,) = owed(bidding)
    assert entry.duty == D.DUTY_APPROVAL
    assert entry.command.startswith("luoshu select-bidder breakthroughs/b1")


def test_a_bid_of_an_earlier_bidding_keeps_nobody_from_selecting() -> None:
    bidding = technologies.Breakthrough(name="breakthroughs/b1", state=B.STATE_BIDS_CLOSED)
    bidding.bidding_round = 2
    bidding.bids.add(id="b1", seal="aa", round=1)
    bidding.bids.add(id="b2", seal="bb", round=2, reveal_date=day())
    assert [entry.duty for entry in owed(bidding)] == [D.DUTY_APPROVAL]


def test_a_milestone_shows_when_its_day_is_near_and_says_how_late_it_is() -> None:
    (late,) = items(breakthrough())
    assert (late.duty, late.text, late.days_left) == (D.DUTY_MILESTONE, "样件", -1)
    assert "--milestone m1" in late.command
    near = TODAY + datetime.timedelta(days=190)
    assert [item.text for item in items(breakthrough(), near)] == ["样件", "整机"]


def test_work_past_its_end_is_owed_by_the_department_that_leads_it_alone() -> None:
    record = application(A.STATE_IN_PROGRESS, end_date=day(-10))
    assert [item.duty for item in items(record)] == [D.DUTY_OVERDUE]
    assert not items(record, department="DRC")
    assert not items(application(A.STATE_IN_ACCEPTANCE, end_date=day(-10)))


def test_a_finding_waits_for_the_opinion_and_then_has_its_working_days() -> None:
    found = findings.Finding(name="findings/f1", lead_department="DST", title="固态电池")
    found.update_time.FromJsonString("2026-09-21T02:00:00Z")
    asked = pb.Review(state=pb.Review.STATE_OPEN)
    assert item_of_finding(found, asked, TODAY, henan()).paused
    asked = pb.Review(state=pb.Review.STATE_CONCLUDED, conclude_date=day())
    due = henan().add_working_days(TODAY, 10).date
    assert to_date(item_of_finding(found, asked, TODAY, henan()).due_date) == due


# Following.


def entry(record: Any, action: str = "update") -> JournalEntry:
    event = technologies.TechnologiesEvent(change=Change(action=action), breakthrough=record)
    return JournalEntry(source="technologies", position=9, event=event.SerializeToString())


def looking(held: pb.Agenda | None = None) -> Agendas:
    found = None if held is None else SimpleNamespace(message=held)
    store = SimpleNamespace(held=lambda tx, names: dict.fromkeys(names, found))
    return Agendas(SimpleNamespace(pack=henan(), store=store))  # type: ignore[arg-type]


def test_an_agenda_is_made_with_the_first_thing_owed_and_changes_only_with_it() -> None:
    [made] = looking().look(None, entry(breakthrough())).commands  # type: ignore[arg-type]
    assert made.action == "create"
    held = pb.Agenda()
    held.CopyFrom(made.given)
    assert not looking(held).look(None, entry(breakthrough())).commands  # type: ignore[arg-type]
    done = breakthrough()
    done.state = B.STATE_IN_ACCEPTANCE
    [settled] = looking(held).look(None, entry(done)).commands  # type: ignore[arg-type]
    held.state = pb.Agenda.STATE_OPEN
    new = acted(LIFECYCLE, held, settled.action, settled.request, FakeCase())
    assert new.state == pb.Agenda.STATE_SETTLED
    assert not new.entries


def test_a_record_that_owes_nothing_makes_no_agenda_and_history_owes_nothing() -> None:
    proposed = technologies.Breakthrough(name="breakthroughs/b2", state=B.STATE_PROPOSED)
    assert not looking().look(None, entry(proposed)).commands  # type: ignore[arg-type]
    assert not looking().concerns(entry(breakthrough(), "imported"))


def told(record: funding.Application) -> JournalEntry:
    event = funding.FundingEvent(change=Change(action="recommend"), application=record)
    return JournalEntry(source="funding", position=9, event=event.SerializeToString())


def test_a_step_is_owed_once_however_often_its_event_comes_and_settled_by_leaving_the_state() -> (
    None
):
    [made] = looking().look(None, told(arrived())).commands  # type: ignore[arg-type]
    [again] = looking().look(None, told(arrived())).commands  # type: ignore[arg-type]
    assert (made.name, made.request_id, made.given) == (again.name, again.request_id, again.given)
    held = pb.Agenda(state=pb.Agenda.STATE_OPEN)
    held.MergeFrom(made.given)
    assert not looking(held).look(None, told(arrived())).commands  # type: ignore[arg-type]
    [settled] = looking(held).look(None, told(arrived(A.STATE_ACCEPTED))).commands  # type: ignore[arg-type]
    new = acted(LIFECYCLE, held, settled.action, settled.request, FakeCase())
    assert new.state == pb.Agenda.STATE_SETTLED
    assert not list(items_of_agenda(new, "DST", TODAY, henan()))

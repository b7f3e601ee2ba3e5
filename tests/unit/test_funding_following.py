"""What coordination's events mean to awards: findings become holds and follow their decision, conditions are owed until met."""

from typing import Any

import pytest

from kernel.dates import from_date
from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.coordination.v1 import findings_pb2 as findings
from luoshu.funding.v1 import funding_pb2 as pb
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry
from services.funding.consumer import on_coordination
from services.funding.domain import HOLD
from tests.unit.fake_case import TODAY, FakeCase, acted

F, H = findings.Finding.State, pb.Hold.State
NAME = "applications/a1"


def entry(record: Any, action: str, was: str = "", now: str = "") -> JournalEntry:
    part = record.DESCRIPTOR.name.lower()
    change = Change(action=action, from_state=was, to_state=now)
    event = coordination.CoordinationEvent(change=change, **{part: record})
    return JournalEntry(source="coordination", position=5, event=event.SerializeToString())


def finding(**more: Any) -> findings.Finding:
    said = {"application": NAME, "other": "applications/a2", "lead_department": "DST"}
    return findings.Finding(name="findings/f1", state=F.STATE_OPEN, **{**said, **more})


def review(**more: Any) -> coordination.Review:
    kind = coordination.Review.KIND_JOINT_REVIEW
    said = {"kind": kind, "application": NAME, "subject": NAME}
    made = coordination.Review(name="reviews/r1", **{**said, **more})
    made.conditions.add(number=1, department="DRC", text="取得批复", due_date=from_date(TODAY))
    return made


def test_a_finding_becomes_a_hold_of_its_own_id() -> None:
    [command] = on_coordination(entry(finding(), "create")).commands
    assert (command.action, command.name) == ("create", "holds/f1")
    assert (command.given.application, command.given.finding) == (NAME, "findings/f1")


@pytest.mark.parametrize(
    ("disposition", "state"),
    [
        ("DISPOSITION_DUPLICATE", H.STATE_STANDING),
        ("DISPOSITION_CONTINUATION", H.STATE_RELEASED),
        ("DISPOSITION_DISTINCT", H.STATE_RELEASED),
    ],
)
def test_a_hold_follows_what_a_person_decides(disposition: str, state: int) -> None:
    decided = finding(
        disposition=findings.Disposition.Value(disposition), decide_date=from_date(TODAY)
    )
    decided.state = F.STATE_DISPOSED
    assert followed(decided, "dispose").state == state


def test_a_finding_that_lapses_releases_and_one_raised_again_is_open() -> None:
    gone = finding()
    gone.state = F.STATE_LAPSED
    assert followed(gone, "lapse", H.STATE_OPEN).state == H.STATE_RELEASED
    told = finding(round=2, application="applications/a2", other=NAME)
    again = followed(told, "raise_again", H.STATE_RELEASED)
    assert (again.state, again.application, again.round) == (H.STATE_OPEN, "applications/a2", 2)
    assert not again.HasField("decide_date")


def test_a_change_of_either_text_frees_nobody_who_was_found_to_be_a_duplicate() -> None:
    """Raised again because the other one's text has changed, the finding is about the other one."""
    again = finding(round=2, application="applications/a2", other=NAME)
    gone = finding(round=2, application="applications/a2", other=NAME)
    gone.state = F.STATE_LAPSED  # raised again and then excused, without a person's word
    assert followed(gone, "lapse").state == H.STATE_STANDING
    held = followed(again, "raise_again")
    assert (held.state, held.application, held.round) == (H.STATE_STANDING, NAME, 2)
    again.state, again.disposition = F.STATE_DISPOSED, findings.DISPOSITION_DUPLICATE
    held = followed(again, "dispose")
    assert (held.state, held.application) == (H.STATE_STANDING, NAME)
    again.disposition = findings.DISPOSITION_DISTINCT
    assert followed(again, "dispose").state == H.STATE_RELEASED


def followed(
    told: findings.Finding, action: str, state: "pb.Hold.State.ValueType" = H.STATE_STANDING
) -> pb.Hold:
    [made] = on_coordination(entry(finding(), "create")).commands
    hold = pb.Hold()
    hold.CopyFrom(made.given)
    hold.name, hold.state = made.name, state
    hold.decide_date.CopyFrom(from_date(TODAY))
    [command] = on_coordination(entry(told, action)).commands
    new: pb.Hold = acted(HOLD, hold, command.action, command.request, FakeCase())
    return new


def test_a_concluded_review_tells_what_is_owed() -> None:
    agreed = review(outcome=coordination.OUTCOME_AGREED)
    [command] = on_coordination(entry(agreed, "opine", "STATE_OPEN", "STATE_CONCLUDED")).commands
    (owed,) = command.request.owed_conditions
    assert (owed.department, owed.due_date) == ("DRC", from_date(TODAY))
    assert not owed.HasField("done_date")


def test_a_condition_that_is_confirmed_is_no_longer_owed() -> None:
    told = review(outcome=coordination.OUTCOME_AGREED)
    told.conditions[0].confirm_date.CopyFrom(from_date(TODAY))
    concluded = "STATE_CONCLUDED"
    [command] = on_coordination(entry(told, "confirm_condition", concluded, concluded)).commands
    assert command.action == "follow_conditions"
    assert command.request.owed_conditions[0].done_date == from_date(TODAY)


def test_a_change_that_a_department_is_asked_about_anew_does_not_pay_past_its_condition() -> None:
    """The condition falls away with the opinion, and money would flow before the department has spoken again."""
    told = review(effective_date=from_date(TODAY))
    told.conditions[0].lapse_date.CopyFrom(from_date(TODAY))
    opinion = told.opinions.add(department="DRC")
    [command] = on_coordination(entry(told, "revise", "STATE_CONCLUDED", "STATE_OPEN")).commands
    assert not command.request.owed_conditions[0].HasField("done_date")
    opinion.verdict, told.outcome = coordination.VERDICT_AGREE, coordination.OUTCOME_AGREED
    [command] = on_coordination(entry(told, "opine", "STATE_OPEN", "STATE_CONCLUDED")).commands
    assert command.request.owed_conditions[0].done_date == from_date(TODAY)


def test_reviews_of_findings_and_platforms_move_no_application() -> None:
    duplicate = review(kind=coordination.Review.KIND_DUPLICATE)
    platform = review(application="", subject="platforms/p1")
    for other in (duplicate, platform):
        assert not on_coordination(entry(other, "opine", "STATE_OPEN", "STATE_CONCLUDED")).commands


def test_a_review_that_judges_a_change_as_agreed_before_concludes_again() -> None:
    """It touched nobody, or was taken back: funding hears of it all the same."""
    told = review(outcome=coordination.OUTCOME_AGREED, effective_date=from_date(TODAY))
    told.asked_revision = told.basis_revision = 12
    concluded = "STATE_CONCLUDED"
    for action in ("revise", "resume"):
        [command] = on_coordination(entry(told, action, concluded, concluded)).commands
        assert (command.action, command.request.basis_revision) == ("conclude_joint_review", 12)
    told.basis_revision = 13  # what the contract carries out is put to nobody
    assert not on_coordination(entry(told, "revise", concluded, concluded)).commands


def test_that_an_application_was_compared_is_taken_over_from_its_agenda() -> None:
    agenda = coordination.Agenda(name="agendas/a1", subject=NAME, compared_revision=9)
    [command] = on_coordination(entry(agenda, "create")).commands
    assert (command.action, command.name) == ("follow_comparison", NAME)
    assert command.request.compared_revision == 9
    agenda.compared_revision = 0
    assert not on_coordination(entry(agenda, "revise")).commands

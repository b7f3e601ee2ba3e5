"""An open-bid list is published jointly: each department's consent is asked for, once a round."""

import pytest

from kernel.dates import from_date
from kernel.errors import Invalid, Refused
from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.coordination.consumer import on_technologies
from services.coordination.naming import review_name
from services.technologies.consumer import on_coordination
from tests.unit.technologies_story import (
    PUBLISHERS,
    TODAY,
    a_case,
    act,
    agreed,
    closed,
    listed,
    refused,
)

PUBLISH = {"publishing_departments": PUBLISHERS, "bids_close_date": from_date(TODAY)}


def told(record: pb.Breakthrough, action: str, was: str, now: str) -> JournalEntry:
    change = Change(action=action, from_state=was, to_state=now, record=record.name)
    event = pb.TechnologiesEvent(change=change, breakthrough=record)
    return JournalEntry(source="technologies", position=7, event=event.SerializeToString())


def test_a_list_is_not_published_before_every_department_consents() -> None:
    refused(Refused, "CONSENT_MISSING", listed(), "publish_for_bids", a_case(), **PUBLISH)
    asked = act(listed(), "circulate", a_case(), publishing_departments=PUBLISHERS)
    refused(Refused, "CONSENT_MISSING", asked, "publish_for_bids", a_case(), **PUBLISH)
    assert act(agreed(listed()), "publish_for_bids", a_case(), **PUBLISH).bidding_round == 1


@pytest.mark.parametrize("outcome", ["OUTCOME_OBJECTED", "OUTCOME_UNANSWERED"])
def test_an_objection_or_silence_is_no_consent(outcome: str) -> None:
    record = agreed(listed(), pb.Publication.Outcome.Value(outcome))
    refused(Refused, "CONSENT_MISSING", record, "publish_for_bids", a_case(), **PUBLISH)
    again = agreed(record)
    assert again.publication.round == 2
    assert act(again, "publish_for_bids", a_case(), **PUBLISH).publishing_departments


def test_the_consent_of_one_circle_is_not_that_of_another() -> None:
    others = [*PUBLISHERS, "MARKET"]
    record = agreed(listed())
    record.publication.departments[:] = others
    refused(Refused, "CONSENT_MISSING", record, "publish_for_bids", a_case(), **PUBLISH)


def test_departments_are_not_asked_twice_at_a_time() -> None:
    asked = act(listed(), "circulate", a_case(), publishing_departments=PUBLISHERS)
    refused(
        Refused, "ALREADY_ASKED", asked, "circulate", a_case(), publishing_departments=PUBLISHERS
    )


def test_fewer_departments_than_the_pack_wants_are_not_asked() -> None:
    few = PUBLISHERS[:3]
    refused(
        Invalid, "TOO_FEW_PUBLISHERS", listed(), "circulate", a_case(), publishing_departments=few
    )


def test_another_bidding_needs_another_consent() -> None:
    again = act(closed(), "relist", a_case(), reason="无合适揭榜方")
    refused(Refused, "CONSENT_MISSING", again, "publish_for_bids", a_case(), **PUBLISH)


def test_coordination_asks_every_department_but_the_lead() -> None:
    asked = act(listed(), "circulate", a_case(), publishing_departments=PUBLISHERS)
    entry = told(asked, "circulate", "STATE_LISTED", "STATE_LISTED")
    [command] = on_technologies(entry).commands
    review = command.given
    assert command.name == review_name(asked.name, 1)
    assert review.kind == coordination.Review.KIND_PUBLICATION
    assert [o.department for o in review.opinions] == ["DIIT", "DRC", "FINANCE"]


def test_a_technology_that_leaves_the_list_cancels_the_question() -> None:
    asked = act(listed(), "circulate", a_case(), publishing_departments=PUBLISHERS)
    [command] = on_technologies(
        told(asked, "terminate", "STATE_LISTED", "STATE_TERMINATED")
    ).commands
    assert (command.action, command.name) == ("cancel", review_name(asked.name, 1))
    answered = told(agreed(listed()), "terminate", "STATE_LISTED", "STATE_TERMINATED")
    assert not on_technologies(answered).commands


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (coordination.OUTCOME_AGREED, "OUTCOME_AGREED"),
        (coordination.OUTCOME_OBJECTED, "OUTCOME_OBJECTED"),
        (coordination.OUTCOME_UNANSWERED, "OUTCOME_UNANSWERED"),
    ],
)
def test_what_came_of_the_review_is_taken_over(said: int, outcome: str) -> None:
    review = coordination.Review(
        name="reviews/r1",
        subject="breakthroughs/smart-boiler",
        kind=coordination.Review.KIND_PUBLICATION,
        outcome=said,  # type: ignore[arg-type]
    )
    change = Change(from_state="STATE_OPEN", to_state="STATE_CONCLUDED")
    event = coordination.CoordinationEvent(change=change, review=review)
    entry = JournalEntry(source="coordination", position=3, event=event.SerializeToString())
    [command] = on_coordination(entry).commands
    assert command.name == review.subject
    assert pb.Publication.Outcome.Name(command.request.outcome) == outcome


def test_a_department_that_recuses_itself_has_not_consented() -> None:
    review = coordination.Review(
        name="reviews/r1",
        subject="breakthroughs/smart-boiler",
        kind=coordination.Review.KIND_PUBLICATION,
        outcome=coordination.OUTCOME_AGREED,
    )
    review.opinions.add(department="DRC", verdict=coordination.VERDICT_AGREE)
    review.opinions.add(department="FINANCE", verdict=coordination.VERDICT_RECUSE, text="利害关系")
    change = Change(from_state="STATE_OPEN", to_state="STATE_CONCLUDED")
    event = coordination.CoordinationEvent(change=change, review=review)
    entry = JournalEntry(source="coordination", position=3, event=event.SerializeToString())
    [command] = on_coordination(entry).commands
    assert command.request.outcome == pb.Publication.OUTCOME_UNANSWERED

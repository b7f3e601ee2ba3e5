"""A change of the application lapses the opinions that it touches, and only those."""

from typing import Any

import pytest

from kernel.dates import ONE_DAY
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry
from services.coordination.consumer import FIELDS
from services.coordination.naming import review_name
from services.funding.consumer import on_coordination
from tests.unit.coordination_world import Reviewing, S, application, henan


def agreed(**conditions: Any) -> Reviewing:
    there = Reviewing().open()
    there.opine("DRC")
    there.opine("DIIT")
    verdict = "AGREE_WITH_CONDITIONS" if conditions else "AGREE"
    there.opine("FINANCE", verdict, **conditions)
    return there


def test_a_change_of_the_budget_asks_finance_again_and_nobody_else() -> None:
    there = agreed()
    line = funding.BudgetLine(category="设备费", amount_fen=200_0000_00)
    changed = there.change("revise", application(revision=12, budget=[line]))
    assert changed.state == S.STATE_OPEN
    assert list(changed.owing_departments) == ["FINANCE"]
    assert there.opinion("DRC").verdict == pb.VERDICT_AGREE
    (lapse,) = changed.lapses
    assert lapse.opinion.department == "FINANCE"
    assert lapse.opinion.verdict == pb.VERDICT_AGREE
    assert list(lapse.fields) == ["budget"]
    assert lapse.subject_revision == 12
    assert there.opinion("FINANCE").basis_revision == 12
    assert there.opinion("DRC").basis_revision == 7
    assert there.opine("FINANCE").state == S.STATE_CONCLUDED


def test_a_change_that_is_nobodys_business_leaves_the_review_as_it_was() -> None:
    there = agreed()
    changed = there.change("revise", application(revision=12))
    assert changed.state == S.STATE_CONCLUDED
    assert changed.outcome == pb.OUTCOME_AGREED
    assert not changed.lapses


def test_an_opinion_that_named_its_fields_lapses_by_these_alone() -> None:
    there = Reviewing().open()
    there.opine("DRC", concerns=["start_date", "end_date"])
    there.opine("DIIT")
    there.opine("FINANCE")
    changed = there.change("revise", application(revision=8, abstract="另一条技术路线"))
    assert list(changed.owing_departments) == ["DIIT"]


def test_what_the_award_itself_decided_lapses_nothing_and_is_the_basis_from_then_on() -> None:
    there = agreed()
    smaller = application(revision=12, requested_fen=150_0000_00)
    basis = {"basis": list(_marks(smaller)), "basis_revision": 12}
    assert there.do("revise", decided=True, **basis).state == S.STATE_CONCLUDED
    assert there.change("revise", smaller).state == S.STATE_CONCLUDED


def _marks(said: funding.Application) -> Any:
    from services.coordination.consumer import FIELDS
    from services.coordination.marking import marks

    return marks(said, FIELDS)


def test_conditions_that_are_still_open_fall_with_their_opinion() -> None:
    there = agreed(conditions=["设备须集中招标"])
    changed = there.change("revise", application(revision=12, requested_fen=1))
    assert changed.conditions[0].HasField("lapse_date")
    assert there.opinion("FINANCE").ask == 2


def test_a_completion_lapses_only_what_it_touches_and_those_asked_again_have_all_their_days() -> (
    None
):
    there = Reviewing().open()
    there.opine("DRC")
    there.opine("FINANCE")
    there.do("pause", reason="补正")
    resumed = there.change("resume", application(revision=9, abstract="补充了技术路线"))
    assert list(resumed.owing_departments) == ["DIIT", "DRC"]
    assert there.opinion("FINANCE").verdict == pb.VERDICT_AGREE
    assert there.opinion("DRC").ask == 2
    assert there.due_day("DRC") == Reviewing(day=there.day).open().due_day("DRC")


def second_round(**more: Any) -> Reviewing:
    there = Reviewing().open()
    there.opine("DRC")
    there.opine("DIIT", "AGREE_WITH_CONDITIONS", conditions=["与产业链衔接"])
    there.opine("FINANCE", "OBJECT", text="预算偏高")
    there.others[review_name("applications/a1", 1)] = there.review
    round_2 = funding.JointReview(departments=["DRC", "DIIT", "FINANCE"], round=2)
    return there.open(application(revision=20, joint_review=round_2, **more))


def test_in_the_next_round_consent_stands_where_nothing_that_it_is_about_has_changed() -> None:
    there = second_round(requested_fen=100_0000_00)
    assert list(there.review.owing_departments) == ["DIIT", "FINANCE"]  # DIIT's condition is open
    assert there.opinion("DRC").carried
    assert there.opinion("DIIT").carried
    assert there.opine("FINANCE").state == S.STATE_CONCLUDED
    assert [c.text for c in there.review.conditions] == ["与产业链衔接"]


def test_in_the_next_round_silence_leaves_an_objection_to_what_has_not_changed() -> None:
    """Else the lead department would wait for it, and change nothing."""
    there = second_round(title="固态电池二期")
    there.opine("DRC")
    there.opine("DIIT")
    there.pass_to(there.day + 60 * ONE_DAY)
    assert there.review.outcome == pb.OUTCOME_OBJECTED
    changed = second_round(requested_fen=100_0000_00)
    changed.pass_to(changed.day + 60 * ONE_DAY)
    assert changed.review.outcome == pb.OUTCOME_AGREED


def test_in_the_next_round_whose_field_has_changed_is_asked_again() -> None:
    there = second_round(title="固态电池二期")
    assert {o.department for o in there.review.opinions if not o.verdict} == {
        "DRC",
        "DIIT",
        "FINANCE",
    }


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_that_departments_are_asked_about_is_told_by_its_mark(field: str) -> None:
    known = {f for remit in henan().remits for f in remit.fields}
    assert field in known
    assert field in {mark.field for mark in Reviewing().open().review.basis}


@pytest.mark.parametrize(
    ("was", "now", "ends"),
    [
        ("STATE_OPEN", "STATE_CONCLUDED", True),
        ("STATE_CONCLUDED", "STATE_CONCLUDED", False),  # a condition was confirmed
        ("STATE_CONCLUDED", "STATE_OPEN", False),
    ],
)
def test_an_application_moves_when_its_review_ends_and_not_when_a_condition_is_confirmed(
    was: str, now: str, ends: bool
) -> None:
    change = Change(record="reviews/r1", from_state=was, to_state=now, action="any")
    event = pb.CoordinationEvent(change=change, review=agreed().review)
    entry = JournalEntry(source="coordination", position=3, event=event.SerializeToString())
    assert bool(on_coordination(entry).commands) is ends

"""An objection to a change after the award: no act of the applicant's side lifts it, and what takes the change back ends it."""

from typing import Any

import pytest

from kernel.dates import ONE_DAY
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry, Person
from services.coordination.consumer import FIELDS, on_funding
from services.coordination.marking import marks
from tests.unit.coordination_world import Reviewing, S, application, officer, with_rule

FAR = 60 * ONE_DAY
UNIT = {"name": "某公司", "code": "914403001922038216"}


def lines(*fen: int) -> dict[str, Any]:
    """Return a budget; the first line says which one it is."""
    said = zip(("设备费", "业务费"), fen, strict=False)
    return {"budget": [funding.BudgetLine(category=c, amount_fen=f) for c, f in said]}


def agreed(pack: Any = None, **conditions: Any) -> Reviewing:
    """Return a review that ended as agreed, of an application with a budget."""
    there = (Reviewing(pack=pack) if pack else Reviewing()).open(application(**lines(200)))
    there.opine("DRC")
    there.opine("DIIT")
    there.opine("FINANCE", "AGREE_WITH_CONDITIONS" if conditions else "AGREE", **conditions)
    return there


def changed(there: Reviewing, revision: int, *fen: int, **more: Any) -> pb.Review:
    return there.change("revise", application(revision=revision, **lines(*fen), **more))


def objected(pack: Any = None, **conditions: Any) -> Reviewing:
    """Return one of which FINANCE objects to a change of the budget."""
    there = agreed(pack, **conditions)
    changed(there, 12, 100, 100)
    there.opine("FINANCE", "OBJECT", text="业务费过高")
    assert there.review.outcome == pb.OUTCOME_OBJECTED
    return there


def test_a_second_change_of_the_same_kind_asks_who_objected_again() -> None:
    there = objected()
    again = changed(there, 15, 120, 80)
    assert (again.state, again.outcome) == (S.STATE_OPEN, pb.OUTCOME_UNSPECIFIED)
    assert list(again.owing_departments) == ["FINANCE"]
    assert again.asked_revision == 15
    assert there.opine("FINANCE").outcome == pb.OUTCOME_AGREED


def test_a_change_of_another_kind_asks_who_objected_too_and_its_silence_is_no_consent() -> None:
    there = objected()
    again = changed(there, 15, 100, 100, title="另一题目")
    assert list(again.owing_departments) == ["DIIT", "DRC", "FINANCE"]
    assert there.opinion("FINANCE").objected
    there.opine("DRC")
    there.opine("DIIT")
    there.pass_to(there.day + FAR)
    assert there.review.outcome == pb.OUTCOME_OBJECTED
    assert not there.opinion("FINANCE").deemed


def test_a_change_there_and_back_does_not_turn_an_objection_into_silence() -> None:
    there = objected()
    changed(there, 15, 120, 80)
    assert not there.opinion("FINANCE").objected
    changed(there, 16, 100, 100)
    there.pass_to(there.day + FAR)
    assert there.review.outcome == pb.OUTCOME_OBJECTED


def test_silence_about_another_text_goes_by_the_packs_rule() -> None:
    there = objected()
    changed(there, 15, 120, 80)
    there.pass_to(there.day + FAR)
    assert there.opinion("FINANCE").deemed
    strict = objected(with_rule("default", deemed_consent=False))
    changed(strict, 15, 120, 80)
    strict.pass_to(strict.day + FAR)
    assert strict.review.outcome == pb.OUTCOME_UNANSWERED


def test_asked_again_about_the_same_only_its_own_word_lifts_an_objection() -> None:
    there = objected()
    assert list(changed(there, 15, 100, 100).owing_departments) == ["FINANCE"]
    there.pass_to(there.day + FAR)
    assert there.review.outcome == pb.OUTCOME_OBJECTED
    changed(there, 16, 100, 100)
    assert there.opinion("FINANCE").objected  # through any number of silences
    assert there.opine("FINANCE").outcome == pb.OUTCOME_AGREED


def test_who_did_not_answer_is_asked_again_with_all_its_days() -> None:
    there = agreed(with_rule("default", deemed_consent=False))
    changed(there, 12, 100, 100)
    there.pass_to(there.day + FAR)
    assert there.review.outcome == pb.OUTCOME_UNANSWERED
    assert list(changed(there, 13, 100, 100).owing_departments) == ["FINANCE"]
    assert there.due_day("FINANCE") == Reviewing(day=there.day).open().due_day("FINANCE")


def test_a_change_that_is_taken_back_needs_nobodys_word() -> None:
    there = objected()
    back = changed(there, 15, 200)
    assert (back.state, back.outcome) == (S.STATE_CONCLUDED, pb.OUTCOME_AGREED)
    assert there.opinion("FINANCE").verdict == pb.VERDICT_AGREE
    assert not back.HasField("agreement")
    assert [lapse.opinion.verdict for lapse in back.lapses][-1] == pb.VERDICT_OBJECT


def test_a_change_that_is_taken_back_while_it_is_asked_about_ends_the_question() -> None:
    there = agreed()
    changed(there, 12, 100, 100)
    assert changed(there, 13, 200).outcome == pb.OUTCOME_AGREED


def test_what_is_taken_back_in_part_is_still_asked_about() -> None:
    there = objected()
    both = changed(there, 15, 100, 100, title="另一题目")
    assert both.state == S.STATE_OPEN
    back = changed(there, 16, 200, title="另一题目")
    assert list(back.owing_departments) == ["DIIT", "DRC"]
    assert there.opinion("FINANCE").verdict == pb.VERDICT_AGREE


def test_consent_to_a_change_is_void_once_it_is_taken_back_and_made_anew() -> None:
    """What was agreed to last is what counts, not what was agreed to once."""
    there = agreed()
    changed(there, 12, 100, 100)
    there.opine("FINANCE")
    assert changed(there, 13, 200).state == S.STATE_OPEN


def test_conditions_are_owed_again_where_the_change_is_taken_back() -> None:
    """Else a change there and back would rid the applicant of them."""
    there = objected(conditions=["设备须集中招标", "专账核算"])
    assert all(c.HasField("lapse_date") for c in there.review.conditions)
    back = changed(there, 15, 200)
    assert not any(c.HasField("lapse_date") for c in back.conditions)
    assert list(back.owing_departments) == ["FINANCE"]
    assert list(there.opinion("FINANCE").conditions) == ["设备须集中招标", "专账核算"]


def test_conditions_that_were_set_for_a_change_fall_with_it() -> None:
    there = agreed()
    changed(there, 12, 100, 100, title="另一题目")
    there.opine("FINANCE", "AGREE_WITH_CONDITIONS", conditions=["业务费另行审计"])
    there.opine("DRC", "OBJECT", text="题目不符")
    there.opine("DIIT")
    (condition,) = changed(there, 15, 200).conditions
    assert condition.HasField("lapse_date")
    assert there.review.outcome == pb.OUTCOME_AGREED


def test_silence_after_a_change_is_the_consent_that_it_was_with_its_conditions() -> None:
    """Else a change and some weeks would rid the applicant of them."""
    there = agreed(conditions=["设备须集中招标"])
    changed(there, 12, 100, 100)
    there.pass_to(there.day + FAR)
    said = there.opinion("FINANCE")
    assert (said.verdict, said.deemed) == (pb.VERDICT_AGREE_WITH_CONDITIONS, True)
    assert there.review.outcome == pb.OUTCOME_AGREED
    assert list(there.review.owing_departments) == ["FINANCE"]
    there.do("confirm_condition", officer("FINANCE"), number=1, evidence="招标公告")
    assert not there.review.owing_departments


def test_a_consent_without_conditions_leaves_none_of_an_earlier_one() -> None:
    there = agreed(conditions=["设备须集中招标"])
    changed(there, 12, 100, 100)
    there.opine("FINANCE")
    changed(there, 13, 120, 80)
    there.pass_to(there.day + FAR)
    assert not there.review.owing_departments


def test_conditions_of_others_are_owed_while_one_objects_to_a_change() -> None:
    there = agreed(conditions=["设备须集中招标"])
    changed(there, 12, 200, title="另一题目")
    there.opine("DRC", "OBJECT", text="题目不符")
    there.opine("DIIT")
    assert list(there.review.owing_departments) == ["FINANCE"]
    there.do("confirm_condition", officer("FINANCE"), number=1, evidence="招标公告")
    assert not there.review.owing_departments


def test_a_change_on_the_last_day_leaves_all_days_to_judge_it() -> None:
    there = agreed()
    changed(there, 12, 100, 100)
    there.pass_to(there.due_day("FINANCE"))
    changed(there, 13, 100, 99, title="固态电池")
    assert there.due_day("FINANCE") == Reviewing(day=there.day).open().due_day("FINANCE")


def test_a_change_that_touches_nobody_is_judged_with_the_agreement_before() -> None:
    said = changed(agreed(), 12, 200)
    assert (said.state, said.asked_revision) == (S.STATE_CONCLUDED, 12)
    assert not said.HasField("agreement")


def test_what_the_contract_carries_out_is_put_to_nobody() -> None:
    there = agreed()
    asked = there.review.asked_revision
    said = there.do("revise", decided=True, basis=there.review.basis, basis_revision=12)
    assert (said.asked_revision, said.basis_revision) == (asked, 12)


def test_the_order_of_a_list_and_a_telephone_number_change_nothing() -> None:
    one, two = funding.Unit(**UNIT), funding.Unit(name="某院", code="91330100799655058B")

    def said(*units: funding.Unit, **person: str) -> list[pb.FieldMark]:
        investigator = Person(**person)
        record = application(consortium=units, principal_investigator=investigator)
        return list(marks(record, FIELDS))

    before = said(one, two, subject="ps1-1", phone="pc1:a")
    assert said(two, one, subject="ps1-1", phone="pc1:b") == before
    assert said(one, two, subject="ps1-2", phone="pc1:a") != before
    assert said(one, subject="ps1-1", phone="pc1:a") != before


def test_a_review_that_ended_before_it_heard_of_a_completion_goes_on_with_it() -> None:
    """Its end and the completion crossed: the departments have judged the text before."""
    there = agreed()
    said = application(revision=9, abstract="另一条技术路线", **lines(200))
    again = there.change("resume", said)
    assert (again.state, again.asked_revision) == (S.STATE_OPEN, 9)
    assert list(again.owing_departments) == ["DIIT", "DRC"]
    same = agreed()
    kept = same.change("resume", application(revision=9, **lines(200)))
    assert (kept.state, kept.outcome) == (S.STATE_CONCLUDED, pb.OUTCOME_AGREED)


# What funding's events mean.


def heard(action: str, now: str = "STATE_IN_PROGRESS", **joint: int) -> list[tuple[str, Any]]:
    """Return what an act on an award means: actions, and whether the departments are passed over."""
    said = application(revision=12)
    said.joint_review.MergeFrom(funding.JointReview(**joint))  # type: ignore[arg-type]
    change = Change(record=said.name, action=action, from_state="STATE_IN_PROGRESS", to_state=now)
    event = funding.FundingEvent(change=change, application=said)
    entry = JournalEntry(source="funding", position=3, event=event.SerializeToString())
    return [(c.action, getattr(c.request, "decided", None)) for c in on_funding(entry).commands]


@pytest.mark.parametrize(
    ("action", "asked", "meant"),
    [
        ("change_budget", 12, [("revise", False)]),
        ("ask_again", 12, [("revise", False)]),
        ("sign_contract", 7, [("revise", True)]),
        ("sign_contract", 12, [("revise", False)]),  # it raises a line of the budget
        ("pay_instalment", 7, []),
    ],
)
def test_departments_are_asked_by_whatever_put_it_to_them(
    action: str, asked: int, meant: list[Any]
) -> None:
    assert heard(action, asked_revision=asked) == meant


def test_what_is_still_asked_about_an_award_that_ended_is_cancelled() -> None:
    """Else departments would owe an opinion about nothing."""
    over = "STATE_TERMINATED"
    open_ = heard("terminate", over, asked_revision=11, judged_revision=7)
    assert [action for action, _ in open_] == ["cancel"]
    assert not heard("terminate", over, asked_revision=11, judged_revision=11)

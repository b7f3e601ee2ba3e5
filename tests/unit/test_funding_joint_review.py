"""What the departments say of an application counts for the revision that they were asked about, and for no later one."""

import datetime
from dataclasses import replace
from typing import Any

import pytest

from kernel.case import Role
from kernel.dates import ONE_DAY, from_date
from kernel.errors import Invalid, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from luoshu.journal.v1.journal_pb2 import Person
from services.funding.application import check
from tests.unit.funding_world import (
    CALLERS,
    FEN,
    NAME,
    NOTICE_END,
    PATH,
    THIRD_UNIT,
    A,
    World,
    application,
    day,
    plan,
    programme,
    refused,
    started,
    unit,
    world,
)

AGREED = pb.JOINT_REVIEW_OUTCOME_AGREED
OBJECTED = pb.JOINT_REVIEW_OUTCOME_OBJECTED
SILENT = pb.JOINT_REVIEW_OUTCOME_WITHDRAWN
CHANGES: dict[str, dict[str, Any]] = {
    "change_person": {"principal_investigator": Person(name="李四")},
    "change_unit": {"unit": unit(THIRD_UNIT)},
    "change_end_date": {"end_date": day(900)},
    "change_budget": {"budget": [pb.BudgetLine(category="材料费", amount_fen=FEN)]},
}


def changed(outcome: "pb.JointReviewOutcome.ValueType | None" = None) -> World:
    """Return a world with a change of the budget, and what the departments said of it."""
    there = started()
    there.do(NAME, "change_budget")
    if outcome is not None:
        there.do(NAME, "conclude_joint_review", outcome=outcome)
    return there


@pytest.mark.parametrize("action", CHANGES)
def test_from_the_moment_of_a_change_nothing_is_paid_until_the_departments_agree(
    action: str,
) -> None:
    """No event has to arrive first."""
    there = started()
    there.do(NAME, action, **CHANGES[action])
    with refused(Refused, "REVIEW_OPEN"):
        there.do(NAME, "pay_instalment")
    there.do(NAME, "conclude_joint_review")
    assert there.do(NAME, "pay_instalment").paid_fen


def test_a_second_change_lifts_no_objection() -> None:
    there = changed(OBJECTED)
    with refused(Refused, "CHANGE_OBJECTED"):
        there.do(NAME, "pay_instalment")
    for action in CHANGES:
        there.do(NAME, action, **CHANGES[action])
        with refused(Refused, "REVIEW_OPEN"):
            there.do(NAME, "pay_instalment")
    there.do(NAME, "conclude_joint_review", outcome=OBJECTED)
    with refused(Refused, "CHANGE_OBJECTED"):
        there.do(NAME, "pay_instalment")


def test_silence_that_is_no_consent_pays_nothing() -> None:
    with refused(Refused, "CHANGE_UNANSWERED"):
        changed(SILENT).do(NAME, "pay_instalment")


def test_an_answer_about_an_earlier_revision_is_not_taken_for_the_newest() -> None:
    there = changed()
    earlier = there.records[NAME].joint_review.asked_revision
    there.do(NAME, "change_budget", budget=[pb.BudgetLine(category="差旅费", amount_fen=FEN)])
    with refused(Refused, "REVIEW_OUTDATED"):
        there.do(NAME, "conclude_joint_review", basis_revision=earlier)
    with refused(Refused, "REVIEW_OPEN"):
        there.do(NAME, "pay_instalment")


def test_before_the_award_too_an_answer_about_an_earlier_text_moves_nothing() -> None:
    """The last opinion and the completion crossed."""
    there = world()
    there.walk(NAME, "open_joint_review")
    judged = there.records[NAME].joint_review.asked_revision
    there.do(NAME, "request_completion", reason="请补充")
    there.do(NAME, "resubmit")
    with refused(Refused, "REVIEW_OUTDATED"):
        there.do(NAME, "conclude_joint_review", basis_revision=judged)
    assert there.do(NAME, "conclude_joint_review").state == A.STATE_JOINTLY_REVIEWED


def test_an_answer_that_comes_after_the_acceptance_still_holds_the_last_payment() -> None:
    there = changed()
    for action in ("submit_for_acceptance", "conclude_acceptance"):
        there.do(NAME, action)
    with refused(Refused, "REVIEW_OPEN"):
        there.do(NAME, "pay_instalment")
    there.do(NAME, "conclude_joint_review", outcome=OBJECTED)
    there.do(NAME, "evaluate")
    with refused(Refused, "CHANGE_OBJECTED"):
        there.do(NAME, "pay_instalment")
    assert there.do(NAME, "close").released_fen == FEN


def test_an_objection_cannot_be_set_aside_for_the_department() -> None:
    there = changed(OBJECTED)
    payment = pb.ELIGIBILITY_STAGE_PAYMENT
    with refused(Refused, "NOT_OVERRIDABLE"):
        there.do(NAME, "request_override", rule="departments-agreed", stage=payment, reason="急")


def test_an_objected_award_can_be_terminated() -> None:
    ended = changed(OBJECTED).do(NAME, "terminate")
    assert (ended.state, ended.released_fen) == (A.STATE_TERMINATED, FEN)


def test_who_objected_is_asked_again_and_who_agreed_is_not() -> None:
    for outcome in (OBJECTED, SILENT):
        there = changed(outcome)
        there.do(NAME, "ask_again")
        with refused(Refused, "REVIEW_OPEN"):
            there.do(NAME, "pay_instalment")
        with refused(Refused, "NOTHING_TO_ASK"):  # it is asked
            there.do(NAME, "ask_again")
        told = there.do(NAME, "conclude_joint_review")
        assert [change.joint_review_outcome for change in told.changes] == [AGREED]
    with refused(Refused, "NOTHING_TO_ASK"):
        there.do(NAME, "ask_again")


def test_what_an_earlier_change_was_answered_with_stays() -> None:
    there = changed(OBJECTED)
    there.do(NAME, "change_budget", budget=[pb.BudgetLine(category="差旅费", amount_fen=FEN)])
    told = there.do(NAME, "conclude_joint_review")
    assert [change.joint_review_outcome for change in told.changes] == [OBJECTED, AGREED]


def test_a_delay_can_be_taken_back_until_it_is_agreed_to() -> None:
    for outcome in (None, OBJECTED):
        there = started()
        there.do(NAME, "change_end_date")
        if outcome:
            there.do(NAME, "conclude_joint_review", outcome=outcome)
        with refused(Invalid, "DATE_TOO_EARLY"):
            there.do(NAME, "change_end_date", end_date=day(799))
        assert there.do(NAME, "change_end_date", end_date=day(800)).end_date == day(800)
    there.do(NAME, "change_end_date")
    there.do(NAME, "conclude_joint_review")
    with refused(Invalid, "DATE_TOO_EARLY"):
        there.do(NAME, "change_end_date", end_date=day(800))


def test_a_contract_that_cuts_the_budget_is_put_to_nobody_and_one_that_raises_a_line_is() -> None:
    for fen, raised in ((FEN // 2, False), (FEN // 4, True)):
        there = world()
        record = there.records[NAME]
        record.ClearField("budget")
        for category in ("设备费", "业务费"):
            record.budget.add(category=category, amount_fen=FEN // 2)
        there.walk(NAME, "approve")
        lines = [("设备费", fen), ("业务费", FEN - fen)]
        budget = [pb.BudgetLine(category=c, amount_fen=f) for c, f in lines]
        there.do(NAME, "sign_contract", budget=budget, instalments=plan(FEN))
        if raised:
            with refused(Refused, "REVIEW_OPEN"):
                there.do(NAME, "pay_instalment")
        else:
            assert there.do(NAME, "pay_instalment").paid_fen


def test_where_no_department_was_asked_a_change_waits_for_nobody() -> None:
    there = started()
    there.records[NAME].ClearField("joint_review")
    there.do(NAME, "change_budget")
    assert there.do(NAME, "pay_instalment").paid_fen


def test_what_is_imported_was_put_to_no_department_here() -> None:
    row = application(state=A.STATE_IN_PROGRESS)
    row.joint_review.round = row.joint_review.asked_revision = 1
    case = world().case(importing=True)
    check(row, case)
    assert not row.joint_review.asked_revision
    bare = application(state=A.STATE_IN_PROGRESS)
    check(bare, case)
    assert not bare.HasField("joint_review")


# Where no department is asked.


def unasked() -> World:
    """Return a world in which the notice of an application is over about which no department was asked."""
    there = world().put(programme(joint_review_waived=True))
    there.walk(NAME, "record_expert_review")
    there.do(NAME, "publish_notice")
    there.today = NOTICE_END + ONE_DAY
    return there


def test_an_award_waits_until_the_text_was_compared_with_all_others() -> None:
    there = unasked()
    with refused(Refused, "NOT_COMPARED"):
        there.do(NAME, "approve")
    there.do(NAME, "follow_comparison", compared_revision=there.records[NAME].revision)
    assert there.do(NAME, "approve").approved_fen


def test_a_comparison_of_an_earlier_submission_is_not_that_of_this_one() -> None:
    there = unasked()
    earlier = there.records[NAME].revision
    there.do(NAME, "request_completion", reason="请补充", complete_by=day(40))
    for action in PATH[: PATH.index("open_joint_review")]:
        there.do(NAME, action)
    there.do(NAME, "publish_notice")
    with refused(Refused, "COMPARISON_OUTDATED"):
        there.do(NAME, "follow_comparison", compared_revision=earlier)


def test_two_persons_set_the_comparison_aside_when_it_does_not_come() -> None:
    there = unasked()
    said = {"rule": "duplicates-decided", "stage": pb.ELIGIBILITY_STAGE_APPROVAL, "reason": "停机"}
    there.do(NAME, "request_override", **said)
    second = replace(CALLERS[Role.APPROVER], actor="accounts/second")
    there.do(NAME, "decide_override", second, number=1, granted=True, reason="同意")
    assert there.do(NAME, "approve").approved_fen


# On which day money was paid.


@pytest.mark.parametrize(("back", "ok"), [(4, True), (5, True), (6, False)])
def test_a_payment_is_recorded_within_five_working_days(back: int, ok: bool) -> None:
    there = started()
    there.records[NAME].contract.date.CopyFrom(day(0))
    there.today = datetime.date(
        2026, 4, 30
    )  # a Thursday; on the Monday two weeks before nothing is off
    paid = there.pack.add_working_days(there.today, -back).date
    if ok:
        assert there.do(NAME, "pay_instalment", paid_date=from_date(paid)).paid_fen
        return
    with refused(Invalid, "PAID_TOO_LONG_AGO"):
        there.do(NAME, "pay_instalment", paid_date=from_date(paid))


def test_a_payment_is_not_dated_back_before_a_sanction() -> None:
    there = started()
    there.records[NAME].contract.date.CopyFrom(day(0))
    began = there.today
    there.put(
        pb.Sanction(
            name="sanctions/s1",
            title="科研失信",
            unit=there.records[NAME].applicant_unit,
            from_date=from_date(began),
            to_date=from_date(began + ONE_DAY),
            state=pb.Sanction.State.STATE_IMPOSED,
        )
    )
    said = {"paid_date": from_date(began - ONE_DAY)}
    with refused(Refused, "SANCTIONED") as told:
        there.do(NAME, "pay_instalment", **said)
    assert f"sanctions on {began}" in told.value.en
    assert f"{began}不符合" in told.value.zh
    there.today = began + ONE_DAY * 2  # over
    with refused(Refused, "SANCTIONED") as told:
        there.do(NAME, "pay_instalment", paid_date=from_date(began))
    assert f"sanctions on {began}" in told.value.en
    assert there.do(NAME, "pay_instalment").paid_fen

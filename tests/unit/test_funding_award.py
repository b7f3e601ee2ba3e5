"""Contract, payments, changes and the end: sums hold, vouchers pay once, rests go back."""

from typing import Any

import pytest

from kernel.case import Role
from kernel.errors import Denied, Invalid, NotFound, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.money import awarded, remaining
from tests.unit.funding_world import (
    CALLERS,
    FEN,
    NAME,
    OTHER_UNIT,
    PROGRAMME_NAME,
    THIRD_UNIT,
    UNIT,
    A,
    World,
    application,
    call,
    contracted,
    day,
    noticed,
    plan,
    refused,
    unit,
    world,
)


@pytest.mark.parametrize(
    ("instalments", "code"),
    [
        (plan(FEN - 1), "SUM_DIFFERS"),
        (plan(FEN, 1), "SUM_DIFFERS"),
        (plan(FEN, 0), "INSTALMENTS_UNORDERED"),
        ([pb.Instalment(number=2, amount_fen=FEN)], "INSTALMENTS_UNORDERED"),
    ],
)
def test_instalments_are_in_order_and_sum_to_the_award(
    instalments: list[pb.Instalment], code: str
) -> None:
    there = world()
    there.walk(NAME, "approve")
    with refused(Invalid, code):
        there.do(NAME, "sign_contract", instalments=instalments)


def test_a_contract_takes_plans_and_no_payments() -> None:
    there = world()
    there.walk(NAME, "approve")
    paid = pb.Instalment(number=1, amount_fen=FEN, paid_fen=FEN, voucher="V", released_fen=1)
    signed = there.do(NAME, "sign_contract", instalments=[paid])
    assert signed.instalments[0] == pb.Instalment(number=1, amount_fen=FEN)
    assert remaining(signed) == FEN


def test_a_smaller_award_needs_its_own_budget() -> None:
    there = noticed()
    there.do(NAME, "approve", approved_fen=FEN // 2)
    with refused(Invalid, "SUM_DIFFERS"):
        there.do(NAME, "sign_contract", instalments=plan(FEN // 2))
    lines = [pb.BudgetLine(category="设备费", amount_fen=FEN // 2)]
    signed = there.do(NAME, "sign_contract", instalments=plan(FEN // 2), budget=lines)
    assert signed.state == A.STATE_CONTRACTED


def test_an_instalment_is_paid_to_the_last_fen_and_not_over() -> None:
    there = contracted()
    first = FEN - FEN // 4
    there.do(NAME, "pay_instalment", amount_fen=first - 1)
    with refused(Refused, "OVERPAID"):
        there.do(NAME, "pay_instalment", amount_fen=2, voucher="V-2")
    paid = there.do(NAME, "pay_instalment", amount_fen=1, voucher="V-2")
    assert paid.paid_fen == paid.instalments[0].paid_fen == first
    assert awarded(paid) == paid.paid_fen + remaining(paid) == FEN
    assert there.records[PROGRAMME_NAME].commitments[0].paid_fen == first


def test_a_voucher_pays_once() -> None:
    there = contracted()
    there.do(NAME, "pay_instalment", amount_fen=1)
    with refused(Refused, "VOUCHER_USED"):
        there.do(NAME, "pay_instalment", number=2, amount_fen=1)


def test_a_voucher_of_an_earlier_part_of_an_instalment_pays_nothing_more() -> None:
    there = contracted()
    there.do(NAME, "pay_instalment", amount_fen=1, voucher="V-1")
    there.do(NAME, "pay_instalment", amount_fen=1, voucher="V-2")
    for number in (1, 2):
        with refused(Refused, "VOUCHER_USED"):
            there.do(NAME, "pay_instalment", number=number, amount_fen=1, voucher="V-1")


def test_an_instalment_that_is_not_agreed_is_not_paid() -> None:
    with refused(NotFound, "NOT_FOUND"):
        contracted().do(NAME, "pay_instalment", number=3)


@pytest.mark.parametrize(("offset", "code"), [(9, "DATE_IN_FUTURE"), (7, "DATES_REVERSED")])
def test_a_payment_lies_between_contract_and_today(offset: int, code: str) -> None:
    with refused(Invalid, code):
        contracted().do(NAME, "pay_instalment", paid_date=day(offset))


def test_only_a_finance_officer_pays() -> None:
    with refused(Denied, "ROLE_MISSING"):
        contracted().do(NAME, "pay_instalment", CALLERS[Role.CASE_OFFICER])


def test_the_last_instalment_may_follow_the_acceptance() -> None:
    there = world()
    there.walk(NAME, "evaluate")
    paid = there.do(NAME, "pay_instalment", number=2, amount_fen=FEN // 4, voucher="V-2")
    assert paid.state == A.STATE_EVALUATED
    assert there.do(NAME, "close").released_fen == 0


def in_progress(**more: Any) -> World:
    there = world().put(application(**more))
    there.walk(NAME, "sign_contract")
    there.do(NAME, "start")
    return there


def test_a_new_investigator_leaves_the_old_ones_pseudonym_on_record() -> None:
    changed = in_progress().do(NAME, "change_person")
    assert changed.principal_investigator.name == "李四"
    assert changed.changes[0].before == "ps1-1"
    assert changed.changes[0].document_number


def test_a_delay_is_a_later_day() -> None:
    there = in_progress()
    with refused(Invalid, "DATE_TOO_EARLY"):
        there.do(NAME, "change_end_date", end_date=day(800))
    delayed = there.do(NAME, "change_end_date", end_date=day(801))
    assert delayed.end_date == day(801)
    assert delayed.changes[0].kind == pb.CHANGE_KIND_DELAY


def test_a_changed_budget_still_sums_to_the_award() -> None:
    there = in_progress()
    lines = [pb.BudgetLine(category="材料费", amount_fen=FEN + 1)]
    with refused(Invalid, "SUM_DIFFERS"):
        there.do(NAME, "change_budget", budget=lines)
    changed = there.do(NAME, "change_budget")
    assert (changed.changes[0].before, changed.changes[0].after) == (
        "设备费 100,000.00",
        "材料费 100,000.00",
    )


def test_a_unit_joins_is_replaced_and_leaves() -> None:
    there = in_progress()
    there.do(NAME, "change_unit")
    there.do(NAME, "change_unit", leaving_code=OTHER_UNIT, unit=unit(THIRD_UNIT))
    assert [u.code for u in there.records[NAME].consortium] == [THIRD_UNIT]
    alone = there.do(NAME, "change_unit", leaving_code=THIRD_UNIT, unit=None)
    assert not alone.consortium
    assert len(alone.changes) == 3


def test_a_member_that_takes_the_lead_owns_the_record_and_is_no_member_besides() -> None:
    there = in_progress(consortium=[unit()])
    changed = there.do(NAME, "change_unit", leaving_code=UNIT, unit=unit())
    assert changed.applicant_unit.code == changed.owner_unit == OTHER_UNIT
    assert not changed.consortium


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"leaving_code": THIRD_UNIT}, "UNIT_UNKNOWN"),
        ({"leaving_code": "", "unit": None}, "UNIT_UNKNOWN"),
        ({"leaving_code": UNIT, "unit": None}, "REQUIRED"),
        ({"unit": unit(UNIT)}, "UNIT_TWICE"),
    ],
)
def test_a_change_of_units_that_makes_no_sense_is_refused(said: dict[str, Any], code: str) -> None:
    with refused(Invalid, code):
        in_progress().do(NAME, "change_unit", **said)


def test_a_unit_cannot_leave_a_consortium_that_would_be_too_small() -> None:
    there = in_progress(consortium=[unit()])
    there.put(call(consortium_min=2))
    with refused(Refused, "CONSORTIUM_SIZE"):
        there.do(NAME, "change_unit", leaving_code=OTHER_UNIT, unit=None)


def test_a_list_that_is_full_takes_nothing_more() -> None:
    there = in_progress()
    for _ in range(20):
        there.do(NAME, "record_mid_term")
    with refused(Refused, "LIST_FULL"):
        there.do(NAME, "record_mid_term")


def test_a_failed_acceptance_may_be_repeated() -> None:
    there = world()
    there.walk(NAME, "submit_for_acceptance")
    failed = there.do(NAME, "conclude_acceptance", result=pb.CHECK_RESULT_FAILED)
    assert failed.state == A.STATE_ACCEPTANCE_FAILED
    again = there.do(NAME, "submit_for_acceptance")
    assert not again.acceptance.result


def test_a_termination_releases_what_was_not_paid() -> None:
    there = contracted()
    there.do(NAME, "pay_instalment", amount_fen=10)
    ended = there.do(NAME, "terminate")
    assert (ended.paid_fen, ended.released_fen, ended.committed_fen) == (10, FEN - 10, 10)
    assert (awarded(ended), remaining(ended)) == (10, 0)
    entry = there.records[PROGRAMME_NAME].commitments[0]
    assert (entry.committed_fen, entry.paid_fen) == (10, 10)


def test_no_more_comes_back_than_was_paid() -> None:
    there = contracted()
    there.do(NAME, "pay_instalment", amount_fen=10)
    there.do(NAME, "revoke")
    there.do(NAME, "recover", amount_fen=9)
    with refused(Refused, "OVER_RECOVERED"):
        there.do(NAME, "recover", amount_fen=2)
    whole = there.do(NAME, "recover", amount_fen=1)
    assert whole.recovered_fen == 10
    assert [r.amount_fen for r in whole.recoveries] == [9, 1]
    assert there.records[PROGRAMME_NAME].commitments[0].recovered_fen == 10


def test_a_closed_award_can_still_be_revoked_and_recovered() -> None:
    there = world()
    there.walk(NAME, "close")
    there.do(NAME, "revoke")
    assert there.do(NAME, "recover").recovered_fen == 1

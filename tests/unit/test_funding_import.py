"""Historical rows: what a source lacks is not demanded, what would corrupt is refused."""

from typing import Any

import pytest

from kernel.errors import Invalid, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.domain import APPLICATION, PROGRAMME
from services.funding.money import awarded, remaining
from tests.unit.fake_case import checked
from tests.unit.funding_world import (
    CALL_NAME,
    PROGRAMME_NAME,
    YEAR,
    A,
    World,
    plan,
    programme,
    refused,
    unit,
    world,
)


def imported(**more: Any) -> pb.Application:
    row = pb.Application(
        name="applications/sbir-4",
        title="Open Interactive Data Analytics",
        applicant_unit=pb.Unit(name="Kitware, Inc.", foreign_id="DUNS:010926207"),
        state=A.STATE_CONTRACTED,
        currency="USD",
        approved_fen=149_998_00,
    )
    row.MergeFrom(pb.Application(**more))
    new: pb.Application = checked(APPLICATION, row, world().case(importing=True))
    return new


def test_a_historical_award_needs_neither_call_nor_code() -> None:
    row = imported()
    assert (row.currency, row.approved_fen, row.committed_fen) == ("USD", 149_998_00, 0)
    assert awarded(row) == row.paid_fen + remaining(row)


def test_a_historical_award_takes_what_its_call_says() -> None:
    row = imported(call=CALL_NAME)
    assert (row.programme, row.year, row.lead_department) == (PROGRAMME_NAME, YEAR, "DST")


def test_a_historical_award_is_paid_without_a_ceiling_here() -> None:
    there = world()
    row = imported(call=CALL_NAME, instalments=plan(149_998_00), lead_department="DST")
    paid = there.put(row).do(row.name, "pay_instalment", amount_fen=5)
    assert paid.paid_fen == 5
    assert not there.records[PROGRAMME_NAME].commitments


def test_a_historical_row_without_a_home_goes_no_further_here() -> None:
    row = imported(state=A.STATE_EXPERT_REVIEWED, lead_department="DST")
    with refused(Refused, "NO_HOME"):
        world().put(row).do(row.name, "publish_notice")


@pytest.mark.parametrize(
    "more",
    [
        {"instalments": plan(1)},
        {"instalments": [pb.Instalment(number=1, amount_fen=149_998_00, paid_fen=149_998_01)]},
        {"paid_fen": 149_998_01},
        {"paid_fen": 1, "recovered_fen": 2},
    ],
)
def test_amounts_that_do_not_add_up_are_not_imported(more: dict[str, Any]) -> None:
    with refused(Invalid, "SUM_DIFFERS"):
        imported(**more)


def test_a_wrong_credit_code_is_not_imported() -> None:
    with refused(Invalid, "CREDIT_CODE_INVALID"):
        imported(consortium=[unit("914403001922038217")])


def test_a_historical_programme_is_not_over_its_ceiling() -> None:
    full = programme(commitments=[pb.Commitment(year=YEAR, committed_fen=1_000_000_000)])
    entered = checked(PROGRAMME, full, World().case(importing=True))
    opening = {"committed_fen": 1_000_000_000, "opening_committed_fen": 1_000_000_000}
    assert list(entered.commitments) == [pb.Commitment(year=YEAR, **opening)]
    over = programme(commitments=[pb.Commitment(year=YEAR, committed_fen=1_000_000_001)])
    with refused(Invalid, "CEILING_EXCEEDED"):
        checked(PROGRAMME, over, World().case(importing=True))

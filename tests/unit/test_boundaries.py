"""Every rule of the pack is tried at its boundary: a new one without a test fails here."""

import re

import pytest

from app.settings import ROOT
from tests.unit import (  # noqa: F401 - what they try is counted when they are read
    test_boundaries_eligibility,
    test_boundaries_reviews,
    test_boundaries_rules,
)
from tests.unit.boundaries import PACK, TRIED, numbers

ELSEWHERE = {
    "rules/payment-record-working-days": "unit/test_funding_joint_review.py::test_a_payment_is_recorded_within_five_working_days",
    "rules/bid-reveal-working-days": "unit/test_technologies_sealing.py::"
    "test_bids_are_revealed_to_the_end_of_the_last_working_day",
    "rules/bidding-days": "unit/test_technologies_window.py::test_a_bidding_takes_as_many_days_as_the_pack_says",
    "rules/erasure-persons": "service/test_erasure.py::test_it_takes_two_persons_of_different_roles",
    "rules/audit-witnesses": "unit/test_audit_policy.py::test_with_too_few_witnesses_there_is_no_quorum",
}
"""What needs the world of another test file."""


def test_every_rule_and_number_of_the_pack_is_tried_at_its_boundary() -> None:
    known = set(numbers(PACK))
    assert known - TRIED - ELSEWHERE.keys() == set(), "write a test, and say so with @tries"
    assert (TRIED | ELSEWHERE.keys()) - known == set(), "the pack has no such rule any more"


@pytest.mark.parametrize("place", ELSEWHERE.values())
def test_what_is_tried_elsewhere_is_there(place: str) -> None:
    path, _, name = place.partition("::")
    text = (ROOT / "tests" / path).read_text("utf-8")
    assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE)

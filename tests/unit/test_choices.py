"""A choice that ends a record, or frees it, is made and not forgotten: the contract demands it."""

from typing import Any

import protovalidate
import pytest

from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.platforms.v1 import platforms_pb2 as platforms
from luoshu.technologies.v1 import technologies_pb2 as technologies

CONTRACTS = (platforms, technologies, funding)
OPENS = {"validate_only", "terminate"}
"""Choices whose absence changes nothing for good."""
PLATFORM, APPLICATION = {"name": "platforms/a"}, {"name": "applications/a"}
CHOICES = [
    (platforms.RecordExpertReviewPlatformRequest, PLATFORM, "passed"),
    (platforms.RecordSiteVisitPlatformRequest, PLATFORM, "passed"),
    (platforms.ResolveObjectionPlatformRequest, PLATFORM, "upheld"),
    (funding.RecordExpertReviewApplicationRequest, APPLICATION, "recommended"),
    (funding.ResolveObjectionApplicationRequest, APPLICATION, "upheld"),
]


def violated(message: Any) -> set[str]:
    """Return the fields that the contract finds wrong."""
    found = protovalidate.collect_violations(message)
    paths = [violation.proto.field for violation in found]
    return {path.elements[0].field_name for path in paths if path is not None}


@pytest.mark.parametrize(("request_type", "said", "field"), CHOICES)
def test_a_choice_that_is_not_made_is_refused_and_a_no_is_a_choice(
    request_type: Any, said: dict[str, str], field: str
) -> None:
    assert field in violated(request_type(**said))
    assert field not in violated(request_type(**said, **{field: False}))


def test_a_bid_is_not_scored_with_nothing_by_mistake() -> None:
    asked = technologies.ScoreBidBreakthroughRequest
    assert "score" in violated(asked(name="breakthroughs/a", bid="b1"))
    assert "score" not in violated(asked(name="breakthroughs/a", bid="b1", score=0))


def actions() -> list[Any]:
    """Return the request of every RPC that changes something."""
    methods = [
        method
        for contract in CONTRACTS
        for service in contract.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]
    return [m.input_type for m in methods if "validate_only" in m.input_type.fields_by_name]


@pytest.mark.parametrize("request_type", actions(), ids=lambda each: each.name)
def test_no_action_has_a_yes_or_no_that_can_be_forgotten(request_type: Any) -> None:
    flags = [f for f in request_type.fields if f.type == f.TYPE_BOOL and f.name not in OPENS]
    assert [f.name for f in flags if not f.has_presence] == []


@pytest.mark.parametrize("request_type", actions(), ids=lambda each: each.name)
def test_no_action_has_an_outcome_that_can_be_forgotten(request_type: Any) -> None:
    empty = violated(request_type._concrete_class())
    outcomes = ("verdict", "result", "outcome", "grade", "decision")
    assert [f.name for f in request_type.fields if f.name in outcomes and f.name not in empty] == []

"""One platform of some kinds a sub-field in the province: from the day on which the pack says so."""

from dataclasses import replace
from typing import Any

import pytest

from kernel.dates import ONE_DAY, from_date
from kernel.pack import Kind, Register
from luoshu.platforms.v1 import platforms_pb2 as pb
from tests.unit.fake_case import TODAY, FakeCase
from tests.unit.platforms_story import PACK, S, act, platform, refusal

KIND = next(kind for kind in PACK.kinds if kind.id == "equipped")
ONLY = replace(KIND, id="only", one_per_subfield=True, requirements=(), skips=("recommendation",))


def case(*others: pb.Platform, kinds: tuple[Kind, ...] = (ONLY,)) -> FakeCase:
    pack = replace(PACK, kinds=Register(Kind.NOUN, kinds))
    return FakeCase(pack=pack, records={other.name: other for other in others})


def applying(**more: Any) -> pb.Platform:
    return platform(**{"kind": "only", "sub_field": "固态电池", **more})


def standing(state: int = S.STATE_OPERATING, **more: Any) -> pb.Platform:
    said = {"name": "platforms/first", "title": "某中心", "kind": "only", "sub_field": "固态 电池"}
    return platform(state, **{**said, **more})


def test_a_sub_field_that_is_held_takes_no_second_platform() -> None:
    error = refusal(lambda: act(applying(), "submit", case(standing())))
    assert error.code == "SUB_FIELD_TAKEN"
    assert "platforms/first" in error.en


@pytest.mark.parametrize(
    "other",
    [
        standing(S.STATE_REVOKED),
        standing(S.STATE_SUBMITTED),
        standing(sub_field="钠离子电池"),
        standing(kind="lab"),
    ],
)
def test_a_sub_field_is_free_where_nobody_of_the_kind_stands(other: pb.Platform) -> None:
    assert act(applying(), "submit", case(other)).state == S.STATE_SUBMITTED


def test_the_sub_field_is_asked_for_where_there_is_one_of_each() -> None:
    assert refusal(lambda: act(applying(sub_field=" "), "submit", case())).field == "sub_field"


def test_the_sub_field_is_asked_again_when_the_platform_is_set_up() -> None:
    noticed = act(applying(), "submit", case())
    noticed.state = S.STATE_IN_PUBLIC_NOTICE
    noticed.public_notice.SetInParent()
    noticed.expert_reviews.add(review_date=from_date(TODAY))
    assert refusal(lambda: act(noticed, "recognize", case(standing()))).code == "SUB_FIELD_TAKEN"
    assert act(noticed, "recognize", case()).state == S.STATE_RECOGNIZED


@pytest.mark.parametrize(("offset", "free"), [(-1, True), (0, False)])
def test_the_rule_holds_from_its_first_day(offset: int, free: bool) -> None:
    first = TODAY - ONE_DAY * offset
    kinds = (
        replace(ONLY, one_per_subfield=False, valid_to=first - ONE_DAY),
        replace(ONLY, valid_from=first),
    )
    there = case(standing(), kinds=kinds)
    if free:
        assert act(applying(), "submit", there).state == S.STATE_SUBMITTED
    else:
        assert refusal(lambda: act(applying(), "submit", there)).code == "SUB_FIELD_TAKEN"

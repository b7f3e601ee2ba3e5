"""Counting towards the targets."""

import datetime
from decimal import Decimal
from typing import Any

import pytest

from kernel.pack import Counting
from luoshu.reports.v1 import reports_pb2 as pb
from services.reports.board import forecast, standing
from services.reports.counting import Candidate, countable, counted
from tests.service.reports_story import pack

DAY = datetime.date(2026, 11, 30)


def rule(target: str) -> Counting:
    return pack().plan("henan-2025-38").target(target).counting


def candidate(key: str, **fields: Any) -> Candidate:
    """A key laboratory that was recognised in November 2026, unless said otherwise."""
    usual: dict[str, Any] = {
        "record": f"platforms/{key}",
        "title": key,
        "state": "STATE_OPERATING",
        "kind": "key-laboratory",
        "level": "LEVEL_PROVINCIAL",
        "successors": (),
        "reached": "",
        "day": "2026-11-10",
        "source": "platforms",
        "position": 1,
    }
    return Candidate(**(usual | fields))


def names(*candidates: Candidate, target: str = "T3") -> list[str]:
    found = counted(rule(target), candidates, pack(), DAY)
    return [record.record.partition("/")[2] for record in found]


def test_a_platform_counts_from_the_plans_first_day_on() -> None:
    assert names(candidate("on", day="2025-08-12"), candidate("before", day="2025-08-11")) == ["on"]


@pytest.mark.parametrize("state", ["STATE_REVOKED", "STATE_DRAFT", "STATE_IN_PUBLIC_NOTICE"])
def test_a_platform_does_not_count_while(state: str) -> None:
    assert names(candidate("a", state=state)) == []


def test_an_unclassified_import_never_counts() -> None:
    assert names(candidate("ror", kind="unclassified", level="")) == []
    assert names(candidate("ror", kind="unclassified", level="LEVEL_NATIONAL")) == []


def test_a_kind_that_the_pack_lacks_never_counts() -> None:
    assert names(candidate("a", kind="no-such-kind")) == []


def test_a_municipal_platform_does_not_count() -> None:
    assert names(candidate("city", level="LEVEL_MUNICIPAL"), candidate("silent", level="")) == [
        "silent"
    ]


def test_a_platform_without_a_day_of_recognition_does_not_count() -> None:
    assert names(candidate("a", day="")) == []


def test_merged_platforms_count_once_as_the_one_that_lives_on() -> None:
    into = ("platforms/c",)
    merged = [candidate(k, state="STATE_MERGED", successors=into) for k in ("a", "b")]
    assert names(*merged, candidate("c")) == ["c"]


def test_merged_platforms_count_once_where_the_one_that_lives_on_is_older_than_the_plan() -> None:
    into = ("platforms/old",)
    merged = [candidate(k, state="STATE_MERGED", successors=into) for k in ("a", "b")]
    assert names(*merged, candidate("old", day="2019-01-01")) == ["a"]


def test_a_chain_of_mergers_counts_once() -> None:
    first = candidate("a", state="STATE_MERGED", successors=("platforms/b",))
    second = candidate("b", day="2020-01-01", state="STATE_MERGED", successors=("platforms/c",))
    assert names(first, second, candidate("c")) == ["c"]


def test_a_split_platform_counts_once() -> None:
    split = candidate("a", state="STATE_SPLIT", successors=("platforms/b", "platforms/c"))
    assert names(split, candidate("b"), candidate("c")) == ["b"]


def test_links_in_a_circle_end() -> None:
    one = candidate("a", state="STATE_MERGED", successors=("platforms/b",))
    other = candidate("b", state="STATE_MERGED", successors=("platforms/a",))
    assert names(one, other) == ["a"]


def test_the_order_of_the_records_makes_no_difference() -> None:
    records = [
        candidate("a", state="STATE_MERGED", successors=("platforms/c",)),
        candidate("b", state="STATE_MERGED", successors=("platforms/c",)),
        candidate("c", day="2019-01-01"),
        candidate("d"),
    ]
    assert names(*records) == names(*reversed(records))


def test_a_breakthrough_counts_when_its_target_is_reached() -> None:
    reached = candidate("yes", reached="TARGET_REACHED", kind="", level="")
    missed = candidate("no", reached="TARGET_NOT_REACHED", kind="", level="")
    assert names(reached, missed, target="T4") == ["yes"]


def test_only_what_the_facts_hold_can_be_counted() -> None:
    countables = {t.id for t in pack().plan("henan-2025-38").targets if countable(t.counting)}
    assert countables == {"T3", "T4"}


@pytest.mark.parametrize(
    ("operator", "number", "expected"),
    [
        (pb.OPERATOR_ABOUT, 49, pb.STANDING_BELOW),
        (pb.OPERATOR_ABOUT, 50, pb.STANDING_REACHED),
        (pb.OPERATOR_ABOUT, 51, pb.STANDING_ABOVE),
        (pb.OPERATOR_AT_LEAST, 50, pb.STANDING_REACHED),
        (pb.OPERATOR_AT_LEAST, 51, pb.STANDING_REACHED),
        (pb.OPERATOR_MORE_THAN, 50, pb.STANDING_BELOW),
        (pb.OPERATOR_MORE_THAN, 51, pb.STANDING_REACHED),
        (pb.OPERATOR_AT_MOST, 51, pb.STANDING_ABOVE),
        (pb.OPERATOR_LESS_THAN, 50, pb.STANDING_BELOW),
    ],
)
def test_a_number_stands_to_a_target_as_its_operator_says(
    operator: pb.Operator.ValueType, number: int, expected: pb.Standing.ValueType
) -> None:
    assert standing(operator, number, Decimal(50)) == expected


def test_a_forecast_goes_on_at_the_same_pace() -> None:
    since = datetime.date(2027, 1, 1)
    assert forecast(10, since, datetime.date(2027, 3, 14), 2027) == 50  # 73 of 365 days


def test_a_forecast_after_the_plans_end_is_what_was_counted() -> None:
    assert forecast(10, datetime.date(2025, 8, 12), datetime.date(2028, 1, 1), 2027) == 10

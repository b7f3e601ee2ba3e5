"""The pack's rules with one number, each at its number and one beside it."""

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kernel.case import Role
from kernel.dates import ONE_DAY, SHANGHAI, from_date, to_date
from kernel.errors import DomainError
from kernel.pack import Pack
from luoshu.coordination.v1 import coordination_pb2, findings_pb2
from luoshu.technologies.v1 import technologies_pb2 as technologies
from services.audit.hours import Span, off_hours
from services.coordination.duplicates.document import Document
from services.coordination.duplicates.judging import Judge, thresholds
from services.coordination.duplicates.search import Search
from services.coordination.duplicates.weighing import Weights
from services.coordination.inbox import item_of_finding
from services.technologies.publication import check_publishers
from services.technologies.rules import demand_consortium
from services.technologies.sealing import demand_seal
from tests.unit import duplicates_world as duplicates
from tests.unit.boundaries import PACK, tries
from tests.unit.coordination_world import BEFORE_HOLIDAY
from tests.unit.funding_world import CALL_NAME, NAME, call, day, world
from tests.unit.technologies_story import BOILER, OTHER, a_case, listed
from tests.unit.test_duplicates_search import HALF, facts, phase

AROUND = (-1, 0, 1)


def pack_with(rule: str, value: int) -> Pack:
    """Return the pack with another number of one rule."""
    rules = [replace(r, value=value) if r.id == rule else r for r in PACK.rules]
    return replace(PACK, rules=type(PACK.rules)(PACK.rules.get(rule).NOUN, rules))


def ending(act: Any, *arguments: Any) -> str:
    try:
        act(*arguments)
    except DomainError as error:
        return error.code
    return "ok"


# Funding.


@tries("rules/completion-working-days")
def test_what_was_sent_back_is_handed_in_to_the_end_of_its_last_working_day() -> None:
    said = []
    for n in AROUND:
        there = world()
        there.do(NAME, "submit")
        there.do(NAME, "request_completion", reason="请补充")
        last = to_date(there.records[NAME].completion.complete_by)
        assert last == there.pack.add_working_days(there.today, 5).date
        there.put(call(close_date=day(0)))
        there.today = last + ONE_DAY * n
        said.append(ending(there.do, NAME, "submit"))
    assert CALL_NAME
    assert said == ["ok", "ok", "CALL_NOT_OPEN"]
    assert PACK.rule("completion-working-days") == 5


# Coordination.


@tries("rules/finding-working-days")
def test_a_finding_is_late_the_day_after_its_last_working_day() -> None:
    found = findings_pb2.Finding(name="findings/f1", lead_department="DST")
    on = from_date(BEFORE_HOLIDAY)
    asked = coordination_pb2.Review(state=coordination_pb2.Review.STATE_CONCLUDED, conclude_date=on)
    last = PACK.add_working_days(BEFORE_HOLIDAY, PACK.rule("finding-working-days")).date
    days = (PACK.add_working_days(last, -1).date, last, last + ONE_DAY)
    left = [item_of_finding(found, asked, today, PACK).days_left for today in days]
    assert left == [1, 0, -1]


def score(tmp_path: Path, rule: str, first: Any, second: Any) -> list[bool]:
    """Return whether a pair is raised where the threshold is one below its score, at it, and one above."""
    raised = []
    with duplicates.indexed(tmp_path, [first]) as tx:
        (found,) = duplicates.candidates(tx, second).values()
        for n in AROUND:
            search = Search(duplicates.INDEX, pack_with(rule, found.score + n), meanings=None)
            (again,) = search.candidates(tx, Document(second, 99), duplicates.DAY)
            raised.append(again.raised)
    return raised


@tries("rules/duplicate-text-other-unit", "rules/duplicate-text-own-unit")
@pytest.mark.parametrize("whose", ["other", "own"])
def test_a_pair_is_raised_from_the_threshold_of_its_kind_on(tmp_path: Path, whose: str) -> None:
    unit = duplicates.UNIT if whose == "own" else duplicates.OTHER_UNIT
    first = duplicates.application("a", "固态电池", duplicates.BATTERY)
    second = duplicates.application("b", "界面", HALF, unit=unit)
    said = score(tmp_path, f"duplicate-text-{whose}-unit", first, second)
    assert said == [True, True, False]


@tries("rules/duplicate-text-same-facts")
def test_the_same_facts_are_raised_from_their_own_threshold_on(tmp_path: Path) -> None:
    first = facts("a", duplicates.BATTERY, "solid-battery")
    second = facts("b", HALF, "solid-battery")
    assert score(tmp_path, "duplicate-text-same-facts", first, second) == [True, True, False]


@tries("rules/duplicate-meaning")
def test_texts_of_two_languages_are_raised_from_the_threshold_of_meaning_on() -> None:
    one = Document(duplicates.application("a", "固态电池", duplicates.BATTERY))
    other = Document(duplicates.application("b", "Radar", duplicates.RADAR))
    judge = Judge(Weights(2, {}), thresholds(PACK, duplicates.DAY), lambda _: None)
    least = PACK.rule("duplicate-meaning")
    found = [judge.candidates(one, [other], {other.number: least + n})[0].raised for n in AROUND]
    assert found == [False, True, True]


@tries("rules/duplicate-phase-overlap-days")
def test_a_continuation_overlaps_by_the_days_of_the_pack_and_by_no_more(tmp_path: Path) -> None:
    most = PACK.rule("duplicate-phase-overlap-days")
    begins, said = datetime.date(2024, 1, 1), []
    for n in AROUND:
        ends = begins + ONE_DAY * (most + n - 1)
        first = phase("一期", "2022-01-01", ends.isoformat(), state=duplicates.A.STATE_CLOSED)
        folder = tmp_path / str(n)
        folder.mkdir()
        with duplicates.indexed(folder, [first]) as tx:
            second = phase("二期", begins.isoformat(), "2025-12-31", predecessor=first.name)
            said.append(bool(duplicates.raised(tx, second)))
    assert said == [False, False, True]


@tries("rules/continuation-is-no-duplicate")
@pytest.mark.parametrize("value", [0, 1])
def test_a_continuation_is_excused_where_the_pack_says_so(tmp_path: Path, value: int) -> None:
    first = phase("一期", "2022-01-01", "2023-12-31", state=duplicates.A.STATE_CLOSED)
    second = phase("二期", "2024-01-01", "2025-12-31", predecessor=first.name)
    with duplicates.indexed(tmp_path, [first]) as tx:
        search = Search(
            duplicates.INDEX, pack_with("continuation-is-no-duplicate", value), meanings=None
        )
        (found,) = search.candidates(tx, Document(second, 99), duplicates.DAY)
    assert found.raised is (value == 0)


# Technologies.


@tries("rules/consortium-units")
def test_a_consortium_has_the_units_of_the_pack_or_more() -> None:
    least, case = PACK.rule("consortium-units"), a_case(pack=PACK)
    units = [technologies.Unit(name=f"单位{n}") for n in range(least + 1)]
    said = [ending(demand_consortium, units[: least + n], case, "units") for n in AROUND]
    assert said == ["CONSORTIUM_TOO_SMALL", "ok", "ok"]


@tries("rules/open-bid-publishers")
def test_a_list_has_the_publishers_of_the_pack_or_more() -> None:
    least, case = PACK.rule("open-bid-publishers"), a_case(pack=PACK)
    rest = [d.id for d in PACK.departments if d.id != "DST"]
    said = [
        ending(check_publishers, listed(), ["DST", *rest[: least + n - 1]], case) for n in AROUND
    ]
    assert said == ["TOO_FEW_PUBLISHERS", "ok", "ok"]


@tries("rules/sealed-bids")
@pytest.mark.parametrize(("value", "said"), [(0, "ok"), (1, "BIDS_ARE_SEALED")])
def test_bids_are_sealed_where_the_pack_says_so(value: int, said: str) -> None:
    case = a_case(Role.APPLICANT, department=BOILER, pack=pack_with("sealed-bids", value))
    request = technologies.SubmitBidBreakthroughRequest(units=[technologies.Unit(code=OTHER)])
    assert ending(demand_seal, request, case) == said


# Audit.


@tries("rules/office-hours-start", "rules/office-hours-end")
@pytest.mark.parametrize(
    ("rule", "off"),
    [("office-hours-start", [True, False, False]), ("office-hours-end", [False, True, True])],
)
def test_office_hours_begin_and_end_at_their_minute(rule: str, off: list[bool]) -> None:
    midnight = datetime.datetime.combine(BEFORE_HOLIDAY, datetime.time(), SHANGHAI)
    minute = int(midnight.timestamp()) * 1_000_000 + PACK.rule(rule, BEFORE_HOLIDAY) * 60_000_000
    whole = Span(minute - 1_000_000, minute + 1_000_000)
    spans = list(off_hours(PACK, whole))
    said = [any(s.start <= minute + n < s.end for s in spans) for n in AROUND]
    assert said == off

"""Rules of eligibility at their boundaries: of days, of numbers, of what others have said."""

import datetime
from dataclasses import replace
from typing import Any

import pytest

from kernel.dates import ONE_DAY
from kernel.pack import EligibilityRule
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.checks import Stage
from tests.unit.boundaries import PACK, tries
from tests.unit.fake_case import TODAY
from tests.unit.funding_world import (
    NAME,
    OTHER_UNIT,
    THIRD_UNIT,
    A,
    World,
    application,
    call,
    day,
    unit,
    world,
)
from tests.unit.test_funding_eligibility import (
    H,
    broken,
    earlier,
    hold,
    outcome,
    sanction,
)

DATED = [v for rule in PACK.eligibility for v in PACK.eligibility.history(rule.id) if v.valid_from]
AROUND = (-1, 0, 1)
UNITS = (unit(OTHER_UNIT), unit(THIRD_UNIT, "某院"), unit("91110108551385082Q", "某厂"))


def around(there: World, rule: str, stage: Stage, boundary: int = 0) -> list[str]:
    """Return what a rule says the day before, on the day and the day after, by days from the first."""
    return [outcome(there, rule, stage, TODAY + ONE_DAY * (boundary + n)) for n in AROUND]


@pytest.mark.parametrize("rule", DATED, ids=lambda rule: rule.id)
def test_a_rule_is_asked_from_its_first_day_on(rule: EligibilityRule) -> None:
    there, stage = broken(rule)
    first = rule.valid_from or TODAY
    said = [outcome(there, rule.id, stage, first + ONE_DAY * n) for n in AROUND]
    assert said == ["not_applicable", "failed", "failed"]


@tries("eligibility/awards-per-investigator")
def test_one_award_a_year_and_no_second() -> None:
    awards = [earlier(name=f"applications/b{n}") for n in range(2)]
    said = [
        outcome(world().put(*awards[:n]), "awards-per-investigator", Stage.APPROVAL)
        for n in (0, 1, 2)
    ]
    assert said == ["passed", "failed", "failed"]
    years = [earlier(year=TODAY.year + n) for n in AROUND]
    said = [outcome(world().put(y), "awards-per-investigator", Stage.APPROVAL) for y in years]
    assert said == ["passed", "failed", "passed"]


@tries("eligibility/overdue-project-blocks")
@pytest.mark.parametrize("stage", [Stage.SUBMISSION, Stage.APPROVAL])
def test_a_project_is_overdue_after_the_end_of_its_last_day(stage: Stage) -> None:
    there = world().put(earlier(end_date=day(0)))
    assert around(there, "overdue-project-blocks", stage) == ["passed", "passed", "failed"]


@tries("eligibility/one-recommending-unit")
def test_one_recommending_unit_and_no_second() -> None:
    others = [
        earlier(name=f"applications/b{n}", recommending_unit=code, state=A.STATE_SUBMITTED)
        for n, code in enumerate(("410300", "410400"))
    ]
    said = [
        outcome(world().put(*others[:n]), "one-recommending-unit", Stage.SUBMISSION)
        for n in (0, 1, 2)
    ]
    assert said == ["passed", "failed", "failed"]


@tries("eligibility/call-window")
def test_a_window_is_open_from_its_first_to_the_end_of_its_last_day() -> None:
    there = world().put(call(open_date=day(0), close_date=day(9)))
    first, last = (around(there, "call-window", Stage.SUBMISSION, n) for n in (0, 9))
    assert first == ["failed", "passed", "passed"]
    assert last == ["passed", "passed", "failed"]


@tries("eligibility/consortium-size")
def test_a_consortium_has_the_least_and_the_most_units_and_one_more_or_less_is_wrong() -> None:
    wanted = call(consortium_min=2, consortium_max=3)
    sizes = [world().put(wanted, application(consortium=UNITS[:n])) for n in range(4)]
    said = [outcome(there, "consortium-size", Stage.SUBMISSION) for there in sizes]
    assert said == ["failed", "passed", "passed", "failed"]


@tries("eligibility/sanctions")
@pytest.mark.parametrize("stage", list(Stage))
def test_a_sanction_holds_on_its_first_and_last_day_and_not_beside_them(stage: Stage) -> None:
    there = world().put(sanction(0, 9))
    assert around(there, "sanctions", stage) == ["passed", "failed", "failed"]
    assert around(there, "sanctions", stage, 9) == ["failed", "failed", "passed"]


@tries("eligibility/duplicates-decided", "eligibility/no-duplicate")
def test_a_finding_stops_until_it_is_decided_and_a_duplicate_from_then_on() -> None:
    states = (H.STATE_OPEN, H.STATE_STANDING, H.STATE_RELEASED)
    worlds = [world().put(hold(state)) for state in states]
    decided = [outcome(there, "duplicates-decided", Stage.APPROVAL) for there in worlds]
    distinct = [outcome(there, "no-duplicate", Stage.PAYMENT) for there in worlds]
    assert decided == ["failed", "passed", "passed"]
    assert distinct == ["passed", "failed", "passed"]


def owing(due: datetime.date, *, done: bool) -> World:
    record = application()
    on: Any = day(0) if done else None
    owed = record.joint_review.owed_conditions
    owed.add(number=1, department="DRC", due_date=day((due - TODAY).days), done_date=on)
    return world().put(record)


@tries("eligibility/conditions-met")
def test_a_condition_stops_payments_before_its_last_day_and_after_until_it_is_met() -> None:
    for done, said in ((False, "failed"), (True, "passed")):
        there = owing(TODAY, done=done)
        assert around(there, "conditions-met", Stage.PAYMENT) == [said] * 3


@tries("eligibility/departments-agreed")
@pytest.mark.parametrize("stage", [Stage.APPROVAL, Stage.PAYMENT])
def test_an_agreement_counts_for_the_revision_asked_about_and_for_none_before(stage: Stage) -> None:
    said = []
    for n in AROUND:
        record = application()
        record.joint_review.asked_revision, record.joint_review.judged_revision = 5, 5 + n
        record.joint_review.outcome = pb.JOINT_REVIEW_OUTCOME_AGREED
        said.append(outcome(world().put(record), "departments-agreed", stage))
    assert said == ["failed", "passed", "passed"]


def test_the_boundaries_are_those_of_this_application() -> None:
    """Else a world in which nothing is asked would pass everything above."""
    for rule in PACK.eligibility:
        there, stage = broken(replace(rule, valid_from=None))
        assert NAME in there.records
        assert outcome(there, rule.id, stage) == "failed"

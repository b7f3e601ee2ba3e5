"""Clocks of joint reviews, notices, working days and ceilings at their boundaries; each rule of the pack by itself."""

import datetime
from dataclasses import replace

import pytest

from kernel.case import Caller, Role
from kernel.dates import ONE_DAY, to_date
from kernel.errors import DomainError, Invalid, Refused
from kernel.pack import Notice, Programme, ReviewRule
from kernel.procedure import CalendarYear, Deputy, FundingSource, Remit
from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.funding.v1 import funding_pb2 as pb
from services.coordination.inbox import items_of
from services.funding import money
from services.funding.programme import check
from tests.unit.boundaries import PACK, tries
from tests.unit.coordination_world import BEFORE_HOLIDAY, Reviewing, S, application
from tests.unit.fake_case import FakeCase
from tests.unit.funding_world import NAME, P, refused, small_pack, world

RULES, NOTICES, YEARS = list(PACK.review_rules), list(PACK.notices), list(PACK.calendar)
AROUND = (-1, 0, 1)


def named(entry: object) -> str:
    return str(getattr(entry, "id", entry))


def opened(rule: ReviewRule) -> Reviewing:
    """Return a review that asks Finance alone, two days before a holiday, by a rule."""
    joint = pb.JointReview(departments=["FINANCE"], round=1, rule=rule.id)
    return Reviewing().open(application(joint_review=joint))


def answers(there: Reviewing, day: datetime.date, actor: str = "") -> str:
    """Return how it ends when Finance answers on a day."""
    there.day = day
    try:
        there.opine("FINANCE", actor=actor)
    except DomainError as error:
        return error.code
    return "answered"


@tries(*(f"review_rules/{rule.id}/due" for rule in RULES))
@pytest.mark.parametrize("rule", RULES, ids=named)
def test_a_department_answers_to_the_end_of_its_last_working_day(rule: ReviewRule) -> None:
    last = opened(rule).due_day("FINANCE")
    assert last == PACK.add_working_days(BEFORE_HOLIDAY, rule.due_working_days).date
    said = [answers(opened(rule), last + ONE_DAY * n) for n in AROUND]
    assert said == ["answered", "answered", "PAST_DUE"]


@tries(*(f"review_rules/{rule.id}/remind" for rule in RULES))
@pytest.mark.parametrize("rule", RULES, ids=named)
def test_a_reminder_is_sent_on_its_day_once(rule: ReviewRule) -> None:
    there = opened(rule)
    for number, count in enumerate(sorted(rule.remind_before, reverse=True), 1):
        day = PACK.add_working_days(there.due_day("FINANCE"), -count).date
        sent = [
            sum("remind" in key for _, key in there.pass_to(day + ONE_DAY * n).fired)
            for n in AROUND
        ]
        assert sent == [number - 1, number, number]


@tries(*(f"review_rules/{rule.id}/escalation" for rule in RULES))
@pytest.mark.parametrize("rule", RULES, ids=named)
def test_the_deputy_answers_from_the_day_after_to_the_end_of_its_last_working_day(
    rule: ReviewRule,
) -> None:
    last = opened(rule).due_day("FINANCE")
    deputies = [opened(rule).pass_to(last + ONE_DAY * n).opinion("FINANCE").deputy for n in AROUND]
    assert deputies == ["", "", "finance-deputy"]
    until = PACK.add_working_days(last + ONE_DAY, rule.escalation_working_days).date
    said = [
        answers(opened(rule).pass_to(last + ONE_DAY), until + ONE_DAY * n, "finance-deputy")
        for n in AROUND
    ]
    assert said == ["answered", "answered", "PAST_DUE"]


@tries(*(f"review_rules/{rule.id}/silence" for rule in RULES))
@pytest.mark.parametrize("rule", RULES, ids=named)
def test_silence_counts_from_the_day_after_the_deputys_last_one(rule: ReviewRule) -> None:
    there = opened(rule)
    there.pass_to(there.due_day("FINANCE") + ONE_DAY)
    last = to_date(there.opinion("FINANCE").deputy_due_date)
    assert last is not None
    open_ = [there.pass_to(last + ONE_DAY * n).review.state == S.STATE_OPEN for n in AROUND]
    assert open_ == [True, True, False]
    agreed = there.review.outcome == coordination.OUTCOME_AGREED
    assert agreed == rule.deemed_consent


@tries(*(f"review_rules/{rule.id}/condition" for rule in RULES))
@pytest.mark.parametrize("rule", RULES, ids=named)
def test_a_condition_is_late_the_day_after_its_last_working_day(rule: ReviewRule) -> None:
    there = opened(rule)
    there.opine("FINANCE", "AGREE_WITH_CONDITIONS", conditions=["专账核算"])
    last = to_date(there.review.conditions[0].due_date)
    if not rule.condition_working_days:
        assert last is None
        return
    assert last == PACK.add_working_days(BEFORE_HOLIDAY, rule.condition_working_days).date
    days = (PACK.add_working_days(last, -1).date, last, last + ONE_DAY)
    left = [next(items_of(there.review, "FINANCE", d, PACK)).days_left for d in days]
    assert left == [1, 0, -1]


LAST = {
    "five-working-days": datetime.date(2026, 9, 30),
    "seven-days": datetime.date(2026, 9, 29),
    "four-days": datetime.date(2026, 9, 26),
}
"""Of a notice that is published on 22 September 2026; the 25th to the 27th are off."""


@tries(*(f"notices/{notice.id}" for notice in NOTICES))
@pytest.mark.parametrize("notice", NOTICES, ids=named)
def test_an_award_is_made_from_the_day_after_the_notice_on(notice: Notice) -> None:
    said = []
    for n in AROUND:
        there = world(pack=small_pack(calendar=tuple(PACK.calendar)))
        there.walk(NAME, "conclude_joint_review")
        there.today = BEFORE_HOLIDAY
        working = notice.unit == "working_days"
        kind = pb.DAY_KIND_WORKING if working else pb.DAY_KIND_CALENDAR
        there.do(NAME, "publish_notice", days=notice.days, day_kind=kind)
        there.today = LAST[notice.id] + ONE_DAY * n
        try:
            there.do(NAME, "approve")
            said.append("approved")
        except DomainError as error:
            said.append(error.code)
    assert said == ["NOTICE_RUNNING", "NOTICE_RUNNING", "approved"]


@tries(*(f"calendar/{year.id}" for year in YEARS))
@pytest.mark.parametrize("year", YEARS, ids=named)
def test_a_holiday_begins_and_ends_on_its_days_and_an_exchanged_day_is_worked(
    year: CalendarYear,
) -> None:
    off = {day for holiday in year.days_off for day in holiday.days}
    for holiday in year.days_off:
        for day in (holiday.first - ONE_DAY, holiday.first, holiday.last, holiday.last + ONE_DAY):
            if day.year == int(year.id):
                worked = day.weekday() < 5 or day in year.exchanged
                assert PACK.is_working_day(day) == (worked and day not in off), day
    for day in year.exchanged:
        assert PACK.is_working_day(day)
        assert day.weekday() >= 5
    first = datetime.date(int(year.id), 1, 4)
    assert PACK.add_working_days(first, 20).provisional == year.provisional


def test_a_count_is_provisional_from_the_first_day_of_a_year_not_announced_on() -> None:
    days = [PACK.add_working_days(datetime.date(2026, 12, 29), n) for n in (1, 2, 3)]
    assert [(d.date.isoformat(), d.provisional) for d in days] == [
        ("2026-12-30", False),
        ("2026-12-31", False),
        ("2027-01-01", True),
    ]


CEILINGS = [(programme, c.year, c.fen) for programme in PACK.programmes for c in programme.ceilings]


def registered(policy: Programme) -> pb.Programme:
    """Return a programme as its department registers it: with the ceilings of the pack."""
    lead = Caller("accounts/x", policy.lead, frozenset({Role.CASE_OFFICER}))
    made = pb.Programme(name="programmes/p", title="专项", policy=policy.id, state=P.STATE_ACTIVE)
    check(made, FakeCase(pack=PACK, caller=lead))
    return made


@tries(*(f"ceilings/{programme.id}/{year}" for programme, year, _ in CEILINGS))
@pytest.mark.parametrize(("policy", "year", "fen"), CEILINGS, ids=named)
def test_a_years_ceiling_can_be_reached_and_not_passed_by_a_fen(
    policy: Programme, year: int, fen: int
) -> None:
    for amount in (fen - 1, fen):
        money.commit(registered(policy), year, amount)
    with refused(Refused, "CEILING_EXCEEDED"):
        money.commit(registered(policy), year, fen + 1)


@pytest.mark.parametrize("policy", list(PACK.programmes), ids=named)
def test_a_year_beside_those_with_a_ceiling_has_no_money(policy: Programme) -> None:
    years = [ceiling.year for ceiling in policy.ceilings]
    for year in (min(years) - 1, max(years) + 1):
        with refused(Refused, "CEILING_EXCEEDED"):
            money.commit(registered(policy), year, 1)


SOURCES = list(PACK.funding_sources)


@tries(*(f"funding_sources/{source.id}" for source in SOURCES))
@pytest.mark.parametrize("source", SOURCES, ids=named)
def test_a_source_is_known_on_the_days_of_its_entry(source: FundingSource) -> None:
    change = BEFORE_HOLIDAY
    bounded = replace(source, valid_from=change, valid_to=change)
    sources = type(PACK.funding_sources)(source.NOUN, [bounded])
    assert sources.get(source.id, change).level == source.level
    for day in (change - ONE_DAY, change + ONE_DAY):
        with refused(Invalid, "ENTRY_NOT_IN_FORCE"):
            sources.get(source.id, day)


REMITS = list(PACK.remits)


@tries(*(f"remits/{remit.id}" for remit in REMITS))
@pytest.mark.parametrize("remit", REMITS, ids=named)
def test_a_remit_is_that_of_the_day(remit: Remit) -> None:
    change = BEFORE_HOLIDAY
    old, new = (
        replace(remit, valid_to=change),
        replace(remit, valid_from=change + ONE_DAY, fields=()),
    )
    pack = replace(PACK, remits=type(PACK.remits)(remit.NOUN, [old, new]))
    said = [set(pack.remit(remit.department, change + ONE_DAY * n)) for n in AROUND]
    assert said == [set(remit.fields), set(remit.fields), set()]


DEPUTIES = list(PACK.deputies)


@tries(*(f"deputies/{deputy.id}" for deputy in DEPUTIES))
@pytest.mark.parametrize("deputy", DEPUTIES, ids=named)
def test_a_deputy_answers_on_the_days_of_its_entry(deputy: Deputy) -> None:
    bounded = replace(deputy, valid_from=BEFORE_HOLIDAY, valid_to=BEFORE_HOLIDAY)
    pack = replace(PACK, deputies=type(PACK.deputies)(deputy.NOUN, [bounded]))
    said = [pack.deputy(deputy.department, BEFORE_HOLIDAY + ONE_DAY * n) for n in AROUND]
    assert said == ["", deputy.account, ""]

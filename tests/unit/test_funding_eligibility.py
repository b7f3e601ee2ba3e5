"""Rules of eligibility: each at its boundary day, explained, set aside by two persons, and asked at every step."""

import datetime
from dataclasses import replace
from typing import Any, cast

import pytest

from app.settings import ROOT
from kernel.case import Caller, Role
from kernel.dates import ONE_DAY, from_date
from kernel.errors import Denied, Invalid, Refused
from kernel.pack import EligibilityRule, Register, load
from luoshu.funding.v1 import funding_pb2 as pb
from luoshu.journal.v1.journal_pb2 import Person
from services.funding.checks import CHECKS, Stage
from services.funding.eligibility import Found, explain
from tests.unit.fake_case import TODAY
from tests.unit.funding_world import (
    CALLERS,
    FEN,
    NAME,
    OTHER_UNIT,
    UNIT,
    A,
    World,
    application,
    call,
    contracted,
    day,
    noticed,
    programme,
    refused,
    small_pack,
    unit,
    world,
)

PACK = load(ROOT / "packs" / "henan")
VERSIONS = [v for rule in PACK.eligibility for v in PACK.eligibility.history(rule.id)]
DATED = [v for v in VERSIONS if v.valid_from]
S = pb.Sanction.State
H = pb.Hold.State
SECOND = Caller("accounts/second", "DST", frozenset({Role.APPROVER}))


def finding(there: World, rule: str, stage: Stage, day: datetime.date | None = None) -> Found:
    """Return what one rule says of the world's application."""
    case = there.case(deciding=NAME)
    found = explain(there.records[NAME], stage, case, day=day)
    return next(each for each in found if each.rule.id == rule)


def outcome(there: World, rule: str, stage: Stage, day: datetime.date | None = None) -> str:
    name = pb.RuleOutcome.Name(finding(there, rule, stage, day).outcome)
    return name.removeprefix("RULE_OUTCOME_").lower()


def sanction(first: int = 0, last: int | None = 30, **more: Any) -> pb.Sanction:
    """Return a sanction of the application's unit that is in force, by days from today."""
    said: dict[str, Any] = {
        "name": "sanctions/s1",
        "title": "科研失信",
        "unit": unit(UNIT),
        "from_date": day(first),
        "document_number": "豫科监〔2026〕3号",
        "state": S.STATE_IMPOSED,
    }
    if last is not None:
        said["to_date"] = day(last)
    return pb.Sanction(**{**said, **more})


def earlier(**more: Any) -> pb.Application:
    """Return an award of the same investigator."""
    said = {"state": A.STATE_IN_PROGRESS, "approved_fen": FEN, "recommending_unit": "410100"}
    record = application(2, **{**said, **more})
    record.principal_investigator.subject = "ps1-1"
    return record


def hold(state: int = H.STATE_OPEN, **more: Any) -> pb.Hold:
    """Return what a duplicate finding means for the application."""
    said = {"application": NAME, "other": "applications/a2", "finding": "findings/f1", "round": 1}
    return pb.Hold(name="holds/f1", state=cast(Any, state), **{**said, **more})


def conditional(*done: Any) -> pb.Application:
    """Return the application with two conditions, of which so many are done."""
    record = application()
    for number, on in enumerate((*done, None, None)[:2], 1):
        record.joint_review.owed_conditions.add(
            number=number, department="DRC", text="取得批复", due_date=day(20), done_date=on
        )
    return record


def asked_of_others() -> pb.Application:
    """Return the application while the departments are asked about it."""
    record = application()
    record.joint_review.asked_revision = 1
    return record


# The pack.


@pytest.mark.parametrize("rule", VERSIONS, ids=lambda rule: rule.id)
def test_every_rule_of_the_pack_has_its_source_and_a_check(rule: EligibilityRule) -> None:
    assert rule.check in CHECKS
    assert rule.source in PACK.documents
    assert rule.stages


def broken(rule: EligibilityRule) -> tuple[World, Stage]:
    """Return a world in which a rule fails, and a stage at which it is asked."""
    breaks: dict[str, Any] = {
        "investigator_awards": [earlier()],
        "overdue": [earlier(end_date=day(-1000))],
        "recommending_units": [earlier(recommending_unit="410300", state=A.STATE_SUBMITTED)],
        "window": [call(close_date=day(-2000))],
        "consortium": [call(consortium_min=3)],
        "sanctions": [sanction(-2000, 2000)],
        "findings_decided": [hold(H.STATE_OPEN)],
        "no_duplicate": [hold(H.STATE_STANDING)],
        "conditions_met": [conditional()],
        "departments_agreed": [asked_of_others()],
    }
    return world().put(*breaks[rule.check]), Stage(rule.stages[0])


@pytest.mark.parametrize("rule", VERSIONS, ids=lambda rule: rule.id)
def test_a_rule_holds_from_its_first_to_its_last_day(rule: EligibilityRule) -> None:
    first, last = rule.valid_from or datetime.date(2025, 6, 1), datetime.date(2026, 6, 30)
    bounded = replace(rule, valid_from=first, valid_to=last)
    there, stage = broken(rule)
    there.pack = replace(there.pack, eligibility=Register(rule.NOUN, [bounded]))
    said = {d: outcome(there, rule.id, stage, d) for d in (first, last)}
    assert said == {first: "failed", last: "failed"}
    for outside in (first - ONE_DAY, last + ONE_DAY):
        assert outcome(there, rule.id, stage, outside) == "not_applicable"


@pytest.mark.parametrize("rule", DATED, ids=lambda rule: rule.id)
def test_a_dated_rule_of_the_pack_is_not_in_force_the_day_before(rule: EligibilityRule) -> None:
    assert rule.valid_from is not None
    there, stage = broken(rule)
    assert outcome(there, rule.id, stage, rule.valid_from) == "failed"
    assert outcome(there, rule.id, stage, rule.valid_from - ONE_DAY) == "not_applicable"


def test_a_new_version_holds_from_its_day_on() -> None:
    (old,) = PACK.eligibility.history("awards-per-investigator")
    change = TODAY + ONE_DAY * 10
    rules = [replace(old, valid_to=change - ONE_DAY), replace(old, valid_from=change, value=2)]
    there = world().put(earlier())
    there.pack = replace(there.pack, eligibility=Register(old.NOUN, rules))
    assert outcome(there, old.id, Stage.APPROVAL, change - ONE_DAY) == "failed"
    assert outcome(there, old.id, Stage.APPROVAL, change) == "passed"


@pytest.mark.parametrize("rule", VERSIONS, ids=lambda rule: rule.id)
def test_a_rule_that_is_broken_says_why_and_by_which_facts(rule: EligibilityRule) -> None:
    there, stage = broken(rule)
    found = finding(there, rule.id, stage, TODAY)
    assert found.fails
    assert found.verdict.en != found.verdict.zh
    assert any(sign >= "\u4e00" for sign in found.verdict.zh)
    assert found.verdict.facts
    assert len(list(explain(there.records[NAME], stage, there.case(), day=TODAY))) == len(
        PACK.eligibility
    )


# Facts at their boundary days.


def test_the_window_is_open_from_its_first_to_the_end_of_its_last_day() -> None:
    there = world().put(call(open_date=day(0), close_date=day(5)))
    said = [
        outcome(there, "call-window", Stage.SUBMISSION, TODAY + ONE_DAY * n) for n in (-1, 0, 5, 6)
    ]
    assert said == ["failed", "passed", "passed", "failed"]


def test_a_project_is_overdue_the_day_after_its_last() -> None:
    there = world().put(earlier(end_date=day(0)))
    said = [
        outcome(there, "overdue-project-blocks", Stage.APPROVAL, TODAY + ONE_DAY * n)
        for n in (0, 1)
    ]
    assert said == ["passed", "failed"]


@pytest.mark.parametrize("state", [A.STATE_IN_ACCEPTANCE, A.STATE_COMPLETED, A.STATE_CLOSED])
def test_a_project_whose_acceptance_is_asked_for_is_not_overdue(state: int) -> None:
    there = world().put(earlier(end_date=day(-9), state=state))
    assert outcome(there, "overdue-project-blocks", Stage.SUBMISSION) == "passed"


@pytest.mark.parametrize("stage", [Stage.SUBMISSION, Stage.APPROVAL, Stage.PAYMENT, Stage.CHANGE])
def test_a_sanction_holds_from_its_first_to_the_end_of_its_last_day(stage: Stage) -> None:
    there = world().put(sanction(0, 5))
    said = [outcome(there, "sanctions", stage, TODAY + ONE_DAY * n) for n in (-1, 0, 5, 6)]
    assert said == ["passed", "failed", "failed", "passed"]


def test_a_sanction_without_a_last_day_holds_until_it_is_lifted() -> None:
    there = world().put(sanction(0, None, lead_department="DST", author="accounts/x"))
    far = TODAY + ONE_DAY * 5000
    assert outcome(there, "sanctions", Stage.PAYMENT, far) == "failed"
    there.today = TODAY + ONE_DAY * 20
    there.do("sanctions/s1", "lift", document_number="豫科监〔2026〕9号", reason="期满整改合格")
    assert outcome(there, "sanctions", Stage.PAYMENT, there.today) == "passed"
    assert outcome(there, "sanctions", Stage.PAYMENT, there.today - ONE_DAY) == "failed"


def test_a_sanction_of_a_draft_holds_nobody_off() -> None:
    assert (
        outcome(world().put(sanction(state=S.STATE_DRAFT)), "sanctions", Stage.SUBMISSION)
        == "passed"
    )


def test_a_sanction_of_a_member_or_of_the_person_counts_too() -> None:
    member = sanction(unit=unit(OTHER_UNIT))
    there = world().put(application(consortium=[unit(OTHER_UNIT)]), member)
    assert outcome(there, "sanctions", Stage.APPROVAL) == "failed"
    person = sanction(unit=None, person=Person(subject="ps1-1"))
    assert outcome(world().put(person), "sanctions", Stage.APPROVAL) == "failed"


def test_national_money_is_not_held_to_the_investigators_one_award() -> None:
    there = world().put(earlier(), programme(funding_source="national"))
    assert outcome(there, "awards-per-investigator", Stage.APPROVAL) == "not_applicable"
    there = world().put(earlier(funding_source="national"))
    assert outcome(there, "awards-per-investigator", Stage.APPROVAL) == "passed"


def test_an_award_of_another_year_does_not_count() -> None:
    there = world().put(earlier(year=TODAY.year - 1))
    assert outcome(there, "awards-per-investigator", Stage.APPROVAL) == "passed"


# Where they are asked.


def test_a_sanction_stops_submission_approval_and_every_payment() -> None:
    there = world().put(sanction())
    with refused(Refused, "SANCTIONED"):
        there.do(NAME, "submit")
    there = noticed()
    there.put(sanction(there.today.toordinal() - TODAY.toordinal(), 60))
    with refused(Refused, "SANCTIONED"):
        there.do(NAME, "approve")
    there = contracted()
    there.do(NAME, "pay_instalment")
    began = (there.today - TODAY).days + 1
    there.put(sanction(began, began))
    there.today += ONE_DAY
    with refused(Refused, "SANCTIONED"):
        there.do(NAME, "pay_instalment", number=2, amount_fen=1, voucher="V-2")
    there.today += ONE_DAY
    paid = there.do(NAME, "pay_instalment", number=2, amount_fen=1, voucher="V-2")
    assert paid.paid_fen == FEN - FEN // 4 + 1


def test_an_approval_is_not_dated_back_before_a_sanction() -> None:
    there = noticed()
    there.put(sanction((there.today - TODAY).days, 60))
    case = there.case(CALLERS[Role.APPROVER], given_day=there.today - ONE_DAY, deciding=NAME)
    found = explain(there.records[NAME], Stage.APPROVAL, case)
    assert [each.rule.id for each in found if each.fails] == ["sanctions"]


def test_a_new_investigator_who_has_an_award_of_the_year_is_refused() -> None:
    there = contracted()
    there.put(earlier(principal_investigator=None))
    there.records["applications/a2"].principal_investigator.subject = "410102199003077777"
    there.do(NAME, "start")
    new = Person(name="李四", identity_number="410102199003077777")
    with refused(Refused, "INVESTIGATOR_LIMIT"):
        there.do(NAME, "change_person", principal_investigator=new)


# Overrides.


def asked(there: World, rule: str, stage: int, **more: Any) -> Any:
    said = {"rule": rule, "stage": stage, "reason": "省政府专题会议议定", **more}
    return there.do(NAME, "request_override", **said)


def test_an_override_takes_a_second_person_and_stays_on_record() -> None:
    there = noticed()
    there.put(earlier())
    with refused(Refused, "INVESTIGATOR_LIMIT"):
        there.do(NAME, "approve")
    asked(there, "awards-per-investigator", pb.ELIGIBILITY_STAGE_APPROVAL)
    with refused(Refused, "INVESTIGATOR_LIMIT"):  # nobody has granted it yet
        there.do(NAME, "approve")
    same = replace(CALLERS[Role.CASE_OFFICER], roles=frozenset({Role.APPROVER}))
    decision = {"number": 1, "granted": True, "reason": "同意"}
    with refused(Denied, "FOUR_EYES"):
        there.do(NAME, "decide_override", same, **decision)
    there.do(NAME, "decide_override", SECOND, **decision)
    assert outcome(there, "awards-per-investigator", Stage.APPROVAL) == "overridden"
    award = there.do(NAME, "approve")
    (override,) = award.overrides
    assert (override.requested_by, override.decided_by) == (same.actor, SECOND.actor)
    assert [(fact.key, fact.value) for fact in override.facts] == [
        ("year", str(TODAY.year)),
        ("award", "applications/a2"),
    ]


def test_an_override_is_over_when_the_facts_change() -> None:
    there = noticed()
    there.put(earlier())
    asked(there, "awards-per-investigator", pb.ELIGIBILITY_STAGE_APPROVAL)
    there.do(NAME, "decide_override", SECOND, number=1, granted=True, reason="同意")
    third = earlier()
    third.name = "applications/a3"
    there.put(third)
    with refused(Refused, "INVESTIGATOR_LIMIT"):
        there.do(NAME, "approve")


def test_a_declined_override_sets_nothing_aside_and_is_decided_once() -> None:
    there = world().put(earlier(end_date=day(-1)))
    asked(there, "overdue-project-blocks", pb.ELIGIBILITY_STAGE_SUBMISSION)
    there.do(NAME, "decide_override", SECOND, number=1, granted=False, reason="不同意")
    with refused(Refused, "OVERRIDE_DECIDED"):
        there.do(NAME, "decide_override", SECOND, number=1, granted=True, reason="同意")
    with refused(Refused, "OVERDUE_PROJECT"):
        there.do(NAME, "submit")


def test_what_holds_or_may_not_be_set_aside_is_not_asked_for() -> None:
    there = world().put(sanction())
    with refused(Refused, "NOT_OVERRIDABLE"):
        asked(there, "sanctions", pb.ELIGIBILITY_STAGE_SUBMISSION)
    with refused(Refused, "RULE_HOLDS"):
        asked(there, "overdue-project-blocks", pb.ELIGIBILITY_STAGE_SUBMISSION)
    with refused(Invalid, "UNKNOWN_ENTRY"):
        asked(there, "no-such-rule", pb.ELIGIBILITY_STAGE_SUBMISSION)


def test_a_change_that_a_rule_forbids_is_set_aside_before_it_is_made() -> None:
    there = contracted()
    there.put(earlier(principal_investigator=None))
    there.records["applications/a2"].principal_investigator.subject = "410102199003077777"
    there.do(NAME, "start")
    new = Person(name="李四", identity_number="410102199003077777")
    with refused(Refused, "RULE_HOLDS"):  # as it stands nothing is wrong
        asked(there, "awards-per-investigator", pb.ELIGIBILITY_STAGE_CHANGE)
    said = {"principal_investigator": new}
    asked(there, "awards-per-investigator", pb.ELIGIBILITY_STAGE_CHANGE, **said)
    assert there.records[NAME].principal_investigator != new
    with refused(Refused, "INVESTIGATOR_LIMIT"):  # nobody has granted it yet
        there.do(NAME, "change_person", principal_investigator=new)
    there.do(NAME, "decide_override", SECOND, number=1, granted=True, reason="同意")
    changed = there.do(NAME, "change_person", principal_investigator=new)
    assert changed.principal_investigator == new
    assert [(o.rule, o.granted) for o in changed.overrides] == [("awards-per-investigator", True)]


def test_a_unit_that_leaves_too_small_a_consortium_needs_a_second_person() -> None:
    there = world().put(call(consortium_min=2))
    there.records[NAME].consortium.add().CopyFrom(unit(OTHER_UNIT))
    there.walk(NAME, "sign_contract")
    there.do(NAME, "start")
    with refused(Refused, "CONSORTIUM_SIZE"):
        there.do(NAME, "change_unit", leaving_code=OTHER_UNIT, unit=None)
    asked(there, "consortium-size", pb.ELIGIBILITY_STAGE_CHANGE, leaving_code=OTHER_UNIT)
    there.do(NAME, "decide_override", SECOND, number=1, granted=True, reason="同意")
    left = there.do(NAME, "change_unit", leaving_code=OTHER_UNIT, unit=None)
    assert not left.consortium


# Duplicate findings.


def test_an_open_finding_stops_the_award_and_nothing_else() -> None:
    there = noticed()
    there.put(hold())
    with refused(Refused, "FINDING_OPEN"):
        there.do(NAME, "approve")
    there.put(hold(H.STATE_RELEASED, disposition="DISPOSITION_CONTINUATION"))
    assert there.do(NAME, "approve").approved_fen


def test_a_duplicate_stops_award_and_payment_until_two_persons_set_it_aside() -> None:
    there = noticed()
    there.put(hold(H.STATE_STANDING, disposition="DISPOSITION_DUPLICATE"))
    with refused(Refused, "DUPLICATE"):
        there.do(NAME, "approve")
    asked(there, "no-duplicate", pb.ELIGIBILITY_STAGE_APPROVAL)
    there.do(NAME, "decide_override", SECOND, number=1, granted=True, reason="同意")
    there.do(NAME, "approve")
    there.do(NAME, "sign_contract")
    with refused(Refused, "DUPLICATE"):  # an award set aside is not yet a payment set aside
        there.do(NAME, "pay_instalment")


def test_a_finding_bears_on_the_later_application_of_its_pair_alone() -> None:
    there = noticed()
    there.put(hold(H.STATE_STANDING, application="applications/a2", other=NAME))
    assert there.do(NAME, "approve").approved_fen


def test_a_finding_that_is_raised_again_ends_what_was_set_aside() -> None:
    there = noticed()
    there.put(hold(H.STATE_STANDING, disposition="DISPOSITION_DUPLICATE"))
    asked(there, "no-duplicate", pb.ELIGIBILITY_STAGE_APPROVAL)
    there.do(NAME, "decide_override", SECOND, number=1, granted=True, reason="同意")
    there.put(hold(H.STATE_STANDING, disposition="DISPOSITION_DUPLICATE", round=2))
    with refused(Refused, "DUPLICATE"):
        there.do(NAME, "approve")


# Conditions.


def test_no_money_is_paid_before_every_condition_is_met() -> None:
    there = contracted()
    there.records[NAME].joint_review.CopyFrom(conditional(day(0)).joint_review)
    with refused(Refused, "CONDITION_UNMET"):
        there.do(NAME, "pay_instalment")
    there.records[NAME].joint_review.CopyFrom(conditional(day(0), day(0)).joint_review)
    assert there.do(NAME, "pay_instalment").paid_fen


def test_conditions_of_another_review_were_not_set_aside_with_the_first() -> None:
    """Every review numbers its conditions from 1: the number, department and day may be the same."""
    there = contracted()
    review = there.records[NAME].joint_review
    review.CopyFrom(conditional(day(0)).joint_review)
    review.review = "reviews/r1"
    asked(there, "conditions-met", pb.ELIGIBILITY_STAGE_PAYMENT)
    there.do(NAME, "decide_override", SECOND, number=1, granted=True, reason="同意")
    there.records[NAME].joint_review.review = "reviews/r2"
    with refused(Refused, "CONDITION_UNMET"):
        there.do(NAME, "pay_instalment")
    there.records[NAME].joint_review.review = "reviews/r1"
    assert there.do(NAME, "pay_instalment").paid_fen


# The register of sanctions.


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"person": Person(name="某", identity_number="1")}, "ONE_PARTY"),
        ({"unit": None}, "ONE_PARTY"),
        ({"unit": pb.Unit(name="某", code="91110000710926094X")}, "CREDIT_CODE_INVALID"),
        ({"to_date": from_date(TODAY - ONE_DAY)}, "DATES_REVERSED"),
        ({"unit": None, "person": Person(name="某")}, "REQUIRED"),
    ],
)
def test_a_sanction_is_of_one_party_and_in_order(said: dict[str, Any], code: str) -> None:
    from services.funding.sanction import check

    with refused(Invalid, code):
        check(sanction(**said), world().case())


def test_every_department_sees_a_sanction_once_it_is_imposed() -> None:
    there = world().put(sanction(state=S.STATE_DRAFT, lead_department="DST", author="accounts/x"))
    done = there.do("sanctions/s1", "impose")
    assert list(done.concerned_departments) == ["DIIT", "DST", "FINANCE"]
    assert small_pack().departments

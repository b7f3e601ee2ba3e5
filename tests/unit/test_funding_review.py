"""Joint review, public notice, approval: nobody is passed over, no ceiling is broken."""

from typing import Any

import pytest

from kernel.case import Caller, Role
from kernel.dates import ONE_DAY, from_date, to_date
from kernel.errors import Denied, DomainError, Invalid, NotFound, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from luoshu.journal.v1.journal_pb2 import Person
from tests.unit.fake_case import copied
from tests.unit.funding_world import (
    CALLERS,
    FEN,
    NAME,
    NOTICE_END,
    PROGRAMME_NAME,
    YEAR,
    A,
    World,
    application,
    day,
    noticed,
    programme,
    refused,
    small_pack,
    world,
)


def test_a_joint_review_asks_the_packs_departments_but_not_the_lead() -> None:
    opened = world().walk(NAME, "open_joint_review")
    assert list(opened.joint_review.departments) == ["FINANCE"]
    assert list(opened.concerned_departments) == ["410100", "FINANCE"]


def test_a_programmes_own_departments_come_before_the_packs() -> None:
    there = world().put(programme(joint_review_departments=["DIIT", "DRC"]))
    opened = there.walk(NAME, "open_joint_review")
    assert list(opened.joint_review.departments) == ["DIIT", "DRC"]


def test_without_departments_there_is_no_joint_review_to_open() -> None:
    there = world().put(programme(joint_review_waived=True))
    there.walk(NAME, "record_expert_review")
    with refused(Refused, "NO_JOINT_REVIEW"):
        there.do(NAME, "open_joint_review")
    assert there.do(NAME, "publish_notice").state == A.STATE_IN_PUBLIC_NOTICE


@pytest.mark.parametrize("outcome", ["OBJECTED", "WITHDRAWN"])
def test_a_review_that_does_not_agree_leads_back_and_not_around(outcome: str) -> None:
    there = world()
    there.walk(NAME, "open_joint_review")
    value = pb.JointReviewOutcome.Value(f"JOINT_REVIEW_OUTCOME_{outcome}")
    back = there.do(NAME, "conclude_joint_review", outcome=value, conditions="重复")
    assert back.state == A.STATE_EXPERT_REVIEWED
    assert back.joint_review.conditions == "重复"
    with refused(Refused, "JOINT_REVIEW_MISSING"):
        there.do(NAME, "publish_notice")
    assert there.do(NAME, "open_joint_review").joint_review.round == 2


def test_only_the_system_concludes_a_joint_review() -> None:
    there = world()
    there.walk(NAME, "open_joint_review")
    with refused(Denied, "ROLE_MISSING"):
        there.do(NAME, "conclude_joint_review", CALLERS[Role.CASE_OFFICER])


def test_a_notice_takes_its_length_from_the_pack() -> None:
    notice = world().walk(NAME, "publish_notice").public_notice
    assert (notice.days, notice.day_kind) == (5, pb.DAY_KIND_WORKING)
    assert to_date(notice.end_date) == NOTICE_END


def test_a_notice_of_calendar_days_counts_all_days() -> None:
    there = world()
    there.walk(NAME, "conclude_joint_review")
    said: dict[str, Any] = {"days": 4, "day_kind": pb.DAY_KIND_CALENDAR}
    assert there.do(NAME, "publish_notice", **said).public_notice.end_date == day(4)


@pytest.mark.parametrize(
    ("said", "code"), [({"start_date": day(-1)}, "DATE_TOO_EARLY"), ({"days": 4}, "REQUIRED")]
)
def test_a_notice_that_nobody_could_count_is_not_published(said: dict[str, Any], code: str) -> None:
    there = world()
    there.walk(NAME, "conclude_joint_review")
    with refused(Invalid, code):
        there.do(NAME, "publish_notice", **said)


@pytest.mark.parametrize(("resolved", "upheld"), [(False, False), (True, True), (True, False)])
def test_an_objection_stands_until_it_is_found_wrong(resolved: bool, upheld: bool) -> None:
    there = world()
    there.walk(NAME, "publish_notice")
    there.do(NAME, "record_objection")
    if resolved:
        there.do(NAME, "resolve_objection", upheld=upheld)
    there.today += ONE_DAY * 8
    if resolved and not upheld:
        assert there.do(NAME, "approve").state == A.STATE_APPROVED
        return
    with refused(Refused, "OBJECTION_STANDS"):
        there.do(NAME, "approve")


def test_an_objection_is_resolved_once_and_only_if_it_exists() -> None:
    there = world()
    there.walk(NAME, "publish_notice")
    there.do(NAME, "record_objection")
    with refused(NotFound, "NOT_FOUND"):
        there.do(NAME, "resolve_objection", number=2)
    there.do(NAME, "resolve_objection")
    with refused(Refused, "OBJECTION_RESOLVED"):
        there.do(NAME, "resolve_objection")


def test_an_objection_after_the_notice_comes_too_late() -> None:
    there = world()
    there.walk(NAME, "publish_notice")
    there.today = NOTICE_END + ONE_DAY
    with refused(Invalid, "OUTSIDE_NOTICE"):
        there.do(NAME, "record_objection")


def test_an_award_waits_until_the_notices_last_day_is_over() -> None:
    there = noticed()
    there.today = NOTICE_END
    with refused(Refused, "NOTICE_RUNNING"):
        there.do(NAME, "approve")
    there.today += ONE_DAY
    assert there.do(NAME, "approve").state == A.STATE_APPROVED


@pytest.mark.parametrize(("fen", "fits"), [(FEN, True), (FEN + 1, False), (1, True)])
def test_an_award_is_no_more_than_was_asked_for(fen: int, fits: bool) -> None:
    there = noticed()
    if fits:
        assert there.do(NAME, "approve", approved_fen=fen).approved_fen == fen
        return
    with refused(Refused, "OVER_THE_MOST"):
        there.do(NAME, "approve", approved_fen=fen)


@pytest.mark.parametrize(("ceiling", "fits"), [(FEN, True), (FEN - 1, False)])
def test_an_award_fits_the_ceiling_to_the_last_fen(ceiling: int, fits: bool) -> None:
    there = noticed(programme(ceilings=[pb.Ceiling(year=YEAR, ceiling_fen=ceiling)]))
    if fits:
        there.do(NAME, "approve")
        assert there.records[PROGRAMME_NAME].commitments[0].committed_fen == FEN
        return
    with refused(Refused, "CEILING_EXCEEDED"):
        there.do(NAME, "approve")
    assert not there.records[PROGRAMME_NAME].commitments
    assert not there.records[NAME].approved_fen


def test_two_awards_share_one_ceiling() -> None:
    ceiling = pb.Ceiling(year=YEAR, ceiling_fen=2 * FEN - 1)
    there = noticed(programme(ceilings=[ceiling]), application(2))
    there.do(NAME, "approve")
    with refused(Refused, "CEILING_EXCEEDED"):
        there.do("applications/a2", "approve")
    second = there.do("applications/a2", "approve", approved_fen=FEN - 1)
    assert second.approval.award_number == f"SP-{YEAR}-0002"
    assert there.records[PROGRAMME_NAME].commitments[0].committed_fen == 2 * FEN - 1


def test_another_years_ceiling_does_not_help() -> None:
    there = noticed(programme(ceilings=[pb.Ceiling(year=YEAR + 1, ceiling_fen=2 * FEN)]))
    with refused(Refused, "CEILING_EXCEEDED"):
        there.do(NAME, "approve")


def test_a_released_commitment_can_be_awarded_again() -> None:
    ceiling = pb.Ceiling(year=YEAR, ceiling_fen=FEN)
    there = noticed(programme(ceilings=[ceiling]), application(2))
    there.do(NAME, "approve")
    there.do(NAME, "terminate")
    assert there.do("applications/a2", "approve").approved_fen == FEN


def test_the_author_cannot_approve() -> None:
    there = noticed()
    author = Caller(there.records[NAME].author, "DST", frozenset({Role.APPROVER}))
    with refused(Denied, "FOUR_EYES"):
        there.do(NAME, "approve", author)


@pytest.mark.parametrize("role", [Role.CASE_OFFICER, Role.EXPERT_REVIEWER])
def test_whoever_checked_cannot_approve(role: Role) -> None:
    there = world()
    there.walk(NAME, "check_duplicates")
    there.do(NAME, "record_expert_review", CALLERS[role])
    for action in ("open_joint_review", "conclude_joint_review", "publish_notice"):
        there.do(NAME, action)
    there.today = NOTICE_END + ONE_DAY
    both = Caller(CALLERS[role].actor, "DST", frozenset({role, Role.APPROVER}))
    with refused(Denied, "FOUR_EYES"):
        there.do(NAME, "approve", both)


def test_another_departments_approver_cannot_approve() -> None:
    other = Caller("accounts/x", "DIIT", frozenset({Role.APPROVER}))
    with refused(Denied, "NOT_THE_DEPARTMENT"):
        noticed().do(NAME, "approve", other)


def second_of_the_same_person(source: str) -> World:
    person = Person(name="pc1:x", subject="ps1-1")
    return noticed(programme(funding_source=source), application(2, principal_investigator=person))


def test_a_person_gets_one_provincial_award_a_year_in_the_order_of_approval() -> None:
    there = second_of_the_same_person("provincial")
    there.do("applications/a2", "approve")
    with refused(Refused, "INVESTIGATOR_LIMIT"):
        there.do(NAME, "approve")
    assert not there.records[NAME].approved_fen


def test_national_money_does_not_count_for_the_provinces_rule() -> None:
    there = second_of_the_same_person("national")
    there.do("applications/a2", "approve")
    assert there.do(NAME, "approve").state == A.STATE_APPROVED


def test_a_pack_without_the_rule_sets_no_limit() -> None:
    there = second_of_the_same_person("provincial")
    there.pack = small_pack(eligibility=())
    there.do("applications/a2", "approve")
    assert there.do(NAME, "approve").state == A.STATE_APPROVED


def test_a_refused_action_changes_nothing() -> None:
    there = noticed()
    before = {name: copied(record) for name, record in there.records.items()}
    with pytest.raises(DomainError):
        there.do(NAME, "approve", approved_fen=FEN + 1)
    assert there.records == before
    assert from_date(there.today) == day(8)

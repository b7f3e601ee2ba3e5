"""Programmes and calls: who leads, how much a year, which window."""

from typing import Any

import pytest

from kernel.case import Caller, Role
from kernel.dates import ONE_DAY
from kernel.errors import Denied, Invalid, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.domain import CALL, PROGRAMME
from tests.unit.fake_case import TODAY, checked
from tests.unit.funding_world import (
    CALL_NAME,
    CALLERS,
    FEN,
    NAME,
    PROGRAMME_NAME,
    YEAR,
    C,
    P,
    World,
    application,
    call,
    day,
    programme,
    refused,
    world,
)


def new_programme(caller: Caller = CALLERS[Role.CASE_OFFICER], **more: Any) -> pb.Programme:
    given = programme(lead_department="", funding_source="", **more)
    new: pb.Programme = checked(PROGRAMME, given, World().case(caller))
    return new


def test_the_pack_says_who_leads_a_programme_and_who_pays() -> None:
    new = new_programme()
    assert (new.lead_department, new.funding_source) == ("DST", "provincial")


def test_a_programme_outside_the_pack_is_led_by_the_callers_department() -> None:
    other = Caller("accounts/x", "DIIT", frozenset({Role.CASE_OFFICER}))
    assert new_programme(other, policy="").lead_department == "DIIT"


def test_a_department_cannot_register_another_ones_programme() -> None:
    other = Caller("accounts/x", "DIIT", frozenset({Role.CASE_OFFICER}))
    with refused(Invalid, "NOT_THE_LEAD"):
        new_programme(other)


def test_a_year_has_one_ceiling() -> None:
    twice = [pb.Ceiling(year=YEAR, ceiling_fen=1), pb.Ceiling(year=YEAR, ceiling_fen=2)]
    with refused(Invalid, "YEAR_TWICE"):
        new_programme(ceilings=twice)


def test_a_programme_without_ceiling_cannot_be_activated() -> None:
    draft = programme(state=P.STATE_DRAFT, ceilings=[])
    with refused(Invalid, "REQUIRED"):
        World().put(draft).do(PROGRAMME_NAME, "activate")


def test_the_author_of_a_programme_cannot_activate_it() -> None:
    draft = programme(state=P.STATE_DRAFT, author=CALLERS[Role.APPROVER].actor)
    with refused(Denied, "FOUR_EYES"):
        World().put(draft).do(PROGRAMME_NAME, "activate")


def test_a_funding_source_is_one_of_the_packs() -> None:
    there = World()
    with pytest.raises(Invalid) as refusal:
        checked(PROGRAMME, programme(funding_source="lottery"), there.case())
    assert refusal.value.field == "funding_source"


def test_a_ceiling_may_fall_to_what_is_committed_and_no_lower() -> None:
    there = world()
    there.walk(NAME, "approve")
    with refused(Refused, "BELOW_COMMITTED"):
        there.do(PROGRAMME_NAME, "set_ceiling", ceiling_fen=FEN - 1)
    changed = there.do(PROGRAMME_NAME, "set_ceiling", ceiling_fen=FEN)
    assert [(c.year, c.ceiling_fen) for c in changed.ceilings] == [(YEAR, FEN)]
    assert changed.ceilings[0].document_number


def test_a_programme_closes_only_when_nothing_is_owed() -> None:
    there = world()
    there.walk(NAME, "pay_instalment")
    with refused(Refused, "COMMITMENTS_OPEN"):
        there.do(PROGRAMME_NAME, "close")
    there.do(NAME, "terminate")
    assert there.do(PROGRAMME_NAME, "close").state == P.STATE_CLOSED


def test_a_suspended_programme_publishes_and_awards_nothing_but_pays_on() -> None:
    there = world().put(application(2), call(name="calls/next", state=C.STATE_DRAFT))
    there.walk(NAME, "sign_contract")
    there.today = TODAY
    there.walk("applications/a2", "publish_notice")
    there.do(PROGRAMME_NAME, "suspend")
    there.today += ONE_DAY * 8
    with refused(Refused, "PROGRAMME_NOT_ACTIVE"):
        there.do("calls/next", "publish")
    with refused(Refused, "PROGRAMME_NOT_ACTIVE"):
        there.do("applications/a2", "approve")
    assert there.do(NAME, "pay_instalment").paid_fen
    there.do(PROGRAMME_NAME, "resume")
    assert there.do("applications/a2", "approve").approved_fen == FEN


def draft_call(**more: Any) -> World:
    return World().put(programme(), call(state=C.STATE_DRAFT, **more))


def test_a_window_cannot_end_before_it_begins() -> None:
    there = draft_call()
    with refused(Invalid, "DATES_REVERSED"):
        checked(CALL, call(close_date=day(-11)), there.case())


def test_a_consortium_cannot_be_at_least_more_than_at_most() -> None:
    with refused(Invalid, "CONSORTIUM_BOUNDS"):
        checked(CALL, call(consortium_min=4, consortium_max=3), draft_call().case())


def test_a_call_belongs_to_its_programmes_department() -> None:
    other = Caller("accounts/x", "DIIT", frozenset({Role.CASE_OFFICER}))
    with refused(Invalid, "NOT_THE_LEAD"):
        checked(CALL, call(), draft_call().case(other))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"close_date": day(-1)}, "WINDOW_OVER"),
        ({"year": YEAR + 1}, "CEILING_EXCEEDED"),
        ({"max_award_fen": 1_000_000_001}, "CEILING_EXCEEDED"),
    ],
)
def test_a_call_is_not_published_when_nobody_could_win(more: dict[str, Any], code: str) -> None:
    with refused(Refused, code):
        draft_call(**more).do(CALL_NAME, "publish")


def test_a_published_call_has_its_document_and_its_day() -> None:
    published = draft_call().do(CALL_NAME, "publish")
    assert (published.document_number, published.publish_date) == ("豫科〔2026〕1号", day(0))


def test_a_window_is_extended_from_its_last_day_on() -> None:
    there = world()
    with refused(Invalid, "DATE_TOO_EARLY"):
        there.do(CALL_NAME, "extend", close_date=day(30))
    longer = there.do(CALL_NAME, "extend", close_date=day(31))
    assert longer.close_date == day(31)
    assert [(e.before, e.after) for e in longer.extensions] == [(day(30), day(31))]


def test_a_call_closes_only_after_its_last_day() -> None:
    there = world(today=TODAY + ONE_DAY * 30)
    with refused(Refused, "WINDOW_OPEN"):
        there.do(CALL_NAME, "close")
    there.today += ONE_DAY
    assert there.do(CALL_NAME, "close").state == C.STATE_CLOSED


def test_a_call_needs_its_window() -> None:
    with refused(Invalid, "REQUIRED"):
        checked(CALL, call(open_date=None), draft_call().case())


def test_a_cancelled_call_takes_no_applications() -> None:
    there = world()
    assert there.do(CALL_NAME, "cancel").cancel_reason
    with refused(Refused, "CALL_NOT_OPEN"):
        there.do(NAME, "submit")

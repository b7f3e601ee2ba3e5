"""The act that sets a platform up, its number, and the pack's own kinds."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from kernel.dates import ONE_DAY, from_date, to_date
from kernel.pack import (
    Kind,
    Pack,
    load,
)
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.domain import LIFECYCLE
from tests.unit.fake_case import TODAY, FakeCase, checked
from tests.unit.platforms_story import (
    AFTERWARDS,
    AGREES,
    DOCUMENT,
    ENDINGS,
    REVIEWED,
    TO_NOTICE,
    S,
    act,
    case,
    day,
    lived,
    opinions,
    platform,
    refusal,
)


def test_official_numbers_are_gapless_in_kind_and_year() -> None:
    at = case(today=AFTERWARDS)
    published = lived(*TO_NOTICE)
    filed = lived("submit", "accept", kind="new-institute")
    numbers = [act(published, "recognize", at).official_number for _ in range(2)]
    assert numbers == ["豫-KL-2026-0001", "豫-KL-2026-0002"]
    assert act(filed, "put_on_file", at).official_number == "豫-NI-2026-0001"
    next_year = case(today=datetime.date(2027, 1, 1), numbers=at.numbers)
    assert act(published, "recognize", next_year).official_number == "豫-KL-2027-0001"
    assert at.numbers == {"lab/2026": 2, "new-institute/2026": 1, "lab/2027": 1}


def test_a_refused_recognition_takes_no_number() -> None:
    at = case()
    refusal(lambda: act(lived(*TO_NOTICE), "recognize", at))
    assert not at.numbers


@pytest.mark.parametrize("wrong", ["approve", "put_on_file"])
def test_a_kind_has_one_ending(wrong: str) -> None:
    error = refusal(lambda: act(lived(*TO_NOTICE), wrong, case(today=AFTERWARDS)))
    assert (error.code, "allowed: recognize" in error.en) == ("WRONG_ENDING", True)


def test_a_kind_that_skips_every_step_is_put_on_file_from_acceptance() -> None:
    filed = lived("submit", "accept", "put_on_file", kind="new-institute")
    assert filed.state == S.STATE_PUT_ON_FILE
    assert filed.document_number == DOCUMENT["document_number"]
    assert act(filed, "start_operation").state == S.STATE_OPERATING


def test_a_recognition_names_every_step_that_is_missing() -> None:
    accepted = lived("submit", "recommend", "accept")
    error = refusal(lambda: act(accepted, "recognize"))
    assert "formal_check, expert_review, joint_review, public_notice" in error.en
    assert "形式审查、专家评审、会签、公示" in error.zh


def test_a_nurtured_kind_is_reviewed_again_before_it_is_recognized() -> None:
    published = lived("submit", "accept", *REVIEWED, kind="centre")
    assert refusal(lambda: act(published, "recognize", case(today=AFTERWARDS))).code == (
        "NURTURE_MISSING"
    )
    nurtured = lived("nurture", record=published)
    assert (nurtured.state, nurtured.HasField("public_notice")) == (S.STATE_NURTURED, False)
    at = case(today=AFTERWARDS)
    again = act(nurtured, "record_expert_review", at)
    assert refusal(lambda: act(again, "recognize", at)).code == "STEP_MISSING"
    again = act(again, "publish_notice", at, start_date=from_date(AFTERWARDS))
    assert refusal(lambda: act(again, "nurture", at)).code == "NURTURE_FORBIDDEN"
    later = case(today=datetime.date(2026, 7, 1))
    assert act(again, "recognize", later).official_number == "豫-MC-2026-0001"


def test_an_expert_review_before_the_nurture_does_not_count_after_it() -> None:
    nurtured = lived("submit", "accept", *REVIEWED, "nurture", kind="centre")
    nurtured.state = S.STATE_EXPERT_REVIEWED
    error = refusal(lambda: act(nurtured, "publish_notice", case(today=AFTERWARDS)))
    assert "expert_review" in error.en


def ending_of(own: Kind, pack: Pack) -> pb.Platform:
    """Return a platform of the kind, set up through every step, each a day after the one before."""

    def step(action: str, **said: Any) -> None:
        nonlocal record, today
        over = to_date(record.public_notice.end_date) if action in ENDINGS else None
        today = max(today, over or today) + ONE_DAY
        record = act(record, action, FakeCase(pack=pack, today=today), **said)

    rich = {f.id: f.value for f in own.requirements}
    today = TODAY
    record = checked(LIFECYCLE, platform(kind=own.id, **rich), FakeCase(pack=pack))
    for action in ("submit", "recommend", "accept", "pass_formal_check"):
        step(action)
    for ending in ("nurture", own.ending) if own.nurtured else (own.ending,):
        step("record_expert_review")
        if own.joint:
            step("open_joint_review")
            answers = opinions(*((d, AGREES) for d in own.joint))
            step("conclude_joint_review", opinions=answers)
        step("publish_notice", start_date=from_date(today + ONE_DAY))
        step(ending, **({"due_date": day(900)} if ending == "nurture" else {}))
    return record


def test_every_kind_of_the_pack_reaches_its_ending_and_its_grades() -> None:
    pack = load(Path(__file__).parents[2] / "packs" / "henan")
    at = FakeCase(pack=pack, today=datetime.date(2026, 12, 1))
    own_kinds = [k for k in pack.kinds if k.id != "unclassified"]
    assert len(own_kinds) >= 15
    for own in own_kinds:
        record = ending_of(own, pack)
        assert record.official_number == f"豫-{own.code}-2026-0001"
        if "construction" in own.skips:
            record = act(record, "start_operation", at)
        else:
            record = act(record, "start_construction", at, due_date=day(600))
            record = act(record, "pass_acceptance", at)
        for given in own.grades:
            due = day(900) if given.effect == "rectify" else None
            graded = act(record, "evaluate", at, grade=given.id, rectification_due_date=due)
            assert (graded.state == S.STATE_OPERATING) == (given.effect == "keep")

"""Construction, evaluation, rectification, and what befalls a platform: links on both sides."""

import datetime
from typing import Any

import pytest

from kernel.dates import ONE_DAY, from_date, to_date
from kernel.errors import NotFound
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.rules import ESTABLISHED
from tests.unit.fake_case import TODAY
from tests.unit.platforms_story import (
    AFTERWARDS,
    CODE,
    DOCUMENT,
    OTHER_CODE,
    TO_NOTICE,
    S,
    act,
    case,
    day,
    heirs,
    lived,
    operating,
    platform,
    refusal,
)


@pytest.mark.parametrize(
    ("due", "fits"), [(datetime.date(2028, 3, 16), True), (datetime.date(2028, 3, 17), False)]
)
def test_a_construction_takes_no_longer_than_its_kind_allows(
    due: datetime.date, fits: bool
) -> None:
    recognized = lived(*TO_NOTICE, "recognize")
    if fits:
        started = act(recognized, "start_construction", due_date=from_date(due))
        assert started.state == S.STATE_UNDER_CONSTRUCTION
    else:
        error = refusal(lambda: act(recognized, "start_construction", due_date=from_date(due)))
        assert error.code == "CONSTRUCTION_TOO_LONG"


def test_a_construction_of_the_last_day_of_a_month_ends_with_the_shorter_month() -> None:
    at = case(today=datetime.date(2026, 2, 28) + ONE_DAY * 1)
    recognized = platform(S.STATE_RECOGNIZED)
    due = from_date(datetime.date(2028, 3, 1))
    assert act(recognized, "start_construction", at, due_date=due).construction.due_date == due
    leap = case(today=datetime.date(2028, 2, 29))
    late = from_date(datetime.date(2030, 3, 1))
    error = refusal(lambda: act(recognized, "start_construction", leap, due_date=late))
    assert "2030-02-28" in error.en


def test_an_extension_is_later_than_the_day_before_it() -> None:
    started = lived(*TO_NOTICE, "recognize", "start_construction")
    assert refusal(lambda: act(started, "extend_construction", due_date=day(700))).field
    assert act(started, "extend_construction", due_date=day(701)).construction.extensions_count == 1


def test_a_kind_that_is_built_does_not_operate_before_its_acceptance() -> None:
    recognized = lived(*TO_NOTICE, "recognize")
    assert refusal(lambda: act(recognized, "start_operation")).code == "STEP_MISSING"


def test_a_grade_keeps_rectifies_or_revokes_as_the_pack_says() -> None:
    due = day(90)
    assert act(operating(), "evaluate").state == S.STATE_OPERATING
    warned = act(operating(), "evaluate", grade="warned", rectification_due_date=due)
    assert (warned.state, warned.rectification.due_date) == (S.STATE_IN_RECTIFICATION, due)
    failed = act(operating(), "evaluate", grade="failed")
    assert (failed.state, failed.end.reason) == (S.STATE_REVOKED, "lab类2026年度评价：不合格")


def test_a_grade_of_another_kind_is_refused_with_the_grades_of_this_one() -> None:
    error = refusal(lambda: act(operating(), "evaluate", grade="良好"))
    assert "excellent, warned, failed" in error.en
    assert "warned（警告）" in error.zh


@pytest.mark.parametrize(("key", "due"), [("warned", None), ("excellent", day(90))])
def test_a_rectification_is_due_exactly_where_the_grade_demands_one(key: str, due: Any) -> None:
    error = refusal(lambda: act(operating(), "evaluate", grade=key, rectification_due_date=due))
    assert error.field == "rectification_due_date"


@pytest.mark.parametrize("year", [2025, 2026])
def test_a_round_is_evaluated_once_and_rounds_go_forward(year: int) -> None:
    evaluated = act(operating(), "evaluate")
    assert refusal(lambda: act(evaluated, "evaluate", round=year)).code == "ROUND_EVALUATED"
    assert len(act(evaluated, "evaluate", round=2028).evaluations) == 2


def test_a_rectification_is_in_time_on_its_last_day_and_late_on_the_next() -> None:
    warned = act(operating(), "evaluate", grade="warned", rectification_due_date=day(90))
    last = TODAY + ONE_DAY * 90
    done = act(warned, "complete_rectification", case(today=last), result="已整改")
    assert (done.state, done.rectification.result) == (S.STATE_OPERATING, "已整改")
    late = case(today=last + ONE_DAY)
    assert refusal(lambda: act(warned, "complete_rectification", late)).code == "DUE_DATE_PASSED"
    assert act(warned, "evaluate", late, round=2028).state == S.STATE_OPERATING


@pytest.mark.parametrize("state", ESTABLISHED)
def test_a_renamed_platform_keeps_its_state_and_its_former_titles(state: int) -> None:
    once = act(platform(state), "rename")
    twice = act(once, "rename", title="第三名称", english_title="Third")
    assert (twice.state, twice.title) == (state, "第三名称")
    assert twice.former_titles == ["嵩山实验室", "中原嵩山实验室"]


@pytest.mark.parametrize("title", ["嵩山实验室", " 嵩山实验室 ", " "])
def test_a_new_title_is_new(title: str) -> None:
    assert refusal(lambda: act(operating(), "rename", title=title)).code == "TITLE_UNCHANGED"


def test_a_new_supporting_unit_is_another_one_with_a_right_code() -> None:
    changed = act(operating(), "change_supporting_unit")
    assert changed.supporting_unit_code == OTHER_CODE
    assert [unit.code for unit in changed.former_supporting_units] == [CODE]
    for code in (CODE, "", "914403001922038217"):
        unit = pb.Unit(name="丙", code=code)
        refused = refusal(
            lambda unit=unit: act(operating(), "change_supporting_unit", supporting_unit=unit)
        )
        assert refused.field == "supporting_unit.code"


def test_a_merger_is_known_on_both_sides() -> None:
    at = heirs()
    merged = act(operating(), "merge", at)
    assert (merged.state, merged.successors) == (S.STATE_MERGED, ["platforms/heir"])
    assert at.changed["platforms/heir"].predecessors == ["platforms/songshan"]
    assert at.changed["platforms/heir"].state == S.STATE_OPERATING


def test_a_split_is_known_on_every_side() -> None:
    at = heirs()
    assert act(operating(), "split", at).successors == ["platforms/heir", "platforms/second"]
    assert {tuple(p.predecessors) for p in at.changed.values()} == {("platforms/songshan",)}
    assert len(at.changed) == 2


def test_an_upgrade_says_to_what_and_is_known_on_both_sides() -> None:
    at = heirs()
    upgraded = act(operating(), "upgrade", at, successor="platforms/heir", title="国家中心")
    assert upgraded.end.upgraded_level == pb.LEVEL_NATIONAL
    assert (upgraded.end.upgraded_kind, upgraded.end.upgraded_title) == ("lab", "国家中心")
    assert at.changed["platforms/heir"].predecessors == ["platforms/songshan"]
    assert not act(operating(), "upgrade").successors


@pytest.mark.parametrize(
    ("level", "kind_id"),
    [(pb.LEVEL_PROVINCIAL, ""), (pb.LEVEL_PROVINCIAL, "lab"), (pb.LEVEL_MUNICIPAL, "base")],
)
def test_an_upgrade_leads_up_or_to_another_kind(level: int, kind_id: str) -> None:
    error = refusal(lambda: act(operating(), "upgrade", level=level, kind=kind_id))
    assert error.code == "NOT_AN_UPGRADE"
    assert act(operating(), "upgrade", level=pb.LEVEL_PROVINCIAL, kind="base").end.upgraded_kind


def test_nothing_goes_into_itself_into_nothing_or_into_what_has_ended() -> None:
    own = "platforms/songshan"
    assert refusal(lambda: act(operating(), "merge", into=own)).code == "LINK_TO_ITSELF"
    with pytest.raises(NotFound):
        act(operating(), "merge")
    ended = case(records={"platforms/heir": platform(S.STATE_CLOSED, name="platforms/heir")})
    error = refusal(lambda: act(operating(), "merge", ended))
    assert (error.code, error.field) == ("SUCCESSOR_NOT_ESTABLISHED", "into")


@pytest.mark.parametrize("action", ["close", "revoke"])
def test_an_end_keeps_why_when_and_by_which_document(action: str) -> None:
    ended = act(operating(), action, case(today=AFTERWARDS)).end
    assert (ended.reason, to_date(ended.end_date)) == ("到期", AFTERWARDS)
    assert ended.document_number == DOCUMENT["document_number"]

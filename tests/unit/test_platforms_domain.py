"""A platform's table, every pair of it, and what is checked when a platform enters."""

from contextlib import suppress
from typing import Any, cast

import pytest

from kernel.case import Caller, Role
from kernel.errors import DomainError, Invalid, Refused
from luoshu.journal.v1.journal_pb2 import Origin
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.domain import LIFECYCLE
from services.platforms.rules import CANDIDATE, ESTABLISHED
from services.platforms.store import PLATFORMS
from tests.unit.fake_case import checked, copied, states
from tests.unit.platforms_story import (
    CODE,
    ENDINGS,
    OTHER_CODE,
    S,
    act,
    case,
    day,
    heirs,
    platform,
    refusal,
)

MOVED = {(source, move.name) for move in LIFECYCLE.moves for source in move.sources}
PAIRS = [(state, action) for state in states(LIFECYCLE) for action in LIFECYCLE.actions]


@pytest.mark.parametrize(("state", "action"), PAIRS)
def test_an_action_is_found_in_the_table_or_refused_with_what_is_allowed(
    state: int, action: str
) -> None:
    if (state, action) in MOVED:
        assert LIFECYCLE.line(state, action).name == action
        return
    with pytest.raises(Refused, match=f"cannot {action} while {S.Name(state)}; allowed: "):
        LIFECYCLE.line(state, action)


@pytest.mark.parametrize(("state", "action"), sorted(MOVED - {(s, "update") for s, _ in MOVED}))
def test_an_action_leads_to_a_state_of_its_line_or_is_refused(state: int, action: str) -> None:
    at = heirs()
    before = platform(state)
    before.completion_requests.add(due_date=day(3))
    kept = copied(before)
    with suppress(DomainError):
        assert act(before, action, at).state in LIFECYCLE.line(state, action).targets
    assert before == kept


def test_every_rpc_of_an_action_has_a_line_and_every_line_an_rpc() -> None:
    common = ("Create", "Get", "List", "Update", "BatchCreate", "Import", "Watch")
    rpcs = {m.name for m in PLATFORMS.contract.methods if not m.name.startswith(common)}
    camel = {"".join(w.capitalize() for w in a.split("_")) for a in LIFECYCLE.actions}
    assert rpcs == {f"{name}Platform" for name in camel - {"Update"}}


def test_every_state_can_be_reached_and_every_end_is_an_end() -> None:
    reached = {LIFECYCLE.initial} | {t for move in LIFECYCLE.moves for t in move.targets}
    assert reached == set(states(LIFECYCLE))
    ends = [s for s in states(LIFECYCLE) if not list(LIFECYCLE.of_state(s))]
    assert [S.Name(cast(Any, s)) for s in ends] == [
        "STATE_REFUSED",
        "STATE_REJECTED",
        "STATE_WITHDRAWN",
        "STATE_REVOKED",
        "STATE_UPGRADED",
        "STATE_MERGED",
        "STATE_SPLIT",
        "STATE_CLOSED",
    ]


def test_nobody_sees_an_application_before_it_is_decided() -> None:
    before = {S.STATE_DRAFT, *CANDIDATE, S.STATE_IN_PUBLIC_NOTICE, S.STATE_REJECTED}
    assert not LIFECYCLE.public & before
    assert set(ESTABLISHED) < LIFECYCLE.public


def test_whoever_registered_a_platform_does_not_set_it_up() -> None:
    four_eyes = {move.name for move in LIFECYCLE.moves if move.four_eyes}
    assert four_eyes >= {*ENDINGS, "pass_acceptance", "evaluate", "revoke", "merge", "split"}


def test_a_new_platform_gets_lead_and_level_from_its_kind() -> None:
    new = checked(LIFECYCLE, platform(level=pb.LEVEL_UNSPECIFIED), case())
    assert (new.lead_department, new.level) == ("DST", pb.LEVEL_PROVINCIAL)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": " "}, "title"),
        ({"kind": "unheard-of"}, "kind"),
        ({"kind": "unclassified"}, "kind"),
        ({"supporting_unit_code": ""}, "supporting_unit_code"),
        ({"supporting_unit_code": "91110000710926094Q"}, "supporting_unit_code"),
        ({"co_building_units": [pb.Unit(name="甲", code="9")]}, "co_building_units[0].code"),
        ({"division": "110000"}, "division"),
        ({"direction": "alchemy"}, "direction"),
    ],
)
def test_a_wrong_field_is_named(wrong: dict[str, Any], field: str) -> None:
    error = refusal(lambda: checked(LIFECYCLE, platform(**wrong), case()))
    assert isinstance(error, Invalid)
    assert error.field == field


@pytest.mark.parametrize("code", [CODE, OTHER_CODE, "91330100799655058B", "91110108551385082Q"])
def test_a_real_credit_code_is_accepted(code: str) -> None:
    new = checked(LIFECYCLE, platform(supporting_unit_code=code), case())
    assert new.supporting_unit_code == code


APPLICANT = Caller("wang", CODE, frozenset({Role.APPLICANT}))


@pytest.mark.parametrize("revision", [0, 3])
def test_an_applicant_enters_no_platform_in_another_units_name(revision: int) -> None:
    mine = platform(owner_unit=CODE, supporting_unit_code=OTHER_CODE, revision=revision)
    error = refusal(lambda: checked(LIFECYCLE, mine, case(caller=APPLICANT)))
    assert (error.field, error.code) == ("supporting_unit_code", "NOT_THE_UNIT")


def test_an_applicant_corrects_what_an_officer_entered_from_paper() -> None:
    entered = platform(owner_unit="DST", supporting_unit_code=OTHER_CODE, revision=3)
    assert checked(LIFECYCLE, entered, case(caller=APPLICANT)).supporting_unit_code == OTHER_CODE


def test_an_applicants_platform_is_its_own_units_where_it_names_none() -> None:
    mine = platform(owner_unit=CODE, supporting_unit_code="")
    assert checked(LIFECYCLE, mine, case(caller=APPLICANT)).supporting_unit_code == CODE


def test_a_case_officer_and_a_historical_row_name_any_unit() -> None:
    for at in (case(), case(importing=True, caller=APPLICANT)):
        new = checked(LIFECYCLE, platform(owner_unit="DST", supporting_unit_code=OTHER_CODE), at)
        assert new.supporting_unit_code == OTHER_CODE


@pytest.mark.parametrize("level", [pb.LEVEL_NATIONAL, pb.LEVEL_MUNICIPAL])
def test_nobody_applies_for_a_level_that_the_kind_has_not(level: Any) -> None:
    error = refusal(lambda: checked(LIFECYCLE, platform(level=level), case()))
    assert (error.field, error.code) == ("level", "LEVEL_NOT_OF_KIND")
    historical_one = checked(LIFECYCLE, platform(level=level), case(importing=True))
    assert historical_one.level == level


def historical(name: str, **more: Any) -> pb.Platform:
    origin = Origin(source="ror", key=name, foreign_id=f"https://ror.org/{name}")
    said = {"supporting_unit_code": "", "division": "110000", "direction": "", **more}
    said = {"kind": "unclassified", "level": pb.LEVEL_UNSPECIFIED, **said}
    return platform(S.STATE_OPERATING, name=f"platforms/{name}", origin=origin, **said)


def test_a_historical_row_needs_neither_kind_nor_credit_code_nor_a_division_of_here() -> None:
    row = historical("abc")
    assert checked(LIFECYCLE, row, case(importing=True)) == row


def test_a_historical_row_without_any_identifier_is_refused() -> None:
    row = historical("abc")
    row.ClearField("origin")
    error = refusal(lambda: checked(LIFECYCLE, row, case(importing=True)))
    assert error.field == "supporting_unit_code"


@pytest.mark.parametrize(("mine", "theirs"), [("successors", "predecessors")])
def test_an_imported_link_stands_on_both_sides_whichever_side_names_it(
    mine: str, theirs: str
) -> None:
    for one, other in ((mine, theirs), (theirs, mine)):
        at = case(importing=True, records={"platforms/old": historical("old")})
        checked(LIFECYCLE, historical("new", **{one: ["platforms/old"]}), at)
        assert getattr(at.changed["platforms/old"], other) == ["platforms/new"]


def test_a_later_row_keeps_the_links_that_earlier_rows_made() -> None:
    records = {
        "platforms/old": historical("old", successors=["platforms/new"]),
        "platforms/new": historical("new", predecessors=["platforms/old"]),
    }
    at = case(importing=True, records=records)
    again = checked(LIFECYCLE, historical("old", title="更名", former_titles=["旧名"]), at)
    assert again.successors == ["platforms/new"]
    assert not at.changed


def test_an_imported_link_to_what_no_row_told_of_is_kept_on_its_own_side() -> None:
    at = case(importing=True)
    row = checked(LIFECYCLE, historical("new", predecessors=["platforms/never"]), at)
    assert row.predecessors == ["platforms/never"]
    assert not at.changed


def test_a_department_classifies_only_into_kinds_that_it_leads() -> None:
    other = Caller("accounts/x", "DRC", frozenset({Role.CASE_OFFICER}))
    denied = refusal(lambda: act(historical("abc"), "classify", case(caller=other)))
    assert denied.code == "NOT_THE_LEAD"


def test_an_imported_platform_is_classified_once() -> None:
    classified = act(historical("abc"), "classify")
    assert (classified.kind, classified.lead_department) == ("lab", "DST")
    assert classified.state == S.STATE_OPERATING
    assert refusal(lambda: act(classified, "classify")).code == "CLASSIFIED_ALREADY"
    nothing = {"kind": "unclassified", "level": pb.LEVEL_PROVINCIAL}
    assert refusal(lambda: act(historical("abc"), "classify", **nothing)).field == "kind"

"""A breakthrough's table, its proposal, and historical rows, without kernel, database and clock."""

import datetime
from typing import Any

import pytest
from google.api import field_behavior_pb2

from kernel.case import Role
from kernel.columns import fields_of
from kernel.dates import from_date
from kernel.errors import Invalid, Refused
from kernel.lifecycle import Of
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies.domain import LIFECYCLE
from services.technologies.store import TECHNOLOGIES
from tests.unit.technologies_story import (
    BOILER,
    TODAY,
    Stage,
    State,
    Target,
    a_case,
    a_proposal,
    act,
    checked,
    day,
    refused,
)

# What each state allows, said a second time: the table must agree with it, cell by cell.
LINKS = {"link_platform", "unlink_platform"}
ALLOWED = {
    "STATE_UNSPECIFIED": set[str](),
    "STATE_DRAFT": {"update", "propose"},
    "STATE_RETURNED": {"update", "propose"},
    "STATE_PROPOSED": {"return_to_proposer", "decline", "enlist"},
    "STATE_DECLINED": set(),
    "STATE_LISTED": {
        "circulate", "conclude_circulation", "publish_for_bids", "commission", "terminate",
    },
    "STATE_BIDDING": {"submit_bid", "withdraw_bid", "close_bids", "terminate"},
    "STATE_BIDS_CLOSED": {
        "reveal_bid", "lapse_bids", "reschedule", "score_bid", "select_bidder", "relist", "terminate",
    },
    "STATE_UNDERTAKEN": {"plan_milestones", "start", "change_plan", "terminate", *LINKS},
    "STATE_IN_PROGRESS": {
        "add_milestone", "reach_milestone", "assess", "change_plan", "submit_for_acceptance",
        "terminate", *LINKS,
    },
    "STATE_IN_ACCEPTANCE": {"assess", "accept", "terminate", *LINKS},
    "STATE_BROKEN_THROUGH": LINKS,
    "STATE_NOT_REACHED": LINKS,
    "STATE_COMPLETED": {"assess", "accept", *LINKS},
    "STATE_TERMINATED": set(),
}  # fmt: skip
CELLS = [(state, action) for state in State.keys() for action in LIFECYCLE.actions]  # noqa: SIM118


# The table.


@pytest.mark.parametrize(("state", "action"), CELLS)
def test_a_state_allows_exactly_the_actions_said_of_it(state: str, action: str) -> None:
    if action in ALLOWED[state]:
        assert LIFECYCLE.line(State.Value(state), action).name == action
    else:
        with pytest.raises(Refused, match=action):
            LIFECYCLE.line(State.Value(state), action)


def test_every_action_has_an_rpc_and_every_other_rpc_is_common() -> None:
    methods = {
        method.name for method in pb.DESCRIPTOR.services_by_name["TechnologyService"].methods
    }
    told = {"".join(w.title() for w in a.split("_")) + "Breakthrough" for a in LIFECYCLE.actions}
    common = {
        "CreateBreakthrough", "GetBreakthrough", "ListBreakthroughs", "BatchCreateBreakthroughs",
        "ImportBreakthroughs", "WatchBreakthroughs", "ListBreakthroughRevisions",
    }  # fmt: skip
    assert methods == told | common


def test_every_state_but_the_unsaid_one_can_be_reached() -> None:
    targets = {target for move in LIFECYCLE.moves for target in move.targets}
    imported_only = {State.STATE_COMPLETED}
    assert targets | imported_only | {State.STATE_UNSPECIFIED, LIFECYCLE.initial} == set(
        State.values()
    )


def test_what_gives_work_or_ends_it_takes_an_approver_who_is_not_the_author() -> None:
    guarded = {
        "enlist",
        "decline",
        "select_bidder",
        "commission",
        "change_plan",
        "accept",
        "terminate",
    }
    found = {move.name for move in LIFECYCLE.moves if move.by == (Role.APPROVER,)}
    assert found == guarded
    assert all(move.four_eyes for move in LIFECYCLE.moves if move.name in guarded)


def test_nothing_is_public_before_it_is_listed() -> None:
    hidden = {
        "STATE_UNSPECIFIED",
        "STATE_DRAFT",
        "STATE_PROPOSED",
        "STATE_RETURNED",
        "STATE_DECLINED",
    }
    assert LIFECYCLE.public == {State.Value(name) for name in ALLOWED if name not in hidden}


def test_any_unit_may_bid() -> None:
    assert LIFECYCLE.line(State.STATE_BIDDING, "submit_bid").relation(Role.APPLICANT) is Of.ANY


def test_what_actions_decide_is_closed_to_the_proposer() -> None:
    only_out = field_behavior_pb2.OUTPUT_ONLY
    behaviour = field_behavior_pb2.field_behavior
    writable = {
        field.name for field in pb.Breakthrough.DESCRIPTOR.fields
        if only_out not in field.GetOptions().Extensions[behaviour] and field.number >= 20
    }  # fmt: skip
    assert writable == {
        "title", "english_title", "abstract", "direction", "track", "sei_code", "readiness_scale",
        "baseline_level", "target_level", "leader", "planned_start_date", "planned_end_date",
        "budget_fen", "benefits",
    }  # fmt: skip


def test_every_column_is_one_that_the_kernel_can_keep_and_search_by() -> None:
    (resource,) = TECHNOLOGIES.resources
    paths = {field.path for field in fields_of(resource)}
    assert {column.path for column in resource.columns} <= paths


# The proposal.


def test_a_proposal_gets_its_scale_and_its_lead_department() -> None:
    record = checked(a_proposal(lead_department="", readiness_scale=""), a_case())
    assert (record.readiness_scale, record.lead_department) == ("iso16290", "DST")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": " \u3000"}, "title"),
        ({"direction": "alchemy"}, "direction"),
        ({"direction": "quantum"}, "direction"),
        ({"track": "new-materials"}, "track"),
        ({"sei_code": "0.1"}, "sei_code"),
        ({"readiness_scale": "feet"}, "readiness_scale"),
        ({"target_level": 10}, "target_level"),
        ({"baseline_level": 10}, "baseline_level"),
        ({"target_level": 3}, "target_level"),
        ({"lead_department": "NASA"}, "lead_department"),
        ({"planned_start_date": day(2028, 1, 1)}, "planned_end_date"),
    ],
)
def test_a_senseless_proposal_is_refused_by_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as raised:
        checked(a_proposal(**fields), a_case())
    assert raised.value.field == field
    assert raised.value.zh


def test_a_unit_proposes_to_the_department_that_leads_open_bids() -> None:
    case = a_case(Role.APPLICANT, department=BOILER)
    assert checked(a_proposal(lead_department=""), case).lead_department == "DST"


def test_a_day_that_does_not_exist_is_refused() -> None:
    record = a_proposal()
    record.planned_end_date.CopyFrom(type(record.planned_end_date)(year=2027, month=2, day=29))
    with pytest.raises(Invalid, match="no such day"):
        LIFECYCLE.check(record, a_case())


@pytest.mark.parametrize("field", ["direction", "target_level", "planned_end_date"])
def test_a_proposal_is_not_handed_in_without(field: str) -> None:
    record = a_proposal()
    record.ClearField(field)
    assert refused(Invalid, "REQUIRED", record, "propose", a_case()).field == field


def test_a_returned_proposal_says_why_until_it_is_handed_in_again() -> None:
    record = act(a_proposal(), "propose", a_case())
    record = act(record, "return_to_proposer", a_case(), reason="请补充基线依据")
    assert (record.state, record.return_reason) == (State.STATE_RETURNED, "请补充基线依据")
    assert not act(record, "propose", a_case()).return_reason


def test_a_declined_proposal_keeps_its_reason() -> None:
    record = act(a_proposal(), "propose", a_case())
    ended = act(record, "decline", a_case(Role.APPROVER), reason="与既有项目重复")
    assert (ended.state, ended.end_reason) == (State.STATE_DECLINED, "与既有项目重复")


@pytest.mark.parametrize("action", ["return_to_proposer", "decline"])
def test_a_reason_of_blanks_is_none(action: str) -> None:
    record = act(a_proposal(), "propose", a_case())
    refused(Invalid, "REQUIRED", record, action, a_case(), reason="  ")


# Historical rows, such as NASA TechPort's.


def a_row(state: int, start: int = 0, current: int = 0, end: int = 0, **fields: Any) -> Any:
    row = pb.Breakthrough(
        name="breakthroughs/techport-95499", title="Kilometer Space Telescope", state=state,
        lead_department="DST", baseline_level=start, assessed_level=current, target_level=end,
        completion_date=day(2020, 4, 30), **fields,
    )  # fmt: skip
    return checked(row, a_case(Role.IMPORTER, importing=True, given_day=datetime.date(2020, 4, 30)))


def test_a_row_completed_below_its_target_enters_as_completed_and_not_reached() -> None:
    row = a_row(State.STATE_NOT_REACHED, 2, 2, 3)
    assert (row.completed, row.target_reached) == (True, Target.TARGET_NOT_REACHED)
    assert not row.HasField("target_reached_date")


def test_a_row_at_its_target_enters_as_broken_through_on_its_own_day() -> None:
    row = a_row(State.STATE_BROKEN_THROUGH, 4, 4, 4)
    assert (row.completed, row.target_reached) == (True, Target.TARGET_REACHED)
    assert row.target_reached_date == day(2020, 4, 30)


@pytest.mark.parametrize("levels", [(0, 0, 0), (5, 5, 0), (0, 0, 4)])
def test_a_completed_row_without_levels_says_nothing_about_its_target(levels: Any) -> None:
    row = a_row(State.STATE_COMPLETED, *levels)
    assert (row.completed, row.target_reached) == (True, Target.TARGET_UNSPECIFIED)


def test_an_active_row_at_its_target_is_not_completed() -> None:
    row = a_row(State.STATE_IN_PROGRESS, 2, 5, 5)
    assert (row.completed, row.target_reached) == (False, Target.TARGET_UNSPECIFIED)


@pytest.mark.parametrize(
    ("state", "levels"),
    [
        (State.STATE_BROKEN_THROUGH, (2, 2, 3)),
        (State.STATE_BROKEN_THROUGH, (0, 0, 0)),
        (State.STATE_NOT_REACHED, (2, 3, 3)),
    ],
)
def test_a_row_whose_state_contradicts_its_levels_is_refused(state: int, levels: Any) -> None:
    with pytest.raises(Invalid, match="disagrees") as raised:
        a_row(state, *levels)
    assert (raised.value.field, raised.value.code) == ("state", "STATE_DISAGREES")


def test_a_completed_row_is_concluded_by_a_later_assessment() -> None:
    told = {"level": 5, "stage": Stage.STAGE_ACCEPTANCE, "evidence": "补评"}
    row = act(a_row(State.STATE_COMPLETED, end=4), "assess", a_case(), **told)
    row = act(row, "accept", a_case(Role.APPROVER), document_number="补验1号")
    assert row.state == State.STATE_BROKEN_THROUGH
    assert row.completion_date == day(2020, 4, 30)
    assert row.target_reached_date == from_date(TODAY)


def test_a_completed_row_without_target_is_not_assessed() -> None:
    told = {"level": 5, "stage": Stage.STAGE_ACCEPTANCE, "evidence": "补评"}
    row = a_row(State.STATE_COMPLETED)
    refused(Refused, "TARGET_UNKNOWN", row, "assess", a_case(), **told)

"""A breakthrough's life, from the proposal to what came of it. Pure: no clock, no database."""

from kernel.case import Case, Role
from kernel.dates import to_date
from kernel.errors import Invalid, Problem
from kernel.lifecycle import Lifecycle, Move, Of, Rule, update
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies import readiness
from services.technologies.bids import (
    commission,
    enlist,
    publish_for_bids,
    relist,
    reveal_bid,
    score_bid,
    select_bidder,
    submit_bid,
    withdraw_bid,
)
from services.technologies.milestones import add_milestone, plan_milestones, reach_milestone
from services.technologies.publication import PUBLISHERS, circulate, conclude_circulation
from services.technologies.rules import all_at_once, in_order, words
from services.technologies.window import close_bids, deadlines, lapse_bids, outdated, reschedule
from services.technologies.work import (
    accept,
    assess,
    change_plan,
    link_platform,
    start,
    submit_for_acceptance,
    terminate,
    unlink_platform,
)

State = pb.Breakthrough.State
UNASSIGNED = "UNASSIGNED"
"""The pack's stand-in for imported records that no department leads."""


def check(record: pb.Breakthrough, case: Case) -> None:
    """Hold a new, an edited or an imported record against the pack and itself. Raises Invalid."""
    record.title = words(record.title, "title")
    record.readiness_scale = record.readiness_scale or readiness.DEFAULT_SCALE
    _lead(record, case)
    _from_pack(record, case)
    readiness.on_scale(record, case)
    if case.importing:
        readiness.settle_imported(record, case)
    else:
        _proposal(record)


def _lead(record: pb.Breakthrough, case: Case) -> None:
    """Without one said: the department that registers it, else the one that the pack's rule "
    "names."""
    if not record.lead_department:
        record.lead_department = _usual_lead(case)
    elif not case.importing:
        record.lead_department = _department(record.lead_department.strip(), case)


def _department(said: str, case: Case) -> str:
    """Return a department's id, by its id or one of its names. Raises Invalid, listing them."""
    departments = case.pack.departments
    named = {name: d.id for d in departments for name in (d.zh, d.short_zh, d.en)}
    lead = case.pack.department(named.get(said, said), case.effective, "lead_department")
    if lead.id == UNASSIGNED:
        raise Invalid(
            "nobody acts for UNASSIGNED; say which department leads",
            "“未归口”仅用于导入的历史数据；请填写主管部门",
            field="lead_department",
            reason="UNIT_UNKNOWN",
        )
    return lead.id


def _usual_lead(case: Case) -> str:
    if case.caller.department in case.pack.departments:
        return case.caller.department
    rules = case.pack.rules
    named = rules.get(PUBLISHERS).departments if PUBLISHERS in rules else ()
    if named:
        return named[0]
    raise Invalid(
        "say which department leads: lead_department",
        "请指明牵头部门 lead_department",
        field="lead_department",
        reason="REQUIRED",
    )


def _from_pack(record: pb.Breakthrough, case: Case) -> None:
    """Raise Invalid for what the pack does not know; a historical row is not held to a date."""
    pack, on = case.pack, None if case.importing else case.effective
    if record.direction and pack.directions.get(record.direction, on, "direction").group == "track":
        raise _not_so(
            "direction", record.direction, "is a track; enter it as track", "是赛道；请填写到 track"
        )
    if record.track and pack.directions.get(record.track, on, "track").group != "track":
        raise _not_so(
            "track",
            record.track,
            "is no track; enter it as direction",
            "不是赛道；请填写到 direction",
        )
    if record.sei_code:
        pack.sei_classes.get(record.sei_code.split(".")[0], field="sei_code")


def _not_so(field: str, value: str, en: str, zh: str) -> Invalid:
    return Invalid(f"'{value}' {en}", f"“{value}”{zh}", field=field, reason="WRONG_GROUP")


def _proposal(record: pb.Breakthrough) -> None:
    """What a proposal says of levels and days must make sense; "
    "a historical row is taken as it is."""
    readiness.above_baseline(record.baseline_level, record.target_level, "target_level")
    begins = to_date(record.planned_start_date, "planned_start_date")
    in_order(begins, to_date(record.planned_end_date, "planned_end_date"), "planned_end_date")


def propose(record: pb.Breakthrough, command: pb.ProposeBreakthroughRequest, case: Case) -> None:
    needed = {
        "direction": bool(record.direction),
        "target_level": bool(record.target_level),
        "planned_end_date": record.HasField("planned_end_date"),
    }
    all_at_once(
        [
            Problem(
                field,
                "REQUIRED",
                f"a proposal needs {field}; enter it first (update)",
                f"申报须填写 {field}；请先补充（update）",
            )
            for field, given in needed.items()
            if not given
        ]
    )
    record.ClearField("return_reason")


def return_to_proposer(
    record: pb.Breakthrough, command: pb.ReturnToProposerBreakthroughRequest, case: Case
) -> None:
    record.return_reason = words(command.reason, "reason")


def decline(record: pb.Breakthrough, command: pb.DeclineBreakthroughRequest, case: Case) -> None:
    record.end_reason = words(command.reason, "reason")


DRAFT, PROPOSED, RETURNED = State.STATE_DRAFT, State.STATE_PROPOSED, State.STATE_RETURNED
DECLINED, LISTED, BIDDING = State.STATE_DECLINED, State.STATE_LISTED, State.STATE_BIDDING
BIDS_CLOSED, UNDERTAKEN = State.STATE_BIDS_CLOSED, State.STATE_UNDERTAKEN
IN_PROGRESS, IN_ACCEPTANCE = State.STATE_IN_PROGRESS, State.STATE_IN_ACCEPTANCE
BROKEN_THROUGH, NOT_REACHED = State.STATE_BROKEN_THROUGH, State.STATE_NOT_REACHED
COMPLETED, TERMINATED = State.STATE_COMPLETED, State.STATE_TERMINATED

OFFICER, APPROVER = (Role.CASE_OFFICER,), (Role.APPROVER,)
PROPOSER = (Role.APPLICANT, Role.CASE_OFFICER)
EXPERT = (Role.EXPERT_REVIEWER, Role.CASE_OFFICER)
CONCLUDED = (BROKEN_THROUGH, NOT_REACHED)
CARRIED = (UNDERTAKEN, IN_PROGRESS, IN_ACCEPTANCE, *CONCLUDED, COMPLETED)
UNDER_WAY = (LISTED, BIDDING, BIDS_CLOSED, UNDERTAKEN, IN_PROGRESS, IN_ACCEPTANCE)


def _stay(state: int, action: Rule, by: tuple[Role, ...], of: Of | None = None) -> Move:
    return Move(state, action, state, by, of)


# The undertaking unit is seldom the one that proposed: what it does is open to any unit, and
# `rules.undertaker` asks whether the caller is of it.
LIFECYCLE = Lifecycle(
    states=State,
    initial=DRAFT,
    check=check,
    create_by=PROPOSER,
    public=frozenset({*UNDER_WAY, *CONCLUDED, COMPLETED, TERMINATED}),
    deadlines=deadlines,
    outdated=outdated,
    moves=(
        _stay(DRAFT, update, PROPOSER),
        _stay(RETURNED, update, PROPOSER),
        Move((DRAFT, RETURNED), propose, PROPOSED, PROPOSER),
        Move(PROPOSED, return_to_proposer, RETURNED, OFFICER),
        Move(PROPOSED, decline, DECLINED, APPROVER, four_eyes=True),
        Move(PROPOSED, enlist, LISTED, APPROVER, four_eyes=True),
        _stay(LISTED, circulate, OFFICER),
        _stay(LISTED, conclude_circulation, (Role.SYSTEM,)),
        Move(LISTED, publish_for_bids, BIDDING, OFFICER),
        _stay(BIDDING, submit_bid, (Role.APPLICANT,), Of.ANY),
        _stay(BIDDING, withdraw_bid, (Role.APPLICANT,), Of.ANY),
        Move(BIDDING, close_bids, BIDS_CLOSED, (Role.CASE_OFFICER, Role.SYSTEM)),
        _stay(BIDS_CLOSED, reveal_bid, (Role.APPLICANT,), Of.ANY),
        _stay(BIDS_CLOSED, lapse_bids, (Role.SYSTEM,)),
        _stay(BIDS_CLOSED, reschedule, (Role.SYSTEM,)),
        _stay(BIDS_CLOSED, score_bid, EXPERT),
        Move(BIDS_CLOSED, select_bidder, UNDERTAKEN, APPROVER, four_eyes=True),
        Move(BIDS_CLOSED, relist, LISTED, OFFICER),
        Move(LISTED, commission, UNDERTAKEN, APPROVER, four_eyes=True),
        _stay(UNDERTAKEN, plan_milestones, PROPOSER, Of.ANY),
        Move(UNDERTAKEN, start, IN_PROGRESS, OFFICER),
        _stay(IN_PROGRESS, add_milestone, PROPOSER, Of.ANY),
        Move(IN_PROGRESS, reach_milestone, (IN_PROGRESS, TERMINATED), (*OFFICER, *APPROVER)),
        _stay(IN_PROGRESS, assess, EXPERT),
        Move(UNDERTAKEN, change_plan, UNDERTAKEN, APPROVER, four_eyes=True),
        Move(IN_PROGRESS, change_plan, IN_PROGRESS, APPROVER, four_eyes=True),
        Move(IN_PROGRESS, submit_for_acceptance, IN_ACCEPTANCE, PROPOSER, Of.ANY),
        _stay(IN_ACCEPTANCE, assess, EXPERT),
        _stay(COMPLETED, assess, EXPERT),
        Move((IN_ACCEPTANCE, COMPLETED), accept, CONCLUDED, APPROVER, four_eyes=True),
        Move(UNDER_WAY, terminate, TERMINATED, APPROVER, four_eyes=True),
        *(_stay(state, link_platform, PROPOSER, Of.ANY) for state in CARRIED),
        *(_stay(state, unlink_platform, PROPOSER, Of.ANY) for state in CARRIED),
    ),
)

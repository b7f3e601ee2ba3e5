"""The lifecycles: every pair of state and action, every RPC, the straight path."""

import pytest

from kernel.errors import Refused
from kernel.lifecycle import Lifecycle
from services.funding.domain import APPLICATION, CALL, HOLD, PROGRAMME, SANCTION
from services.funding.store import FUNDING
from tests.unit.fake_case import states
from tests.unit.funding_world import (
    FEN,
    NAME,
    YEAR,
    A,
    refused,
    world,
)

# The tables once more, by state: what may be done there.
CHANGES = "change_person change_unit change_end_date change_budget"
ENDS = "terminate revoke"
ASIDE = "request_override decide_override"
BACK = "conclude_joint_review follow_conditions ask_again"
JUDGED = "withdraw request_completion reject"
ALLOWED = {
    PROGRAMME: {
        "DRAFT": "update activate",
        "ACTIVE": "set_ceiling carry_over suspend close",
        "SUSPENDED": "set_ceiling carry_over resume close",
        "CLOSED": "",
    },
    CALL: {
        "DRAFT": "update publish",
        "PUBLISHED": "extend close cancel",
        "CLOSED": "",
        "CANCELLED": "",
    },
    HOLD: {"OPEN": "follow", "STANDING": "follow", "RELEASED": "follow"},
    SANCTION: {"DRAFT": "update impose", "IMPOSED": "lift", "LIFTED": ""},
    APPLICATION: {
        "DRAFT": f"update submit withdraw {ASIDE}",
        "SUBMITTED": "recommend request_completion withdraw",
        "RETURNED": f"update submit withdraw refuse {ASIDE}",
        "RECOMMENDED": "accept refuse request_completion withdraw",
        "ACCEPTED": f"check_form {JUDGED}",
        "REFUSED": "",
        "FORMALLY_CHECKED": f"check_duplicates {JUDGED}",
        "DUPLICATES_CHECKED": f"record_expert_review {JUDGED}",
        "EXPERT_REVIEWED": f"open_joint_review publish_notice {JUDGED}",
        "IN_JOINT_REVIEW": "conclude_joint_review request_completion",
        "COMPLETING_IN_REVIEW": f"update resubmit end_completion {ASIDE}",
        "JOINTLY_REVIEWED": f"publish_notice follow_conditions {JUDGED}",
        "IN_PUBLIC_NOTICE": "record_objection resolve_objection close_notice reschedule approve follow_comparison "
        f"request_completion reject follow_conditions {ASIDE}",
        "REJECTED": "",
        "WITHDRAWN": "",
        "APPROVED": f"sign_contract follow_conditions {ENDS}",
        "CONTRACTED": f"start record_milestone pay_instalment {BACK} {ENDS} {ASIDE}",
        "IN_PROGRESS": "record_milestone pay_instalment record_mid_term submit_for_acceptance "
        f"{BACK} {CHANGES} {ENDS} {ASIDE}",
        "IN_ACCEPTANCE": f"conclude_acceptance {BACK} {ENDS}",
        "COMPLETED": f"record_milestone pay_instalment evaluate revoke {BACK} {ASIDE}",
        "ACCEPTANCE_FAILED": f"submit_for_acceptance evaluate {BACK} {ENDS}",
        "EVALUATED": f"record_milestone pay_instalment close revoke {BACK} {ASIDE}",
        "CLOSED": "revoke",
        "TERMINATED": "recover revoke",
        "REVOKED": "recover",
    },
}
PAIRS = [
    (lifecycle, state, action)
    for lifecycle in ALLOWED
    for state in states(lifecycle)
    for action in lifecycle.actions
]


@pytest.mark.parametrize(("lifecycle", "state", "action"), PAIRS)
def test_a_pair_is_allowed_only_where_the_table_has_it(
    lifecycle: Lifecycle, state: int, action: str
) -> None:
    allowed = ALLOWED[lifecycle][lifecycle.state_name(state).removeprefix("STATE_")].split()
    if action in allowed:
        assert lifecycle.line(state, action).name == action
        return
    with refused(Refused, "STATE_FORBIDS") as refusal:
        lifecycle.line(state, action)
    assert all(name in refusal.value.en for name in allowed)


def test_every_action_has_its_rpc_and_every_rpc_its_code() -> None:
    methods = {method.name for method in FUNDING.contract.methods}
    actions = {
        "".join(word.capitalize() for word in action.split("_")) + resource.noun
        for resource in FUNDING.resources
        for action in resource.lifecycle.actions
    }
    common = {
        name.format(noun=r.noun, plural=r.plural)
        for r in FUNDING.resources
        for name in (
            "Create{noun}",
            "Get{noun}",
            "List{plural}",
            "BatchCreate{plural}",
            "Import{plural}",
            "Watch{plural}",
            "List{noun}Revisions",
        )
    }
    # What the system alone writes is neither created nor imported by anybody.
    common -= {"CreateHold", "BatchCreateHolds", "ImportHolds"}
    assert methods == actions | common | {"GetStatement", "CheckEligibility"}


def test_the_straight_path_leads_from_the_draft_to_the_end() -> None:
    done = world().walk(NAME, "close")
    assert done.state == A.STATE_CLOSED
    assert done.approval.award_number == f"SP-{YEAR}-0001"
    assert done.paid_fen == FEN - FEN // 4
    assert done.released_fen == FEN // 4

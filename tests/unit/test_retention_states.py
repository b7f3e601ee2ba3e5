"""In which states a case has ended, so that the time of its persons' values begins."""

import pytest

from app.catalogue import REGISTRIES
from kernel.personal import holds_personal
from kernel.registry import Resource

ENDED = {
    "Platform": {"REFUSED", "REJECTED", "WITHDRAWN", "REVOKED", "UPGRADED", "MERGED", "SPLIT", "CLOSED"},
    "Breakthrough": {"DECLINED", "BROKEN_THROUGH", "NOT_REACHED", "TERMINATED"},
    "Application": {"REFUSED", "REJECTED", "WITHDRAWN", "CLOSED", "TERMINATED", "REVOKED"},
    "Sanction": {"LIFTED"},
}  # fmt: skip
PERSONAL = [r for s in REGISTRIES for r in s.resources if holds_personal(r.record.DESCRIPTOR)]


@pytest.mark.parametrize("resource", PERSONAL, ids=lambda resource: resource.noun)
def test_a_case_that_still_asks_for_something_has_not_ended(resource: Resource) -> None:
    names = {resource.lifecycle.state_name(state) for state in resource.lifecycle.ended}
    ended = {name.removeprefix("STATE_") for name in names} - {"UNSPECIFIED"}
    assert ended == ENDED[resource.noun]
    assert resource.lifecycle.initial not in resource.lifecycle.ended

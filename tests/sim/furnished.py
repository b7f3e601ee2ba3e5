"""Databases that scenarios begin with: played once without faults, then copied."""

from functools import cache
from typing import Any

from tests.sim.disk import Image, disk
from tests.sim.people import (
    APPROVER,
    DIIT,
    DIIT_APPROVER,
    DIIT_IMPORTER,
    IMPORTER,
    OFFICER,
    A,
    application_row,
    call_for,
    programme,
)
from tests.sim.script import Scenario, call
from tests.sim.world import World


def _programme(lead: tuple[Any, Any, Any], policy: str, state: int, count: int) -> Image:
    """A programme with its call, and applications in a state."""
    officer, approver, importer = lead
    name, its_call = "programmes/special", "calls/batteries"
    rows = [
        application_row(n, state, officer.department, its_call, name) for n in range(1, count + 1)
    ]
    return _played(
        Scenario(
            f"furnish {policy}",
            ("funding", "coordination"),
            (
                (
                    call(
                        "CreateProgramme",
                        officer,
                        "f1",
                        programme=programme(policy),
                        programme_id="special",
                    ),
                ),
                (call("ActivateProgramme", approver, "f2", name=name),),
                (call("CreateCall", officer, "f3", call=call_for(name), call_id="batteries"),),
                (call("PublishCall", officer, "f4", name=its_call, document_number="1号"),),
                (call("ImportApplications", importer, "f5", source="old", rows=rows),),
            ),
        )
    )


def _played(scenario: Scenario) -> Image:
    """Play a scenario without faults and return its databases."""
    World(scenario).run()
    return disk().read()


@cache
def in_notice() -> Image:
    people = (OFFICER, APPROVER, IMPORTER)
    return _programme(people, "major-science-special", A.STATE_IN_PUBLIC_NOTICE, 3)


@cache
def reviewed() -> Image:
    people = (DIIT, DIIT_APPROVER, DIIT_IMPORTER)
    return _programme(people, "industrial-open-bids", A.STATE_EXPERT_REVIEWED, 1)

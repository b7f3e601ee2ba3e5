"""Each planted fault is caught: else the simulation would look away."""

import pytest

from tests.sim.campaign import Run, play, points_of
from tests.sim.faults import FAULTS, Fault
from tests.sim.named import NAMED, Named


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_breaks_an_invariant(fault: Fault) -> None:
    points_of.cache_clear()
    caught = fault.caught()
    assert fault.says in caught
    assert "replay: python -m tests.sim --scenario" in caught
    for scenario in {run.scenario for run in fault.runs()}:
        assert points_of(scenario) == play(Run(scenario)).points.count  # counted without the fault


@pytest.mark.parametrize("fault", NAMED, ids=lambda fault: fault.name)
def test_a_named_check_passes_and_fails_with_its_fault(fault: Named) -> None:
    fault.check()
    with fault.plant(), pytest.raises(AssertionError):
        fault.check()

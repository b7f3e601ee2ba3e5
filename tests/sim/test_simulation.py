"""The real code under simulated faults keeps its invariants. Sizes: `tests.sim.parallel`; in CI all of its CI size."""

import os

import pytest

from tests.sim.campaign import Run, play, points_of
from tests.sim.parallel import CI, QUICK, campaign, play_all
from tests.sim.points import Rates
from tests.sim.scenarios import SCENARIOS

SIZE = CI if os.environ.get("CI") else QUICK
KINDS = dict(campaign(SIZE))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_scenario_without_faults_holds(scenario) -> None:  # type: ignore[no-untyped-def]
    assert points_of(scenario.name) > 40


def test_the_same_seed_plays_the_same_run() -> None:
    run = Run("review", seed=17, chance=True)
    first, second = play(run), play(run)
    assert first.points.trace == second.points.trace
    assert first.points.crashes == second.points.crashes
    assert first.bus.topics == second.bus.topics


def test_the_same_seed_plays_the_same_interleaving() -> None:
    run = Run("ceiling", seed=6, chance=True, twins=True)
    assert play(run).points.trace == play(run).points.trace


def test_drawn_rates_differ_from_seed_to_seed() -> None:
    worlds = [Run("create", seed=seed, chance=True).world().rates for seed in range(1, 20)]
    assert len(set(worlds)) > 10
    assert any(rates == Rates() for rates in worlds) or len(set(worlds)) > 15


@pytest.mark.parametrize("kind", KINDS)
def test_no_invariant_breaks(kind: str) -> None:
    told = play_all(KINDS[kind])
    assert not told.failures, "\n\n".join(told.failures)
    assert told.runs == len(KINDS[kind])
    assert kind != "a crash at each point" or told.crashes >= told.runs

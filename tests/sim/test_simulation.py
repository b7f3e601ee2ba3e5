"""The real code under simulated faults keeps its invariants: the quick size. `python -m tests.sim --campaign ci` plays all."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from random import Random

import pytest

from kernel.commands import new_id
from tests.sim.campaign import Run, play, points_of, read
from tests.sim.parallel import KINDS, QUICK, cores, play_all
from tests.sim.points import Rates, numbered
from tests.sim.scenarios import SCENARIOS
from tests.sim.script import Scenario
from tests.sim.shims import simulated

REPLAYED = (
    Run("review", crash="17,42"),
    Run("months", broken="40"),
    Run("relay", seed=3, chance=True),
    Run("audit", seed=6, chance=True, twins=True),
)


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with cores() as pool:
        yield pool


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_scenario_without_faults_holds(scenario: Scenario) -> None:
    assert points_of(scenario.name) > 40


def test_the_same_seed_plays_the_same_run() -> None:
    run = Run("review", seed=17, chance=True)
    first, second = play(run), play(run)
    assert first.points.trace == second.points.trace
    assert first.points.crashes == second.points.crashes
    assert first.bus.topics == second.bus.topics


def test_what_the_kernel_draws_follows_from_the_seed_alone() -> None:
    def drawn() -> list[str]:
        with simulated(Random(5), lambda: 1.0, lambda seconds: None):
            return [new_id() for _ in range(3)]

    new_id()  # what is drawn outside must not reach a run
    assert drawn() == drawn()


def test_the_same_seed_plays_the_same_interleaving() -> None:
    run = Run("ceiling", seed=6, chance=True, twins=True)
    assert play(run).points.trace == play(run).points.trace


@pytest.mark.parametrize("run", REPLAYED, ids=lambda run: run.line)
def test_a_line_replays_the_same_trace_in_another_process(run: Run) -> None:
    """Whose hashes fall otherwise, and which has played nothing before."""
    said = [sys.executable, "-m", "tests.sim", *run.line.split(), "--trace"]
    around = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(said, env=around, capture_output=True, text=True, check=True).stdout
    points = play(run).points
    assert told.splitlines()[:-1] == numbered(points)
    assert f"{points.count} points" in told.splitlines()[-1]


def test_every_run_can_be_read_from_its_line() -> None:
    for run in REPLAYED:
        assert read(run.line.split()) == run


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_crash_comes_at_the_point_that_was_counted(scenario: Scenario) -> None:
    """Until then the run is the one without faults, statement by statement."""
    calm = play(Run(scenario.name)).points.trace
    for number in (1, points_of(scenario.name) // 2, points_of(scenario.name)):
        points = play(Run(scenario.name, crash=str(number))).points
        assert points.crashes == [(number, calm[number - 1])]
        assert points.trace[:number] == calm[:number]


def test_rates_are_drawn_from_the_seed() -> None:
    drawn = [Run("create", seed=seed, chance=True).world().rates for seed in (1, 2, 3, 4, 1)]
    assert drawn[0] == drawn[4] != Rates()
    assert len(set(drawn)) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_no_invariant_breaks(pool: Executor, kind: str) -> None:
    runs = KINDS[kind](QUICK)
    told = play_all(pool, runs)
    assert not told.failures, "\n\n".join(told.failures)
    assert told.runs == len(runs)
    assert kind != "a crash at each point" or told.crashes == told.runs

"""A campaign on all cores: each process has its own databases."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import NamedTuple

from tests.sim.campaign import (
    Failed,
    Run,
    broken,
    pairs,
    play,
    regressions,
    seeds,
    singles,
    twins,
)
from tests.sim.scenarios import SCENARIOS

CHUNK = 50  # runs that a process takes at a time
ENOUGH = 5  # failures, after which a campaign ends


class Told(NamedTuple):
    """What came of some runs. `failures`: what was broken, each with its replay line."""

    runs: int = 0
    points: int = 0
    crashes: int = 0
    failures: tuple[str, ...] = ()

    def and_(self, other: "Told") -> "Told":
        return Told(
            self.runs + other.runs,
            self.points + other.points,
            self.crashes + other.crashes,
            self.failures + other.failures,
        )


class Size(NamedTuple):
    """How much of each kind. `single`, `every`: of the crashes and the errors at single points, one in so many."""

    pairs: int
    seeds: int
    twins: int
    every: int
    single: int = 1

    def times(self, scale: float) -> "Size":
        """Return a part of it; single points are left out only for less than a hundredth."""
        step = max(1, round(0.01 / scale))
        return Size(
            *(round(count * scale) for count in (self.pairs, self.seeds, self.twins)),
            self.every * step,
            self.single * step,
        )


QUICK = Size(pairs=150, seeds=250, twins=39, every=20, single=8)
CI = Size(pairs=3_000, seeds=5_000, twins=130, every=4)
SOAK = Size(pairs=20_000, seeds=200_000, twins=20_000, every=1)


KINDS: dict[str, Callable[[Size], Sequence[Run]]] = {
    "regressions": lambda _: list(regressions()),
    "a crash at each point": lambda size: _each(singles, size.single),
    "an error of the database at a point": lambda size: _each(broken, size.every),
    "crashes at two points": lambda size: list(pairs(size.pairs)),
    "faults by chance": lambda size: list(seeds(size.seeds)),
    "interleavings of two": lambda size: list(twins(size.twins)),
}
"""The kinds of runs in their order: what failed once comes first."""


def _each(runs: Callable[[str], Iterator[Run]], step: int) -> Sequence[Run]:
    return [run for scenario in SCENARIOS for run in runs(scenario.name)][::step]


@contextmanager
def cores() -> Iterator[Executor]:
    """A process a core, for as long as it takes."""
    with ProcessPoolExecutor(
        os.cpu_count(), mp_context=get_context("spawn"), initializer=_settle
    ) as pool:
        yield pool


def play_all(pool: Executor, runs: Sequence[Run]) -> Told:
    """Play runs on all cores; end early when enough of them failed."""
    told, chunks = Told(), [runs[n : n + CHUNK] for n in range(0, len(runs), CHUNK)]
    futures = [pool.submit(_played, chunk) for chunk in chunks]
    for future in futures:
        told = told.and_(future.result())
        if len(told.failures) >= ENOUGH:
            for other in futures:
                other.cancel()
            break
    return told


def _settle() -> None:
    """What is there now stays: it need not be looked through again and again."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def _played(runs: Iterable[Run]) -> Told:
    told = Told()
    for run in runs:
        try:
            points = play(run).points
        except Failed as failure:
            told = told.and_(Told(runs=1, failures=(str(failure),)))
        else:
            told = told.and_(Told(1, points.count, len(points.crashes)))
    return told

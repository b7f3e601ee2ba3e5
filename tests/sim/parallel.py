"""A campaign on all cores: each process has its own databases."""

import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
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


QUICK = Size(pairs=150, seeds=250, twins=39, every=20, single=8)
CI = Size(pairs=3_000, seeds=3_000, twins=200, every=4)
SOAK = Size(pairs=20_000, seeds=200_000, twins=20_000, every=1)


def campaign(size: Size) -> Iterator[tuple[str, list[Run]]]:
    """Yield each kind's name with its runs; what failed once comes first."""
    yield "regressions", list(regressions())
    single = [run for s in SCENARIOS for run in singles(s.name)]
    yield "a crash at each point", single[:: size.single]
    errors = [run for s in SCENARIOS for run in broken(s.name)]
    yield "an error of the database at a point", errors[:: size.every]
    yield "crashes at two points", list(pairs(size.pairs))
    yield "faults by chance", list(seeds(size.seeds))
    yield "interleavings of two", list(twins(size.twins))


def play_all(runs: Sequence[Run]) -> Told:
    """Play runs on all cores; end early when enough of them failed."""
    told, chunks = Told(), [runs[n : n + CHUNK] for n in range(0, len(runs), CHUNK)]
    with ProcessPoolExecutor(
        os.cpu_count(), mp_context=get_context("spawn"), initializer=_settle
    ) as pool:
        for some in pool.map(_played, chunks):
            told = told.and_(some)
            if len(told.failures) >= ENOUGH:
                pool.shutdown(cancel_futures=True)
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

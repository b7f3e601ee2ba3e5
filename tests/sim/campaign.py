"""Which runs are made: each single point, sampled pairs, seeds with faults by chance, and what failed once, first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from tests.sim.demands import demand
from tests.sim.points import Rates, numbers, shown
from tests.sim.scenarios import BY_NAME, SCENARIOS
from tests.sim.twins import Twins
from tests.sim.world import World

REGRESSIONS = Path(__file__).with_name("regressions.txt")


@dataclass(frozen=True, order=True)
class Run:
    """One run, by what replays it. `chance`: faults by chance, drawn from the seed. `twins`: every process twice."""

    scenario: str
    seed: int = 1
    crash: str = ""
    broken: str = ""
    chance: bool = False
    twins: bool = False

    @property
    def line(self) -> str:
        """The arguments of `python -m tests.sim` that play it again."""
        crash = f" --crash {self.crash}" if self.crash else ""
        crash += f" --break {self.broken}" if self.broken else ""
        chance = " --chance" if self.chance else ""
        chance += " --twins" if self.twins else ""
        return f"--scenario {self.scenario} --seed {self.seed}{crash}{chance}"

    def world(self) -> World:
        rates = Rates.drawn(Random(self.seed)) if self.chance else Rates()
        crash, broken = numbers(self.crash), numbers(self.broken)
        kind = Twins if self.twins else World
        return kind(BY_NAME[self.scenario], self.seed, crash, broken, rates)


class Failed(AssertionError):
    """Says what was broken, and the line that replays it."""


def play(run: Run) -> World:
    """Play one run and hold it to the invariants. Raises Failed."""
    world = run.world()
    try:
        demand(world.run())
    except Exception as error:
        crashes = "; ".join(f"{number} {what}" for number, what in world.points.crashes)
        raise Failed(
            f"{type(error).__name__}: {error}\ncrashed at: {crashes or 'nothing'}"
            f"\nreplay: python -m tests.sim {run.line}"
        ) from error
    return world


@cache
def points_of(scenario: str) -> int:
    """Return how many points a scenario reaches when nothing fails."""
    return play(Run(scenario)).points.count


def singles(scenario: str) -> Iterator[Run]:
    """A crash at each point."""
    for number in range(1, points_of(scenario) + 1):
        yield Run(scenario, crash=shown([number]))


def broken(scenario: str) -> Iterator[Run]:
    """An error of the database at each point."""
    for number in range(1, points_of(scenario) + 1):
        yield Run(scenario, broken=shown([number]))


def pairs(count: int, seed: int = 1) -> Iterator[Run]:
    """A crash at two points: the second one within the recovery from the first, or anywhere."""
    random = Random(f"pairs {seed}")
    for n in range(count):
        scenario = SCENARIOS[n % len(SCENARIOS)].name
        first = random.randint(1, points_of(scenario))
        near = random.choice((12, points_of(scenario)))
        yield Run(scenario, crash=shown([first, first + random.randint(1, near)]))


def seeds(count: int, first: int = 1, only: str = "") -> Iterator[Run]:
    """Faults by chance, everything drawn from the seed. `only`: one scenario instead of all."""
    for seed in range(first, first + count):
        yield Run(only or _turn(seed), seed=seed, chance=True)


def twins(count: int, first: int = 1, only: str = "") -> Iterator[Run]:
    """Interleavings; every third with faults by chance."""
    for seed in range(first, first + count):
        yield Run(only or _turn(seed), seed=seed, chance=seed % 3 == 0, twins=True)


def _turn(number: int) -> str:
    return SCENARIOS[number % len(SCENARIOS)].name


def regressions() -> Iterator[Run]:
    """What failed once."""
    for line in REGRESSIONS.read_text(encoding="utf-8").splitlines():
        said = line.partition("#")[0].split()
        if said:
            yield read(said)


def read(arguments: Iterable[str]) -> Run:
    """Read a run's line."""
    given = list(arguments)

    def value(name: str, default: str) -> str:
        return given[given.index(name) + 1] if name in given else default

    return Run(
        value("--scenario", SCENARIOS[0].name),
        int(value("--seed", "1")),
        value("--crash", ""),
        value("--break", ""),
        "--chance" in given,
        "--twins" in given,
    )


def part(runs: Iterable[Run], number: int, of: int) -> Iterator[Run]:
    """Return every `of`-th run, so that several processes share a campaign."""
    return (run for n, run in enumerate(runs) if n % of == number)

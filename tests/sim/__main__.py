"""Plays one run again, or a whole campaign.

python -m tests.sim --scenario review --seed 1 --crash 17,42
python -m tests.sim --campaign soak
"""

import argparse
import sys
import time

from tests.live.spread.size import measured
from tests.sim.campaign import Failed, Run, play
from tests.sim.parallel import CI, KINDS, QUICK, SOAK, Size, Told, cores, play_all
from tests.sim.points import numbered
from tests.sim.scenarios import BY_NAME

SIZES = {"quick": QUICK, "ci": CI, "soak": SOAK}


def main() -> int:
    """Return 0 when every invariant held."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--scenario", choices=BY_NAME, default=next(iter(BY_NAME)))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--crash", default="", help="numbers of points, such as 17,42")
    parser.add_argument("--break", dest="broken", default="", help="the same for database errors")
    parser.add_argument("--chance", action="store_true", help="faults by chance, from the seed")
    parser.add_argument("--twins", action="store_true", help="every process twice, interleaved")
    parser.add_argument("--trace", action="store_true", help="print every point")
    parser.add_argument("--campaign", choices=SIZES, help="play many runs instead of one")
    parser.add_argument("--scale", type=float, default=1.0, help="how much of a campaign: 0.1")
    said = parser.parse_args()
    if said.campaign:
        return _campaign(SIZES[said.campaign].times(said.scale))
    run = Run(said.scenario, said.seed, said.crash, said.broken, said.chance, said.twins)
    return _one(run, trace=said.trace)


def _one(run: Run, *, trace: bool) -> int:
    try:
        points = play(run).points
    except Failed as failure:
        print(failure)
        return 1
    if trace:
        print("\n".join(numbered(points)))
    crashes = "; ".join(f"{n} {what}" for n, what in points.crashes) or "nothing"
    print(f"every invariant held; {points.count} points, crashed at: {crashes}")
    return 0


def _campaign(size: Size) -> int:
    failed = False
    with cores() as pool:
        for kind, runs in KINDS.items():
            began = time.monotonic()
            told = play_all(pool, runs(size))
            took = time.monotonic() - began
            failed = failed or bool(told.failures)
            print(_line(kind, told, took), *told.failures, sep="\n", flush=True)
            figures = told._asdict() | {"failures": len(told.failures), "seconds": round(took)}
            measured(f"simulation: {kind}", **figures)
    return int(failed)


def _line(kind: str, told: Told, seconds: float) -> str:
    return (
        f"{kind}: {told.runs} runs, {told.points} points, {told.crashes} crashes, "
        f"{len(told.failures)} failed, {seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())

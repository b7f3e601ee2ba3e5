"""The long version of what every CI run plays small: python -m tests.soak [--scale 0.1] [NAME…]

Sizes are those of `make soak` in docs/reliability.md, times the scale. Prints progress; build/soak.md is the result's table.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "soak"
RESULT = ROOT / "build" / "soak.md"
Sizes = Mapping[str, str]


@dataclass(frozen=True)
class Step:
    """One campaign. `arguments`: of Python; `sizes`: what the environment tells it at a scale."""

    name: str
    arguments: Callable[[float], Sequence[str]]
    sizes: Callable[[float], Sizes] = lambda _: {}


@dataclass(frozen=True)
class Result:
    step: Step
    passed: bool
    seconds: float
    figures: tuple[str, ...]


def live(*files: str) -> Callable[[float], Sequence[str]]:
    where = [f"tests/live/{file}" for file in files]
    return lambda _: ("-m", "pytest", "-q", *where)


def of(full: int, scale: float, least: int = 1) -> str:
    return str(max(least, round(full * scale)))


def kills(scale: float) -> Sizes:
    return {"LUOSHU_LIVE_KILLS": of(300, scale, 10), "LUOSHU_LIVE_WRITES": of(60_000, scale, 1_000)}


def hostile(scale: float) -> Sequence[str]:
    return ("-W", "ignore", "-m", "tests.hostile", "--size", "soak" if scale >= 1 else "ci")


def suite(*files: str) -> Callable[[float], Sequence[str]]:
    """Files of the suite that `make test` runs, at sizes of their own."""
    return lambda _: ("-m", "pytest", "-q", "-m", "not live", *files)


def money(scale: float) -> Sizes:
    return {"LUOSHU_APPROVERS": of(128, scale, 32), "LUOSHU_APPROVALS_EACH": of(2_000, scale, 50)}


def tampering(suite: str) -> Callable[[float], Sequence[str]]:
    return lambda s: ("-m", "tests.tamper", "--suite", suite, "--edits", of(100_000, s, 2_000))


def simulation(scale: float) -> Sequence[str]:
    return ("-m", "tests.sim", "--campaign", "soak", "--scale", str(scale))


STEPS = (
    Step("planted faults", live("test_planted.py")),
    Step("kill -9 under load", live("spread/test_kills.py"), kills),
    Step("broker away", live("spread/test_broker_away.py"), lambda s: {"LUOSHU_LIVE_AWAY": of(600, s, 20)}),
    Step("three brokers", live("spread/test_three_brokers.py"), lambda s: {"LUOSHU_LIVE_THREE": of(10, s)}),
    Step("partitions", live("spread/test_partitions.py"), lambda s: {"LUOSHU_LIVE_TOXICS": of(16, s, 3)}),
    Step("I/O errors", live("test_io_errors.py", "test_synced.py", "test_disk_full.py"), lambda s: {"LUOSHU_LIVE_IO": of(9, s)}),
    Step("twice at once", live("spread/test_twice.py"), lambda s: {"LUOSHU_LIVE_WRITES": of(60_000, s, 1_000)}),
    Step("drain on SIGTERM", live("spread/test_drain.py"), lambda s: {"LUOSHU_LIVE_STOPS": of(50, s, 3)}),
    Step("backup and restore, migration under load", live("test_backup.py", "test_migration.py")),
    Step("money", suite("tests/service/test_registries_money.py"), money),
    Step("permissions", suite("tests/unit/test_rights.py"), lambda s: {"LUOSHU_CALLERS": of(100_000, s, 5_000)}),
    Step("tampering", tampering("sha256-ed25519")),
    Step("tampering, SM3 and SM2", tampering("sm3-sm2")),
    Step("hostile input and overload", hostile),
    Step("simulation", simulation),
)  # fmt: skip


def run(step: Step, scale: float) -> Result:
    name, began = re.sub(r"\W+", "-", step.name), time.monotonic()
    log, figures = FOLDER / f"{name}.log", FOLDER / f"{name}.jsonl"
    figures.unlink(missing_ok=True)
    _tell(f"{step.name} …")
    command = [sys.executable, *step.arguments(scale)]
    around = environment(step.sizes(scale), figures)
    with log.open("wb") as out:
        done = subprocess.run(command, cwd=ROOT, env=around, stdout=out, stderr=out, check=False)
    measured = tuple(_figure(json.loads(line)) for line in _lines(figures))
    result = Result(step, done.returncode == 0, time.monotonic() - began, measured)
    _tell(f"{step.name} {'held' if result.passed else 'FAILED'} after {result.seconds:.0f} s")
    return result


def environment(sizes: Sizes, figures: Path) -> Mapping[str, str]:
    path = os.pathsep.join((str(ROOT), str(ROOT / "sdk")))
    own = {"CI": "true", "PYTHONPATH": path, "LUOSHU_FIGURES": str(figures)}
    return {**os.environ, **own, **sizes}


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", errors="replace").splitlines() if path.exists() else []


def _figure(said: dict[str, Any]) -> str:
    what = said.pop("what")
    said.pop("time", None)
    single = {key: value for key, value in said.items() if not isinstance(value, dict | list)}
    return f"{what}: " + ", ".join(f"{key.replace('_', ' ')} {single[key]}" for key in single)


def table(results: Sequence[Result], scale: float) -> Iterator[str]:
    yield f"{time.strftime('%Y-%m-%d %H:%M')}, commit {commit()}, scale {scale:g}, {machine()}\n"
    yield "| campaign | held | seconds | measured |"
    yield "| --- | --- | --- | --- |"
    for result in results:
        held = "yes" if result.passed else "NO"
        yield f"| {result.step.name} | {held} | {result.seconds:.0f} | {'<br>'.join(result.figures)} |"


def commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(
        asked, cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    runs = f"Python {platform.python_version()}, {platform.system()} {platform.release()}"
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {runs}"


def main() -> int:
    """Return 0 when everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of the sizes; 1: all of them")
    parser.add_argument("--jobs", type=int, default=1, help="campaigns that are played at a time")
    parser.add_argument("names", nargs="*", metavar="NAME", help="campaigns; none: all")
    said = parser.parse_args()
    steps = [step for step in STEPS if not said.names or step.name in said.names]
    FOLDER.mkdir(parents=True, exist_ok=True)
    results = play(steps, said.scale, said.jobs)
    print(f"{RESULT.relative_to(ROOT)} has the table")
    return int(not all(result.passed for result in results))


def play(steps: Sequence[Step], scale: float, jobs: int) -> list[Result]:
    """Play some at a time; the table is written whenever one is over."""
    results: list[Result] = []
    with ThreadPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(run, step, scale) for step in steps]):
            results.append(done.result())
            RESULT.write_text("\n".join(table(results, scale)) + "\n", encoding="utf-8")
    return results


def _tell(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

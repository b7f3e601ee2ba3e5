"""The page of results: the ratios first, then figures that only this machine has."""

import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from app.settings import ROOT

HERE = Path(__file__).parent
FRONTS = ("grpcio", "native")
BY_PART = re.compile(rf"(?P<what>.+), (?P<front>{'|'.join(FRONTS)}): (?P<part>.+)")
PAGE, KEPT = HERE / "results.md", HERE / "results.json"


@dataclass(frozen=True)
class Line:
    """One result. `holds`: whether the goal is reached; None where there is none. `share`: of the goal, for the plot.

    `why`: what is left, and why, to be read where the goal is missed.
    """

    what: str
    found: str
    goal: str = ""
    holds: bool | None = None
    detail: str = ""
    share: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Section:
    """What was found together. `measured`: when, and of which commit."""

    measured: str
    lines: Sequence[Line]


def at_least(what: str, found: float, goal: float, detail: str = "", why: str = "") -> Line:
    return Line(what, f"{found:.2f}", f"≥ {goal:g}", found >= goal, detail, found / goal, why)


def at_most(
    what: str, found: float, goal: float, detail: str = "", unit: str = "", why: str = ""
) -> Line:
    share, told = goal / found if found else 1.0, f"{found:.2f}{unit}"
    return Line(what, told, f"≤ {goal:g}{unit}", found <= goal, detail, share, why)


def now() -> str:
    """Return the moment and the commit."""
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}"


def kept() -> dict[str, Section]:
    """Return the sections as they were found last: one can be measured anew without the others."""
    if not KEPT.exists():
        return {}
    said = json.loads(KEPT.read_text("utf-8"))
    return {
        name: Section(one["measured"], [Line(**line) for line in one["lines"]])
        for name, one in said.items()
    }


def keep(sections: Mapping[str, Section]) -> None:
    """Write the sections down, and the page that shows them."""
    said = {name: asdict(section) for name, section in sections.items()}
    KEPT.write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", "utf-8")
    PAGE.write_text(page(sections), "utf-8")


def page(sections: Mapping[str, Section]) -> str:
    """Return the page: what has a goal comes first, then what only tells."""
    every = [line for section in sections.values() for line in section.lines]
    head = ["# Measurements", "", *_machine(), "", *_READ, ""]
    goals = [line for line in every if line.holds is not None]
    marks = {True: "holds", False: "**missed**", None: ""}
    first = ["| what | found | goal | |", "|---|---|---|---|"]
    first += [f"| {x.what} | {x.found} | {x.goal} | {marks[x.holds]} |" for x in goals]
    plots = ["", "![found as a share of the goal](results.svg)", ""] if goals else [""]
    return "\n".join([*head, *first, *plots, *_told(sections)])


_READ = (
    "Written by `make bench`; one section anew: `make bench ARGS='creates'`. Ratios are the medians of interleaved rounds in",
    "one run, with callers, servers and databases on the same cores; absolute figures are this machine's.",
    "PostgreSQL has run for a while: 2 GB of its log lie there to be written again (docs/operations.md).",
    "比值为同次运行交替轮次的中位数。",
)


def _told(sections: Mapping[str, Section]) -> list[str]:
    lines = list[str]()
    for name, section in sections.items():
        tables, rest = _tables(section.lines)
        lines += [f"## {name}", "", f"{section.measured}.", "", *tables, *map(_item, rest), ""]
    return lines


def _tables(found: Sequence[Line]) -> tuple[list[str], list[Line]]:
    """Return what was found of both fronts part by part, as tables, and the other lines."""
    tables, rest = dict[str, dict[str, dict[str, str]]](), list[Line]()
    for line in found:
        if match := BY_PART.fullmatch(line.what):
            rows = tables.setdefault(match["what"], {})
            rows.setdefault(match["part"], {})[match["front"]] = line.found
        else:
            rest.append(line)
    return [text for what, rows in tables.items() for text in _table(what, rows)], rest


def _table(what: str, rows: Mapping[str, Mapping[str, str]]) -> list[str]:
    head = [f"| {what} | {' | '.join(FRONTS)} |", f"|---|{'---|' * len(FRONTS)}"]
    cells = {part: " | ".join(found.get(f, "") for f in FRONTS) for part, found in rows.items()}
    return [*head, *(f"| {part} | {told} |" for part, told in cells.items()), ""]


def _item(line: Line) -> str:
    goal = f" (goal {line.goal})" if line.goal else ""
    told = f"- {line.what}: **{line.found}**{goal}{f'. {line.detail}' if line.detail else ''}"
    return f"{told}\n  - What is left, and why: {line.why}" if line.why and not line.holds else told


def _machine() -> list[str]:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return [
        f"{_processor()}, {os.cpu_count()} cores, {system}. When, and of which commit, stands at each section.",
        f"At the end of the last, {now()}: load average {load} (1, 5, 15 minutes);",
        f"an fsync of 4 KiB takes {_sync() * 1000:.2f} ms here.",
    ]


def _commit() -> str:
    git, written = (
        ("git", "-C", str(ROOT)),
        ("bench/results.*", "bench/create.svg", "docs/scale.md"),
    )
    try:
        name = subprocess.check_output((*git, "rev-parse", "--short=12", "HEAD"), text=True).strip()
        but = (f":(top,exclude){path}" for path in written)
        status = (*git, "status", "--porcelain", "-uno", "--", ":/", *but)
        changed = subprocess.check_output(status, text=True).strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{name} with changes" if changed else name


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _sync() -> float:
    """Seconds, the median of 200."""
    taken = list[float]()
    with tempfile.TemporaryFile() as file:
        for _ in range(200):
            file.write(b"\0" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)

"""The page of results: the ratios first, then figures that only this machine has."""

import datetime
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.settings import ROOT

PAGE = Path(__file__).with_name("results.md")


@dataclass(frozen=True)
class Line:
    """One result. `holds`: whether the goal is reached; None where there is none."""

    what: str
    found: str
    goal: str = ""
    holds: bool | None = None
    detail: str = ""


def page(lines: Sequence[Line]) -> str:
    """Return the page: what has a goal comes first."""
    ordered = sorted(lines, key=lambda line: line.holds is None)
    head = ["# Measurements", "", *_machine(), "", "Written by `make bench`.", ""]
    table = ["| what | found | goal | | in detail |", "|---|---|---|---|---|"]
    marks = {True: "holds", False: "**missed**", None: ""}
    rows = [f"| {x.what} | {x.found} | {x.goal} | {marks[x.holds]} | {x.detail} |" for x in ordered]
    return "\n".join([*head, *table, *rows, ""])


def _machine() -> list[str]:
    now = datetime.datetime.now(datetime.UTC)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return [
        f"{now:%Y-%m-%d %H:%M} UTC, commit {_commit()}; {_processor()}, {os.cpu_count()} cores,",
        f"{system}; load average {load} at the end (1, 5, 15 minutes);",
        f"an fsync of 4 KiB takes {_sync() * 1000:.2f} ms here.",
    ]


def _commit() -> str:
    git = ("git", "-C", str(ROOT))
    try:
        name = subprocess.check_output((*git, "rev-parse", "--short=12", "HEAD"), text=True).strip()
        changed = subprocess.check_output(
            (*git, "status", "--porcelain", "-uno"), text=True
        ).strip()
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

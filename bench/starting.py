"""What a first look costs: `luoshu --help`, and `luoshu serve` with every service in one process."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from app.cluster.health import serving
from app.cluster.ports import free_ports
from app.settings import ROOT
from bench.results import Line, at_most
from bench.watching import resident

ROUNDS = 5
COMMAND = (sys.executable, "-m", "app.cli")


def lines() -> Iterator[Line]:
    yield at_most("luoshu --help", statistics.median(map(_help, range(ROUNDS))), 0.3, "", " s")
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        _serve(folder)  # makes the databases
        ready, held = zip(*(_serve(folder) for _ in range(ROUNDS)), strict=True)
    yield at_most(
        "luoshu serve, all services, SQLite: ready", statistics.median(ready), 2, "", " s"
    )
    yield at_most(
        "luoshu serve, all services, SQLite: resident",
        statistics.median(held) / 2**20,
        200,
        "at rest",
        " MiB",
    )


def _help(_: int) -> float:
    began = time.perf_counter()
    subprocess.run((*COMMAND, "--help"), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _serve(folder: str) -> tuple[float, int]:
    """Return the seconds until it serves, and the bytes that it then holds."""
    port, metrics, audit = free_ports(3)
    said = {
        "LUOSHU_DATA_DIR": folder,
        "LUOSHU_LISTEN": f"127.0.0.1:{port}",
        "LUOSHU_METRICS_LISTEN": f"127.0.0.1:{metrics}",
        "LUOSHU_AUDIT_HTTP_LISTEN": f"127.0.0.1:{audit}",
        "LUOSHU_LOG_LEVEL": "warning",
    }
    began = time.perf_counter()
    with subprocess.Popen((*COMMAND, "serve"), cwd=ROOT, env={**os.environ, **said}) as process:
        try:
            while not serving(f"127.0.0.1:{port}"):
                if process.poll() is not None or time.perf_counter() - began > 60:
                    raise RuntimeError("luoshu serve does not come up")
                time.sleep(0.02)
            ready = time.perf_counter() - began
            time.sleep(1)
            return ready, resident(process.pid)
        finally:
            process.terminate()

"""Processes that are known by their number: also those that another command started."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

PAUSE = 0.05  # seconds between two looks


@dataclass(frozen=True, slots=True)
class Known:
    """A process. `began`: when, as the system tells it; numbers are given anew, the pair is not."""

    pid: int
    began: str


def spawn(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a program in a folder that writes to a log; Ctrl-C on the terminal does not reach it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(  # noqa: S603 - our own command
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=folder,
            start_new_session=True,
        )


def end(
    process: "subprocess.Popen[bytes]", number: signal.Signals, seconds: float = 30
) -> int | None:
    """Send a signal and return the status; who does not go in time is killed. None: it never ran."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def known(pid: int) -> Known | None:
    """Return a process that runs; None: there is none, or it has ended and nobody asked for its status."""
    told = _from_proc(pid) if Path("/proc/self/stat").exists() else _from_ps(pid)
    return Known(pid, told) if told else None


def _from_proc(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return "" if fields[0] in "ZX" else fields[19]


def _from_ps(pid: int) -> str:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    state, _, began = done.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else began.strip()


def runs(process: Known) -> bool:
    return known(process.pid) == process


def signal_to(process: Known, number: signal.Signals) -> None:
    """Send a signal to this process and no other."""
    if runs(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def gone(processes: Sequence[Known], seconds: float) -> bool:
    """Wait until all have ended; tell whether they have."""
    limit = time.monotonic() + seconds
    while any(runs(process) for process in processes):
        if time.monotonic() > limit:
            return False
        time.sleep(PAUSE)
    return True


def remember(path: Path, process: Known) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(process)), encoding="utf-8")


def remembered(path: Path) -> Known | None:
    """Return what `remember` wrote; None: nothing, or not all of it."""
    try:
        return Known(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None

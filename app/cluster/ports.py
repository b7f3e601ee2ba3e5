"""Free ports on loopback, and waiting for what listens there."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

HOST = "127.0.0.1"


class Broken(RuntimeError):
    """Something did not come up; the texts, in both languages, say what would help or name its log."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(f"{en} / {zh}")
        self.en, self.zh = en, zh


class Missing(Broken):
    """An engine is not on this machine and could not be fetched."""


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Return different ports that nobody listens on at this moment."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def is_free(port: int) -> bool:
    """Tell whether a server could listen there now."""
    with socket.socket() as probe:
        # As servers do: a connection that has just ended does not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def answers(port: int, timeout: float = 0.2) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout):
            return True
    except OSError:
        return False


def wait_until(
    holds: Callable[[], bool],
    process: "subprocess.Popen[bytes]",
    log: Path,
    *,
    seconds: float = 180,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Return as soon as something holds of a process. Raises Broken: it ended, or the time is over."""
    limit = time.monotonic() + seconds
    while not holds():
        if process.poll() is not None:
            raise ended(process, log)
        if time.monotonic() > limit:
            raise Broken(
                f"it does not serve after {seconds:.0f} s; see {log}",
                f"{seconds:.0f} 秒后仍未就绪；请查看 {log}",
            )
        pause(0.05)


def ended(process: "subprocess.Popen[bytes]", log: Path) -> Broken:
    """Return what to raise for a process that ended by itself, with the end of its log."""
    status, last = process.returncode, tail(log)
    return Broken(
        f"it ended with {status}; see {log}", f"进程已退出（{status}）；请查看 {log}\n{last}"
    )


def tail(log: Path, size: int = 800) -> str:
    """Return the end of a log, at most so many bytes."""
    if not log.exists():
        return ""
    return log.read_bytes()[-size:].decode("utf-8", errors="replace").strip()

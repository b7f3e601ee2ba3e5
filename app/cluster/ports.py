"""Free ports on loopback, and waiting for one to answer."""

import socket
import subprocess
import time
from pathlib import Path

HOST = "127.0.0.1"


class Broken(RuntimeError):
    """Something did not come up; the text names its log."""


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def answers(port: int, timeout: float = 0.2) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout):
            return True
    except OSError:
        return False


def wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path, seconds: float = 60) -> None:
    """Return when the process listens. Raises Broken: it ended, or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Broken(f"it ended with {process.returncode}; see {log}")
        if answers(port):
            return
        time.sleep(0.05)
    raise Broken(f"it did not listen on {port} within {seconds:.0f} s; see {log}")

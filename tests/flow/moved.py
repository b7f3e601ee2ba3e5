"""The main of a process whose clock a test moves."""

import functools
from collections.abc import Sequence
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp

from app import serve
from app.settings import load

DAY = 86_400  # seconds


def main(services: Sequence[str]) -> None:
    serve.main(services, functools.partial(ahead, load().data_dir / "moved"))


def ahead(path: Path) -> Timestamp:
    """Return now, and as many days later as the file says."""
    stamp = serve.now()
    stamp.seconds += DAY * int(path.read_text())
    return stamp

"""The platforms' service, and its peers, in processes of their own, for callers in others."""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app import logs
from app.serve import Process, settle
from app.settings import ROOT, Settings

SERVICE = "platforms"
APPLICANT = (
    ("luoshu-actor", "accounts/bench"),
    ("luoshu-department", "91110000710926094P"),
    ("luoshu-roles", "applicant,importer"),
)
APPLICANT_ALONE = (*APPLICANT[:2], ("luoshu-roles", "applicant"))
"""Sees what its unit owns, and what is published."""
AUDITOR = (("luoshu-actor", "accounts/bench"), ("luoshu-roles", "auditor"))


@dataclass(frozen=True)
class Served:
    """A server. `pid`: of its process."""

    address: str
    pid: int


@contextlib.contextmanager
def served(
    most: int = 256, database: str = "", front: str = "grpcio", folder: Path | None = None
) -> Iterator[Served]:
    """Serve until the block ends, on a fresh SQLite database or the one named. `most`: commands that one commit may carry."""
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as fresh:
        said = {
            "LUOSHU_DATA_DIR": str(folder or fresh),
            f"LUOSHU_{SERVICE.upper()}_LISTEN": "127.0.0.1:0",
            "LUOSHU_FRONT": front,
        }
        if database:
            said[f"LUOSHU_{SERVICE.upper()}_DATABASE"] = database
        arguments = (str(most), *(f"{name}={value}" for name, value in said.items()))
        with started((sys.executable, "-m", "bench.serving", *arguments)) as server:
            yield server


@contextlib.contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Run a server that prints its port when it listens."""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            yield Served(f"127.0.0.1:{int(process.stdout.readline())}", process.pid)
        finally:
            process.terminate()


async def serve(most: int, said: Mapping[str, str]) -> None:
    settings = Settings(said)
    process = Process(settings, (SERVICE,), most=most)
    await process.start()
    _ = settle(settings)
    print(process.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    logs.configure("warning", "json")
    uvloop.run(serve(int(sys.argv[1]), dict(word.split("=", 1) for word in sys.argv[2:])))

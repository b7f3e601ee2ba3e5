"""The platforms' service in a process of its own, for a client in this one."""

import asyncio
import contextlib
import gc
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app import logs
from app.serve import Process
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
    """`most`: commands that one commit may carry."""

    address: str
    most: int


@contextlib.contextmanager
def served(most: int = 256) -> Iterator[Served]:
    """Serve on a fresh SQLite database until the block ends."""
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        command = (sys.executable, "-m", "bench.serving", folder, str(most))
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield Served(f"127.0.0.1:{int(process.stdout.readline())}", most)
            finally:
                process.terminate()


async def serve(folder: Path, most: int) -> None:
    said = {"LUOSHU_DATA_DIR": str(folder), f"LUOSHU_{SERVICE.upper()}_LISTEN": "127.0.0.1:0"}
    process = Process(Settings(said), (SERVICE,), most=most)
    await process.start()
    gc.collect()
    gc.freeze()  # as `app.serve.run` does
    print(process.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    logs.configure("warning", "json")
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))

"""A disk of a few megabytes, that can be full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.cluster.ports import Missing
from tests.live import engines

CHUNK = 64 * 1024


@dataclass(frozen=True)
class Disk:
    """`folder`: where it is mounted."""

    folder: Path

    @contextmanager
    def full(self) -> Iterator[None]:
        """While the block runs not one more byte can be had."""
        ballast = self.folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            for size in (CHUNK, 1):
                _fill(file.fileno(), size)
        try:
            yield
        finally:
            ballast.unlink()


def _fill(file: int, size: int) -> None:
    try:
        while os.write(file, bytes(size)):
            pass
    except OSError:
        return


@contextmanager
def a_small_disk(megabytes: int) -> Iterator[Disk]:
    """Raises Missing: this user may not mount one."""
    with engines.folder() as home:
        size = f"size={megabytes}m,mode=755"
        command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(home)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            raise Missing(
                "a small disk cannot be mounted here: mounting takes root, and a container that allows it",
                "此处无法挂载小容量磁盘：需要 root 权限，且容器须允许挂载",
            )
        try:
            yield Disk(home)
        finally:
            subprocess.run(["umount", "--lazy", str(home)], check=True)

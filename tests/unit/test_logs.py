"""The log."""

import errno
import io

from app.logs import Enduring
from kernel import metrics


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_that_cannot_be_written_is_counted_and_raises_nothing() -> None:
    before = metrics.UNLOGGED._value.get()
    Enduring(FullDisk()).write("lost\n")
    assert metrics.UNLOGGED._value.get() == before + 1


def test_a_line_is_written_at_once() -> None:
    file = io.StringIO()
    Enduring(file).write("kept\n")
    assert file.getvalue() == "kept\n"

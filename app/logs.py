"""How a process logs: one event a line, JSON for machines, colours on a terminal."""

import logging
import sys
from typing import TextIO, cast

import structlog

from kernel import metrics

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Enduring:
    """A log's file on a disk that may be full: a line that cannot be written is counted, and no call fails for it."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except OSError:
            metrics.UNLOGGED.inc()

    def flush(self) -> None:
        """Every line is written at once."""


def configure(level: str, form: str) -> None:
    """Set up structlog. `form`: json, console, or auto (console on a terminal)."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer = (
        structlog.dev.ConsoleRenderer()
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    # What goes wrong with the bus is told by the relay and the consumers, once; kafka-python tells each attempt.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(level, logging.INFO)),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, Enduring(sys.stderr))),
        cache_logger_on_first_use=True,
    )

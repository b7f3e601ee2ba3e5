"""Where a crash can happen: before each statement, before and after each COMMIT, each produce, each acknowledgement.

Points are numbered in the order in which one run reaches them, so a number names one moment of one scenario and seed.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError


class Crash(BaseException):
    """A process dies here. No `except Exception` of the code under test can stop it."""

    def __init__(self, process: str) -> None:
        super().__init__(process)
        self.process = process


@dataclass(frozen=True, slots=True)
class Rates:
    """How probable each fault is at each of its points.

    `crash`: at any. `busy`: a lock that is not given. `broken`: the database's own trouble, also right after a COMMIT.
    `lost`: an acknowledgement of the bus. `repeated`: entries that the bus delivers again. `late`: entries not delivered yet.
    """

    crash: float = 0.0
    busy: float = 0.0
    broken: float = 0.0
    lost: float = 0.0
    repeated: float = 0.0
    late: float = 0.0

    @classmethod
    def drawn(cls, random: Random) -> "Rates":
        """Each rate for itself: a run of one kind of fault finds what a mixture hides."""
        most = cls(0.03, 0.05, 0.02, 0.2, 0.4, 0.5)
        return cls(*(random.choice((0, 0.3, 1)) * getattr(most, n) for n in cls.__slots__))


@dataclass
class Points:
    """Counts the points of one run and decides at each what happens.

    `crash_at`, `break_at`: numbers at which a crash, or an error of the database, is certain.
    `calm`: faults by chance have stopped. `off`: nothing is a point. `trace`: what was reached, in order.
    `dead`: a process that crashed and has not been started again: nothing of it has effects any more.
    """

    random: Random
    crash_at: frozenset[int] = frozenset()
    break_at: frozenset[int] = frozenset()
    rates: Rates = field(default_factory=Rates)
    calm: bool = False
    off: bool = False
    count: int = 0
    dead: set[str] = field(default_factory=set)
    crashes: list[tuple[int, str]] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)

    def reach(self, process: str, what: str) -> None:
        """Go on, or raise Crash."""
        if process in self.dead:  # a handler of the dying process: what it would do is not done
            raise Crash(process)
        if self.off:
            return
        self.count += 1
        self.trace.append(f"{process}: {what}")
        if self.count in self.crash_at or self.chance(self.rates.crash):
            self.crashes.append((self.count, self.trace[-1]))
            self.dead.add(process)
            raise Crash(process)

    def chance(self, rate: float) -> bool:
        return bool(rate) and not self.calm and not self.off and self.random.random() < rate

    def statement(self, process: str, statement: str) -> None:
        """A statement is about to be executed. Raises Crash, OperationalError."""
        self.reach(process, " ".join(statement.split()[:3]))
        if statement.startswith("BEGIN") and self.chance(self.rates.busy):
            raise trouble("database is locked")
        self._break()

    def commit(self, process: str, commit: Any) -> None:
        """Raises Crash, OperationalError: before the commit or after it, which its caller cannot tell."""
        self.reach(process, "before COMMIT")
        self._break()
        commit()
        self.reach(process, "after COMMIT")
        self._break()

    def _break(self) -> None:
        if not self.off and (self.count in self.break_at or self.chance(self.rates.broken)):
            raise trouble("disk I/O error")


def trouble(text: str) -> OperationalError:
    """Return the error that SQLAlchemy raises when the database is in trouble."""
    cause = sqlite3.OperationalError(text)
    cause.sqlite_errorname = "SQLITE_BUSY" if "locked" in text else "SQLITE_IOERR"
    return OperationalError(None, None, cause)


def watch(engine: sa.Engine, process: str, points: "Current") -> None:
    """Make every statement and every commit of an engine a point of whatever run is current."""

    def statement(_c: Any, _cursor: Any, text: str, *_: Any) -> None:
        points.now.statement(process, text)

    sa.event.listen(engine, "before_cursor_execute", statement)
    dialect: Any = engine.dialect
    commit = dialect.do_commit
    dialect.do_commit = lambda connection: points.now.commit(process, lambda: commit(connection))


@dataclass
class Current:
    """The points of the run that is under way: engines outlive a run."""

    now: Points = field(default_factory=lambda: Points(Random(0), off=True))


def numbers(text: str) -> frozenset[int]:
    """Read `17,42`."""
    return frozenset(int(number) for number in text.split(",") if number)


def shown(crash_at: Iterable[int]) -> str:
    return ",".join(str(number) for number in sorted(crash_at))


def numbered(points: Points) -> list[str]:
    """Return the lines that `--trace` prints."""
    return [f"{number:5} {what}" for number, what in enumerate(points.trace, 1)]

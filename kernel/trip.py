"""Many statements, one trip to PostgreSQL: libpq's pipeline, filled before it is sent.

psycopg's own sends and waits a statement at a time. Each wait gives the interpreter away, and a writer beside a busy loop may get
it back only when the switch interval is over.
"""

import itertools
from collections.abc import Generator, Sequence
from typing import Any

import psycopg
from psycopg import waiting
from psycopg.adapt import Transformer
from psycopg.errors import FeatureNotSupported, InvalidSqlStatementName, error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format, PipelineStatus, TransactionStatus

from kernel.arrays import oid_of
from kernel.database import BEGIN, Rows, Statement

STALE = (InvalidSqlStatementName, FeatureNotSupported)
"""What was prepared is forgotten, or its rows are of other types since a migration: a new link prepares it again."""

Prepared = tuple[bytes, list[Format]]
"""A statement's name, and the formats of its parameters."""


class Pipe:
    """One connection's pipeline, and what the connection has prepared: a statement's parameters are always of the same types.

    Nothing here waits. Whoever fills it sends what `flush` leaves, and takes in what comes until it is `complete`.
    """

    def __init__(self, driver: "psycopg.Connection[Any]") -> None:
        self.driver, self.link = driver, driver.pgconn
        self._read, self._names = Transformer(driver), itertools.count()
        self._prepared: dict[str, Prepared] = {}
        self._owed = list[str]()  # of each answer to come: what it prepares, or nothing
        self._results = list[Any]()
        self._ends = 0  # of fillings whose answers are to come

    @property
    def under_way(self) -> bool:
        """Tell whether answers are owed."""
        return bool(self._owed)

    def fill(self, asked: Sequence[Statement], given: Sequence[list[bytes]]) -> None:
        """Put statements in, and before each that is new what prepares it. `given`: their parameters, packed.

        Each filling has an end of its own: behind it the server knows that its client is at work, and for how long it may be.
        """
        if self.link.pipeline_status == PipelineStatus.OFF:
            self.link.enter_pipeline_mode()
        for (text, values), sent in zip(asked, given, strict=True):
            name, formats = self._prepared.get(text) or self._prepare(text, values)
            self.link.send_query_prepared(name, sent, formats, Format.BINARY)
            self._owed.append("")
        self.link.pipeline_sync()
        self._ends += 1

    def _prepare(self, text: str, values: Sequence[Any]) -> Prepared:
        name = b"trip_%d" % next(self._names)
        self.link.send_prepare(name, text.encode(), [oid_of(value) for value in values])
        self._owed.append(text)
        formats = [Format.BINARY if isinstance(value, bytes) else Format.TEXT for value in values]
        self._prepared[text] = name, formats
        return name, formats

    def complete(self) -> bool:
        """Tell whether all answers have arrived. Raises psycopg.OperationalError."""
        link = self.link
        while not link.is_busy():
            result = link.get_result()
            if result is None:  # the end of one statement's answers
                if link.status != ConnStatus.OK:
                    raise psycopg.OperationalError("the link was cut")
            elif result.status == ExecStatus.PIPELINE_SYNC:
                self._ends -= 1
                if not self._ends:
                    return True
            else:
                self._results.append(result)
        return False

    def rows(self) -> list[Rows]:
        """Return what each statement found, once it is complete. Raises psycopg.Error: of the first that failed."""
        owed, results, self._owed, self._results = self._owed, self._results, [], []
        answers = list(zip(owed, results, strict=False))  # behind them an end can fail that commits
        for text, result in answers:
            if text and result.status != ExecStatus.COMMAND_OK:
                del self._prepared[text]
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result, self._read.encoding)
        return [self._rows(result) for text, result in answers if not text]

    def _rows(self, result: Any) -> Rows:
        if result.status != ExecStatus.TUPLES_OK or not result.ntuples:
            return ()
        self._read.set_pgresult(result)
        found: Rows = self._read.load_rows(0, result.ntuples, tuple)
        self._read.set_pgresult(None)  # it would be kept as long as the connection
        return found


def set_out(pipe: Pipe, statements: Sequence[Statement]) -> None:
    """Let the server begin with statements while others are being made: the next `take` waits for them, and hears of errors.

    In a transaction that has begun. Raises psycopg.Error.
    """
    given = packed(statements)
    try:
        pipe.fill(statements, given)
        pipe.driver.wait(_sending(pipe))
    except BaseException:
        pipe.driver.close()
        raise


def take(pipe: Pipe, statements: Sequence[Statement], *, whole: bool = False) -> list[Rows]:
    """Run statements, each after the one before, in a transaction; return the rows that each found.

    The transaction begins as the server's settings have it. `whole`: these are all of it, and it is committed: what a pipeline
    has up to its end is one. Raises psycopg.Error: of the first that failed; those after it were not run. A link that may still
    have answers on the way, or has forgotten what was prepared, is closed.
    """
    idle = not pipe.under_way and pipe.link.transaction_status == TransactionStatus.IDLE
    if whole and not idle:
        raise psycopg.ProgrammingError("a whole transaction cannot begin within another")
    begins = idle and not whole and not pipe.driver.autocommit
    asked = [BEGIN, *statements] if begins else statements
    given = packed(asked)
    try:
        pipe.fill(asked, given)
        pipe.driver.wait(_arriving(pipe))
        pipe.link.exit_pipeline_mode()
    except BaseException:
        pipe.driver.close()
        raise
    try:
        found = pipe.rows()
    except STALE:
        pipe.driver.close()
        raise
    return found[len(found) - len(statements) :]  # what had set out, and BEGIN, come first


def packed(asked: Sequence[Statement]) -> list[list[bytes]]:
    """Return the statements' parameters as the server reads them. Raises psycopg.DataError."""
    return [list(map(_sent, given)) for _, given in asked]


def _sent(value: str | int | bytes) -> bytes:
    """Raises psycopg.DataError: libpq would end the text at its NUL."""
    if isinstance(value, str):
        if "\0" in value:
            raise psycopg.DataError("PostgreSQL text cannot hold NUL")
        return value.encode()
    return value if isinstance(value, bytes) else b"%d" % value


def _sending(pipe: Pipe) -> Generator[waiting.Wait, Any, None]:
    """Send all that waits to be sent: of half a message the server waits for the rest, however long it takes."""
    while pipe.link.flush():  # more than the socket takes at once
        if (yield waiting.Wait.RW) & waiting.Ready.R:
            pipe.link.consume_input()


def _arriving(pipe: Pipe) -> Generator[waiting.Wait, Any, None]:
    """Send what waits to be sent, and take in what comes back."""
    yield from _sending(pipe)
    while not pipe.complete():
        yield waiting.Wait.R
        pipe.link.consume_input()

"""Many statements, one trip to PostgreSQL: libpq's pipeline, filled before it is sent.

psycopg's own sends and waits a statement at a time. Each wait gives the interpreter away, and a writer beside a busy loop may get
it back only when the switch interval is over.
"""

import select
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import FeatureNotSupported, InvalidSqlStatementName, error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus

from kernel.arrays import oid_of
from kernel.database import BEGIN, Rows, Statement

STALE = (InvalidSqlStatementName, FeatureNotSupported)
"""What was prepared is forgotten, or its rows are of other types since a migration: a new link prepares it again."""
Prepared = dict[str, bytes]
"""What a connection has prepared: statement → its name there. A statement's parameters are always of the same types."""


def take(
    driver: "psycopg.Connection[Any]", statements: Sequence[Statement], prepared: Prepared
) -> list[Rows]:
    """Run statements, each after the one before, in a transaction; return the rows that each found.

    The transaction begins as the server's settings have it. Raises psycopg.Error: of the first that failed; those after it were
    not run. A link that may still have answers on the way, or has forgotten what was prepared, is closed.
    """
    link = driver.pgconn
    begins = not driver.autocommit and link.transaction_status == TransactionStatus.IDLE
    asked = [BEGIN, *statements] if begins else statements
    given = packed(asked)
    try:
        results = _carried(link, asked, given, prepared)
    except BaseException:
        driver.close()
        raise
    try:
        read = Transformer(driver)
        found = [rows(read, result) for result in results]
    except STALE:
        driver.close()
        raise
    return found[1:] if begins else found


def _carried(
    link: Any, asked: Sequence[Statement], given: Sequence[list[bytes]], prepared: Prepared
) -> list[Any]:
    link.enter_pipeline_mode()
    new = fill(link, asked, given, prepared)
    results = _results(link)
    link.exit_pipeline_mode()
    return learned(results, new, prepared)


def fill(
    link: Any, asked: Sequence[Statement], given: Sequence[list[bytes]], prepared: Prepared
) -> Prepared:
    """Put statements into the pipeline, and before them what prepares those that are new; return these. Nothing waits here.

    `given`: their parameters, packed.
    """
    kinds = {text: values for text, values in asked if text not in prepared}
    new = {text: b"trip_%d" % n for n, text in enumerate(kinds, len(prepared))}
    for text, values in kinds.items():
        link.send_prepare(new[text], text.encode(), [oid_of(value) for value in values])
    for (text, values), sent in zip(asked, given, strict=True):
        formats = [Format.BINARY if isinstance(v, bytes) else Format.TEXT for v in values]
        link.send_query_prepared(prepared.get(text) or new[text], sent, formats, Format.BINARY)
    link.pipeline_sync()
    return new


def learned(results: list[Any], new: Prepared, prepared: Prepared) -> list[Any]:
    """Keep what was prepared; return the results, those of the preparing aside, unless that failed."""
    for text, result in zip(new, results, strict=False):
        if result.status == ExecStatus.COMMAND_OK:
            prepared[text] = new[text]
    return results if new.keys() - prepared.keys() else results[len(new) :]


def packed(asked: Sequence[Statement]) -> list[list[bytes]]:
    """Return the statements' parameters as the server reads them. Raises psycopg.DataError."""
    return [list(map(_sent, given)) for _, given in asked]


def _sent(value: str | int | bytes) -> bytes:
    """Raises psycopg.DataError: libpq would end the text at its NUL."""
    if isinstance(value, str) and "\0" in value:
        raise psycopg.DataError("PostgreSQL text cannot hold NUL")
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else b"%d" % value


def _results(link: Any) -> list[Any]:
    """Send what waits to be sent, and return what comes back."""
    ready = select.poll()
    ready.register(link.socket, select.POLLIN | select.POLLOUT)
    while link.flush():  # more than the socket takes at once
        if any(event & ~select.POLLOUT for _, event in ready.poll()):
            link.consume_input()
    ready.modify(link.socket, select.POLLIN)
    results = list[Any]()
    while not complete(link, results):
        ready.poll()
        link.consume_input()
    return results


def complete(link: Any, results: list[Any]) -> bool:
    """Add the results that have arrived; tell whether these were all. Nothing waits here. Raises psycopg.OperationalError."""
    while not link.is_busy():
        result = link.get_result()
        if result is None:  # the end of one statement's answers
            if link.status != ConnStatus.OK:
                raise psycopg.OperationalError("the link was cut")
        elif result.status == ExecStatus.PIPELINE_SYNC:
            return True
        else:
            results.append(result)
    return False


def rows(read: Any, result: Any) -> Rows:
    """Return what a statement found. `read`: a Transformer of its connection; it keeps what it learns. Raises psycopg.Error."""
    if result.status == ExecStatus.FATAL_ERROR:
        raise error_from_result(result, read.encoding)
    if result.status != ExecStatus.TUPLES_OK or not result.ntuples:
        return ()
    read.set_pgresult(result)
    found: Rows = read.load_rows(0, result.ntuples, tuple)
    return found

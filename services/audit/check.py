"""Checks the log where it lies, in its own tables."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from services.audit import schema, store
from services.audit.domain import without_hash
from services.audit.hashes import NodeReader
from services.audit.keys import Malformed, parse_verifier
from services.audit.note import parse, parse_checkpoint
from services.audit.report import Finding, Kind, Report
from services.audit.verify import Progress, verify_log


def all_is_signed(engine: sa.Engine) -> bool:
    """Tell whether a checkpoint covers every entry that is stored at this moment."""
    with engine.connect() as connection:
        size, signed = store.sizes(connection)
    return size == signed


def verify_stored(
    connection: sa.Connection,
    verifier_key: str,
    *,
    kept: Sequence[str] = (),
    progress: Progress | None = None,
) -> Report:
    """Verify entries, search columns, hashes and every checkpoint of a database, in use or not.

    `kept`: checkpoints that somebody else kept; without one a log that was cut back to an older
    state is not told from an old one.

    The key's type tells which of the logs is meant.

    Raises:
        Malformed: the verifier key is no key.
    """
    log = schema.LOGS[parse_verifier(verifier_key).kind]
    size, signed = store.sizes(connection, log)
    rows = store.checkpoints(connection, until=signed, log=log)
    notes = [*kept, *(note for _, note in rows)]
    if not notes:
        findings = (Finding(Kind.SURPLUS, 0, size - 1),) if size else ()
        return Report(0, log.suite.digest(b""), findings)
    entries = store.read_entries(connection, until=size)
    report = verify_log(
        entries if log is schema.FIRST else map(without_hash, entries),
        notes[-1],
        verifier_key,
        earlier=notes[:-1],
        nodes=NodeReader(connection, log),
        progress=progress,
    )
    return Report(report.size, report.root, (*report.findings, *_misplaced(rows)))


def _misplaced(rows: Iterable[tuple[int, str]]) -> list[Finding]:
    """A checkpoint is looked up by its size: it must be the size that it states."""
    return [
        Finding(Kind.CHECKPOINT, detail=f"stored under size {size}")
        for size, note in rows
        if _stated(note) not in (size, None)
    ]


def _stated(note: str) -> int | None:
    try:
        return parse_checkpoint(parse(note)[0]).size
    except Malformed:  # told already
        return None

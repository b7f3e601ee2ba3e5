"""The audit's tables: the entries, which are every log's, and of each log its hashes, checkpoints and cosignatures."""

from dataclasses import dataclass

import sqlalchemy as sa

from kernel.access_store import access_tables
from kernel.database import TEXT, WHOLE
from services.audit.suites import SHA_ED25519, SM3_SM2, Suite

metadata = sa.MetaData()


def _whole(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, WHOLE, primary_key=key, autoincrement=False, nullable=False)


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, primary_key=key, nullable=False)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


entry = sa.Table(
    "entry",
    metadata,
    _whole("index", key=True),  # place in the log: dense, from 0
    _text("source"),
    _whole("shard"),
    _whole("position"),
    _bytes("event"),  # the journal's exact bytes
    _bytes("leaf_hash"),
    _text("record"),  # from here on: for search only, empty where the event does not tell
    _text("action"),
    _text("actor"),
    _text("department"),
    _whole("commit_time"),  # microseconds since 1970 (UTC)
    _text("business_date"),  # ISO 8601, Asia/Shanghai
    sa.UniqueConstraint("source", "shard", "position"),
    sa.Index("entry_source", "source", "index"),
    sa.Index("entry_record", "record", "index"),
    sa.Index("entry_action", "action", "index"),
    sa.Index("entry_actor", "actor", "index"),
    sa.Index("entry_department", "department", "index"),
    sa.Index("entry_commit_time", "commit_time"),
    sa.Index("entry_source_time", "source", "commit_time"),
    sa.Index("entry_department_time", "department", "commit_time"),
    sa.Index("entry_actor_time", "actor", "commit_time"),
    sa.Index("entry_action_time", "action", "commit_time"),
)
"""One row a leaf."""


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """Where one log's hashes and signatures lie; the entries are every log's. `path`: what its files' paths begin with."""

    suite: Suite
    path: str
    node: sa.Table
    checkpoint: sa.Table
    cosignature: sa.Table


def _node(name: str) -> sa.Table:
    """Hashes of complete subtrees: see `services.audit.merkle`."""
    return sa.Table(
        name,
        metadata,
        _whole("level", key=True),
        _whole("index", key=True),
        _bytes("hash"),
        sqlite_with_rowid=False,
    )


def _checkpoint(name: str) -> sa.Table:
    """One row a signed checkpoint."""
    return sa.Table(
        name,
        metadata,
        _whole("size", key=True),
        _text("text"),  # the signed note
        _whole("time"),  # microseconds since 1970 (UTC)
    )


def _cosignature(name: str) -> sa.Table:
    """One row a witness that cosigned a checkpoint."""
    return sa.Table(
        name,
        metadata,
        _whole("size", key=True),  # of the checkpoint
        _text("witness", key=True),  # name of its key
        _text("line"),  # the signature line, to be put under the note
        _whole("time"),  # microseconds since 1970 (UTC)
    )


def _log(suite: Suite, prefix: str, path: str) -> Log:
    tables = (_node(f"{prefix}node"), _checkpoint(f"{prefix}checkpoint"))
    return Log(suite, path, *tables, _cosignature(f"{prefix}cosignature"))


FIRST = _log(SHA_ED25519, "", "")
"""The log whose leaf hashes stand beside the entries."""
SECOND = _log(SM3_SM2, "sm_", "sm/")
"""The same entries with SM3 and SM2, where it is kept."""
LOGS = {log.suite.kind: log for log in (FIRST, SECOND)}

cursor = sa.Table(
    "cursor",
    metadata,
    _text("source", key=True),
    _whole("shard", key=True),
    _whole("position"),  # last one applied
)
"""How far each journal is in the log."""

ACCESS = access_tables(metadata)
"""The audit's own access journal: who searched what it may not, and what was exported."""

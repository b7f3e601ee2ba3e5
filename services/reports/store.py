"""The reports' own database: facts, cursors, watermarks, kept editions.

No column is ever NULL; days are ISO texts.
"""

from typing import Any

import sqlalchemy as sa

from kernel.access_store import access_tables
from kernel.database import TEXT, WHOLE
from kernel.parking import parked_table

METADATA = sa.MetaData()
ACCESS = access_tables(METADATA)
"""The reports' own access journal."""


def _text(name: str, **more: Any) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=False, **more)


def _whole(name: str, **more: Any) -> sa.Column[int]:
    return sa.Column(name, WHOLE, nullable=False, **more)


def _filled(name: str) -> sa.Index:
    """An index of the few facts that say something there."""
    said = sa.text(f"{name} <> ''")
    return sa.Index(f"fact_{name}", name, sqlite_where=said, postgresql_where=said)


FACT = sa.Table(
    "fact",
    METADATA,
    _text("source", primary_key=True),
    _whole("shard", primary_key=True, autoincrement=False),
    _whole("position", primary_key=True, autoincrement=False),
    _whole("cause"),
    _text("collection"),
    _text("record"),
    _whole("revision"),
    _text("action"),
    _text("from_state"),
    _text("to_state"),
    _whole("commit_time"),
    _text("business_date"),
    _text("effective_date"),
    _text("department"),
    _text("origin"),
    _text("title"),
    _text("kind"),
    _text("level"),
    _text("division"),
    _text("direction"),
    _text("programme"),
    _text("successors"),
    _text("recognized_date"),
    _text("assessed_date"),
    _text("reached"),
    _text("reached_date"),
    _whole("completed"),
    _text("currency"),
    _whole("requested"),
    _whole("approved"),
    _whole("paid"),
    _whole("recovered"),
    sa.Index("fact_record", "record", "effective_date", "revision"),
    sa.Index("fact_collection", "collection", "effective_date"),
    sa.Index("fact_business_date", "business_date", "effective_date"),
    sa.Index("fact_effective_date", "effective_date", "business_date"),
    *(_filled(name) for name in ("recognized_date", "assessed_date", "reached_date", "successors")),
)
"""One row an event.

Its columns are those of `facts.Fact`, in that order; money in the currency's hundredth (fen for
CNY).
"""

CURSOR = sa.Table(
    "consumer_cursor",
    METADATA,
    _text("source", primary_key=True),
    _whole("shard", primary_key=True, autoincrement=False),
    _whole("position"),
)
"""Up to where each journal is in the facts; its rows are the lock of the one active consumer."""

WATERMARK = sa.Table(
    "watermark",
    METADATA,
    _text("source", primary_key=True),
    _text("first_date"),
    _text("business_date"),
    _whole("commit_time"),
)
"""Business date of a source's first and of its last event, ticks included, and when the last was
committed (µs UTC).
"""

PARKED = parked_table(METADATA)
"""Events that no fact could be made of; the days from the first of them on are not over."""

SETTLED = sa.Table("settled", METADATA, _text("scope", primary_key=True), _text("day"))
"""One row, `months`: the last business day after which closed months were looked at."""

STANDING = sa.Table(
    "standing",
    METADATA,
    _text("period"),
    _text("collection", primary_key=True),
    _text("state", primary_key=True),
    _text("action", primary_key=True),
    _text("kind", primary_key=True),
    _text("level", primary_key=True),
    _text("department", primary_key=True),
    _text("division", primary_key=True),
    _text("direction", primary_key=True),
    _text("programme", primary_key=True),
    _text("currency", primary_key=True),
    _text("reached", primary_key=True),
    _whole("completed", primary_key=True, autoincrement=False),
    _whole("number"),
    _whole("requested"),
    _whole("approved"),
    _whole("paid"),
    _whole("recovered"),
)
"""How many records stood alike, with their amounts, at the end of the last month that closed.

`period`: that month, the same in all rows. The columns after it are those of `views.Line`.
"""

EDITION = sa.Table(
    "edition",
    METADATA,
    _text("period", primary_key=True),
    _whole("edition", primary_key=True, autoincrement=False),
    _text("known_day"),
    _text("cuts"),
    sa.Column("content", sa.LargeBinary, nullable=False),
    _text("digest"),
    _whole("differences"),
)
"""A closed month's kept bytes (canonical JSON), their SHA-256, the journals' cuts as JSON, how many
figures differ.
"""

FOLDED = tuple(table for table in METADATA.sorted_tables if table not in ACCESS)
"""What follows from the events alone, and so can be built anew: all but the access journal."""

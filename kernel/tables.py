"""The tables of a service: its journal and head, a table a resource, and what lies beside them."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from kernel.access_store import AccessTables, access_tables
from kernel.columns import Field, fields_of
from kernel.database import TEXT, WHOLE
from kernel.ledger import LedgerTables
from kernel.ledger import tables_of as ledger_of
from kernel.parking import parked_table
from kernel.registry import Resource, Service


@dataclass(frozen=True)
class Tables:
    """All tables of one service's database."""

    metadata: sa.MetaData
    journal: sa.Table
    head: sa.Table
    records: dict[str, sa.Table]
    number: sa.Table
    known: sa.Table
    cursor: sa.Table
    subject: sa.Table
    personal: sa.Table
    mention: sa.Table
    parked: sa.Table
    access: AccessTables
    deadline: sa.Table | None
    ledger: LedgerTables | None


def tables_of(service: Service) -> Tables:
    """Return the tables; nothing is created."""
    metadata = sa.MetaData()
    records = {r.collection: _record(metadata, r) for r in service.resources}
    timed = any(resource.lifecycle.deadlines for resource in service.resources)
    beside: tuple[Any, ...] = (
        *_beside(metadata),
        access_tables(metadata),
        _deadline(metadata) if timed else None,
        ledger_of(service.book, metadata) if service.book else None,
    )
    return Tables(metadata, _journal(metadata), _head(metadata), records, *beside)


def _text(name: str, **more: Any) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=False, **more)


def _whole(name: str, **more: Any) -> sa.Column[int]:
    return sa.Column(name, WHOLE, nullable=False, **more)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _journal(metadata: sa.MetaData) -> sa.Table:
    """`commit_time` in microseconds since 1970 UTC; `readers`: who may see the record, between blanks."""
    return sa.Table(
        "journal",
        metadata,
        _whole("position", primary_key=True, autoincrement=False),
        _text("record"),
        _text("collection"),
        _whole("revision"),
        _text("request_id", unique=True),
        _bytes("fingerprint"),
        _whole("commit_time"),
        _text("effective_date"),
        _text("readers"),
        _whole("public"),
        _bytes("event"),
        sa.UniqueConstraint("record", "revision"),
    )


def _head(metadata: sa.MetaData) -> sa.Table:
    """One row: the lock, the last position, the last commit time, which never goes back."""
    return sa.Table(
        "journal_head",
        metadata,
        _whole("id", primary_key=True, autoincrement=False),
        _whole("position"),
        _whole("commit_time"),
    )


def _record(metadata: sa.MetaData, resource: Resource) -> sa.Table:
    """`revisions`: how many the record has; `revision`: the one that `record` is of; `action`: what made it."""
    fields = fields_of(resource)
    indexes = [
        sa.Index(f"{resource.singular}_{f.column}", f.column, "name")
        for f in fields
        if f.sorted or f.sought
    ]
    return sa.Table(
        resource.singular,
        metadata,
        _text("name", primary_key=True),
        _whole("revisions"),
        _whole("revision"),
        _whole("position"),
        _text("action"),
        _text("readers"),
        _whole("public"),
        _bytes("record"),
        *(_column(field) for field in fields),
        *indexes,
    )


def _deadline(metadata: sa.MetaData) -> sa.Table:
    """What is due, a row each: written with the record that it follows from, gone when it has happened."""
    return sa.Table(
        "deadline",
        metadata,
        _text("record", primary_key=True),
        _text("key", primary_key=True),
        _text("day"),
        _text("action"),
        sa.Index("deadline_day", "day", "record", "key"),
    )


def _column(field: Field) -> sa.Column[Any]:
    return sa.Column(field.column, field.type, nullable=False)


def _beside(
    metadata: sa.MetaData,
) -> tuple[sa.Table, sa.Table, sa.Table, sa.Table, sa.Table, sa.Table, sa.Table]:
    number = sa.Table(
        "official_number", metadata, _text("series", primary_key=True), _whole("last")
    )
    known = sa.Table(
        "known_record",
        metadata,
        _text("name", primary_key=True),
        _text("state"),
        _text("title"),
        _whole("position"),
    )
    cursor = sa.Table(
        "consumer_cursor",
        metadata,
        _text("source", primary_key=True),
        _whole("shard", primary_key=True, autoincrement=False),
        _whole("position"),
    )
    subject = sa.Table("subject", metadata, _text("subject", primary_key=True), _bytes("key"))
    personal = sa.Table(
        "personal_value",
        metadata,
        _text("commitment", primary_key=True),
        _text("subject"),
        _bytes("value"),
    )
    mention = sa.Table(  # which records name, or ever named, a person
        "mention",
        metadata,
        _text("subject", primary_key=True),
        _text("record", primary_key=True),
    )
    return number, known, cursor, subject, personal, mention, parked_table(metadata)

"""Reads of the past from the journal: as it was known, as it was true, revision by revision.

Of the revisions known at the read time and true by the valid date, the record is the one with the greatest (effective date,
revision): so a historical row that comes late does not displace a later truth.
"""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp

from kernel.columns import microseconds
from kernel.database import many, one_of
from kernel.dates import business_date
from kernel.errors import Invalid
from kernel.tables import Tables

ALWAYS = 2**62
EVER = "9999-12-31"


@dataclass(frozen=True, slots=True)
class Moment:
    """Two times: what was known at `read` (µs since 1970 UTC) of what was true on `valid` (ISO business date)."""

    read: int = ALWAYS
    valid: str = EVER

    @property
    def is_now(self) -> bool:
        return self.read == ALWAYS and self.valid == EVER


NOW = Moment()


def moment_of(request: Any) -> Moment:
    """Return the moment that a request's `read_time` and `valid_time` mean. Raises Invalid."""
    moment = NOW
    if request.HasField("read_time"):
        _business_date(request.read_time, "read_time")
        moment = replace(moment, read=microseconds(request.read_time))
    if request.HasField("valid_time"):
        valid = _business_date(request.valid_time, "valid_time")
        moment = replace(moment, valid=valid.isoformat())
    return moment


def _business_date(timestamp: Timestamp, field: str) -> datetime.date:
    """Raises Invalid for an instant outside of the years 1 to 9999."""
    try:
        return business_date(timestamp)
    except (ValueError, OverflowError):
        raise Invalid(
            f"{field}: no such time; give one of the years 1 to 9999",
            f"{field}：没有这一时刻；请填写公元1年至9999年之间的时间",
            field=field,
        ) from None


class Past(NamedTuple):
    """A revision's event, and who could see the record as it was then."""

    event: bytes
    readers: str
    public: int


class History:
    """Statements over a service's journal."""

    def __init__(self, tables: Tables, *, postgres: bool) -> None:
        self._journal, self._postgres = tables.journal, postgres

    @property
    def _past(self) -> tuple[sa.Column[Any], ...]:
        return tuple(self._journal.c[field] for field in Past._fields)

    def as_of(self, tx: sa.Connection, names: Iterable[str], moment: Moment) -> dict[str, Past]:
        """Return name → the revision that counted at the moment, for records that had one."""
        journal = self._journal
        ranked = (
            sa.select(
                journal.c.record,
                *self._past,
                sa.func.row_number()
                .over(
                    partition_by=journal.c.record,
                    order_by=(journal.c.effective_date.desc(), journal.c.revision.desc()),
                )
                .label("rank"),
            )
            .where(
                one_of(journal.c.record, postgres=self._postgres),
                journal.c.commit_time <= moment.read,
                journal.c.effective_date <= moment.valid,
            )
            .subquery()
        )
        rows = tx.execute(
            sa.select(ranked.c.record, *(ranked.c[field] for field in Past._fields)).where(
                ranked.c.rank == 1
            ),
            many(names, postgres=self._postgres),
        )
        return {name: Past(*past) for name, *past in rows}

    def revision(self, tx: sa.Connection, name: str, revision: int) -> Past | None:
        """Return one revision."""
        journal = self._journal
        found = tx.execute(
            sa.select(*self._past).where(journal.c.record == name, journal.c.revision == revision)
        ).one_or_none()
        return None if found is None else Past(*found)

    def revisions(
        self, tx: sa.Connection, name: str, before: int, count: int
    ) -> Sequence[tuple[int, Past]]:
        """Return at most `count` revisions below `before`, newest first, each with its number."""
        journal = self._journal
        rows = tx.execute(
            sa.select(journal.c.revision, *self._past)
            .where(journal.c.record == name, journal.c.revision < before)
            .order_by(journal.c.revision.desc())
            .limit(count)
        )
        return [(revision, Past(*past)) for revision, *past in rows]

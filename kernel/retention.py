"""Whose values are due for erasure: all that names the person has ended, and the pack's time since then is over.

A record has ended when its lifecycle leads nowhere else. What names a person is the table `mention`: a row is written with the
first revision that names it, and stays.
"""

import datetime
from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from kernel.database import TEXT, WHOLE, many, one_of
from kernel.dates import ONE_DAY, SHANGHAI, end_of_day_instant, months_later
from kernel.pack import Pack
from kernel.personal import holds_personal
from kernel.registry import Service
from kernel.tables import Tables

CLASS = "personal-values"
"""The pack's rule that says how many months after the last change; 0: for ever."""
MICROSECONDS = datetime.timedelta(microseconds=1)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Term(NamedTuple):
    """How long values are kept after the last change, and the day on which that is asked."""

    months: int
    today: datetime.date

    @property
    def before(self) -> int:
        """µs since 1970 UTC: what was changed last before this instant is due."""
        last = months_later(self.today, -self.months)
        return (end_of_day_instant(last) - EPOCH) // MICROSECONDS

    def due_date(self, last: int) -> datetime.date:
        """Return the first day on which what was changed last at an instant is due."""
        changed = (EPOCH + last * MICROSECONDS).astimezone(SHANGHAI).date()
        later = months_later(changed, self.months)
        return later + ONE_DAY * (later.day < changed.day)


class Kept(NamedTuple):
    """A person whose values are kept. `since`: from when on they are due; None: they are not."""

    subject: str
    since: datetime.date | None


def term_of(pack: Pack, today: datetime.date) -> Term | None:
    """Return how long values are kept; None: for ever."""
    held = [rule for rule in pack.retention.on(today) if rule.id == CLASS]
    return Term(held[-1].months, today) if held and held[-1].months else None


class Retention:
    """The statements over one service's persons."""

    def __init__(self, service: Service, tables: Tables, *, postgres: bool) -> None:
        self._postgres = postgres
        self._subject = tables.subject.c.subject
        mention = tables.mention
        mine = mention.c.subject == self._subject
        self._last, open_ = list[Any](), list[Any]()
        for resource in service.resources:
            if holds_personal(resource.record.DESCRIPTOR):
                table = tables.records[resource.collection]
                ended = table.c.state.in_(sorted(resource.lifecycle.ended))
                joined = mention.join(table, table.c.name == mention.c.record)
                late = table.c.update_time >= sa.bindparam("before", type_=WHOLE)
                last = sa.select(sa.func.max(table.c.update_time)).select_from(joined).where(mine)
                alive = (
                    sa.select(table.c.name).select_from(joined).where(mine, sa.or_(~ended, late))
                )
                self._last.append(last.scalar_subquery())
                open_.append(alive.exists())
        named = sa.select(mention.c.record).where(mine).exists()
        self._is_due = sa.and_(named, *(~one for one in open_))

    def of(self, tx: sa.Connection, subjects: Iterable[str], term: Term | None) -> dict[str, Kept]:
        """Return those of them whose values are kept here."""
        here = one_of(self._subject, postgres=self._postgres)
        found = sa.select(self._subject, *self._told(term)).where(here)
        wanted = many(subjects, postgres=self._postgres)
        return {kept.subject: kept for kept in self._kept(tx, found, term, wanted)}

    def due(
        self, tx: sa.Connection, term: Term | None, also: Iterable[str], after: str, most: int
    ) -> list[Kept]:
        """Return who is due, and some others, in the order of their pseudonyms, above one."""
        above = self._subject > sa.bindparam("after", type_=TEXT)
        wanted = one_of(self._subject, postgres=self._postgres)
        due = sa.or_(self._is_due, wanted) if term else wanted
        page = sa.select(self._subject, *self._told(term)).where(above, due)
        page = page.order_by(self._subject).limit(most)
        parameters = {"after": after, **many(also, postgres=self._postgres)}
        return list(self._kept(tx, page, term, parameters))

    def count(self, tx: sa.Connection, term: Term, but: Iterable[str]) -> int:
        """Return how many are due, without some."""
        others = ~one_of(self._subject, postgres=self._postgres)
        found = (
            sa.select(sa.func.count()).select_from(self._subject.table).where(self._is_due, others)
        )
        parameters = {"before": term.before, **many(but, postgres=self._postgres)}
        return int(tx.execute(found, parameters).scalar_one())

    def _told(self, term: Term | None) -> list[Any]:
        return [self._is_due.label("is_due"), *self._last] if term else []

    def _kept(
        self, tx: sa.Connection, statement: Any, term: Term | None, parameters: dict[str, Any]
    ) -> Iterable[Kept]:
        before = {"before": term.before} if term else {}
        for subject, *told in tx.execute(statement, {**parameters, **before}):
            is_due, *lasts = told or (False,)
            last = max((last for last in lasts if last), default=0)
            yield Kept(subject, term.due_date(last) if term and is_due else None)

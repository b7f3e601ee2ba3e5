"""Months of Asia/Shanghai, the periods that reports are made of.

Days are ISO texts, which sort as the days do.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from kernel.dates import ONE_DAY, month_end, month_start
from kernel.errors import NotFound

COLLECTION = "reports"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """One month. `first`, `last`: its first and last business date."""

    first: datetime.date
    last: datetime.date

    @property
    def key(self) -> str:
        """`2026-11`"""
        return f"{self.first:%Y-%m}"

    @property
    def name(self) -> str:
        """`reports/2026-11`"""
        return f"{COLLECTION}/{self.key}"

    @property
    def before(self) -> "Period":
        return month_of(self.first - ONE_DAY)

    @property
    def after(self) -> "Period":
        return month_of(self.last + ONE_DAY)


def month_of(day: datetime.date) -> Period:
    """Return the month that a business date lies in."""
    return Period(month_start(day), month_end(day))


def parse(key: str) -> Period:
    """Return the month of `2026-11`. Raises NotFound."""
    try:
        return month_of(datetime.date.fromisoformat(f"{key}-01"))
    except ValueError:
        raise unknown(f"{COLLECTION}/{key}") from None


def named(name: str) -> Period:
    """Return the month of `reports/2026-11`. Raises NotFound."""
    collection, _, key = name.partition("/")
    if collection != COLLECTION:
        raise unknown(name)
    return parse(key)


def months(first: datetime.date, last: datetime.date) -> Iterator[Period]:
    """Yield the months from the one of `first` to the one of `last`, both included; none when
    `last` is earlier.
    """
    period = month_of(first)
    while period.first <= last:
        yield period
        period = period.after


def unknown(name: str) -> NotFound:
    """Return the refusal of a report that does not exist."""
    return NotFound(
        f"no report {name}; list the reports to see the months that there are",
        f"没有报告 {name}；请列出报告以查看已有月份",
        field="name",
    )

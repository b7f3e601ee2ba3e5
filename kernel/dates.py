"""Business dates: days of Asia/Shanghai, over the wire and back, and counted in working days."""

import calendar
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from kernel.errors import Invalid

# Fixed: no summer time since 1991, and a machine without zone files agrees with the others.
SHANGHAI = datetime.timezone(datetime.timedelta(hours=8), "Asia/Shanghai")
ONE_DAY = datetime.timedelta(days=1)
SATURDAY = 5


def business_date(instant: Timestamp | datetime.datetime) -> datetime.date:
    """Return the day in Asia/Shanghai of an instant. Raises ValueError when it has no zone."""
    if isinstance(instant, Timestamp):
        instant = instant.ToDatetime(tzinfo=datetime.UTC)
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no zone; give one, such as datetime.now(UTC)")
    return instant.astimezone(SHANGHAI).date()


def to_date(value: Date, field: str = "") -> datetime.date | None:
    """Return the day that the wire says, None when unset. Raises Invalid for no such day."""
    if not (value.year or value.month or value.day):
        return None
    try:
        return datetime.date(value.year, value.month, value.day)
    except (ValueError, OverflowError):
        raise Invalid(
            f"no such day: {iso(value)}; give year, month and day of a day that exists",
            f"没有这一天：{iso(value)}；请填写存在的年、月、日",
            field=field,
            reason="DATE_INVALID",
        ) from None


def from_date(day: datetime.date) -> Date:
    """Return the day as the wire has it."""
    return Date(year=day.year, month=day.month, day=day.day)


def iso(value: Date) -> str:
    """Return `2026-02-03`, parts as they are; the empty text when unset."""
    if not (value.year or value.month or value.day):
        return ""
    return f"{value.year:04d}-{value.month:02d}-{value.day:02d}"


def month_start(day: datetime.date) -> datetime.date:
    """Return the first day of the month."""
    return day.replace(day=1)


def month_end(day: datetime.date) -> datetime.date:
    """Return the last day of the month."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def months_later(day: datetime.date, months: int) -> datetime.date:
    """Return the same day so many months later, or that month's last day. `months`: negative for earlier."""
    month = day.year * 12 + day.month - 1 + months
    first = datetime.date(month // 12, month % 12 + 1, 1)
    return min(first + ONE_DAY * (day.day - 1), month_end(first))


def end_of_day_instant(day: datetime.date) -> datetime.datetime:
    """Return the UTC instant when the local day is over: from it on, its deadlines have passed."""
    midnight = datetime.datetime.combine(day + ONE_DAY, datetime.time(), SHANGHAI)
    return midnight.astimezone(datetime.UTC)


Span = tuple[datetime.date, datetime.date]
"""From a day to a day, both included."""


class Due(NamedTuple):
    """A day that was counted to; provisional when a year on the way is not announced yet."""

    date: datetime.date
    provisional: bool


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """The days that are worked: Monday to Friday, less `off`, plus `extra` (调休).

    `settled`: the years that the State Council has announced; in any other only weekends are known.
    """

    off: frozenset[datetime.date]
    extra: frozenset[datetime.date]
    settled: frozenset[int]

    def is_working_day(self, day: datetime.date) -> bool:
        """Tell whether the day is worked, as far as its year is known."""
        return day in self.extra or (day.weekday() < SATURDAY and day not in self.off)

    def add(self, day: datetime.date, count: int, pauses: Sequence[Span] = ()) -> Due:
        """Return the count-th working day after the day (before, when negative); itself for 0. No day of a pause counts."""
        step = ONE_DAY if count > 0 else -ONE_DAY
        left, provisional = abs(count), False
        while left:
            day += step
            paused = any(first <= day <= last for first, last in pauses)
            left -= self.is_working_day(day) and not paused
            provisional = provisional or day.year not in self.settled
        return Due(day, provisional)

    def between(self, start: datetime.date, end: datetime.date) -> int:
        """Return how many working days lie after `start`, up to and with `end`, else 0."""
        days = range(1, (end - start).days + 1)
        return sum(self.is_working_day(start + datetime.timedelta(days=n)) for n in days)

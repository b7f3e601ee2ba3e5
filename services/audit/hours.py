"""When nobody should be at work: the spans between office hours, as commit times."""

import datetime
from collections.abc import Iterator
from typing import NamedTuple

from kernel.dates import ONE_DAY, SHANGHAI
from kernel.pack import Pack

START, END = "office-hours-start", "office-hours-end"
"""The pack's rules, in minutes after midnight in Asia/Shanghai."""


class Span(NamedTuple):
    """From a commit time on, up to but without another: µs since 1970 UTC."""

    start: int
    end: int


def off_hours(pack: Pack, within: Span) -> Iterator[Span]:
    """Yield the spans outside of office hours, the newest first: nights, weekends, days off of the pack's calendar."""
    day, first = _day(within.end - 1), _day(within.start)
    while day >= first:
        for span in reversed(_of_day(pack, day)):
            cut = Span(max(span.start, within.start), min(span.end, within.end))
            if cut.start < cut.end:
                yield cut
        day -= ONE_DAY


def _of_day(pack: Pack, day: datetime.date) -> list[Span]:
    if not pack.is_working_day(day):
        return [Span(_at(day, 0), _at(day, 24 * 60))]
    opens, closes = pack.rule(START, day), pack.rule(END, day)
    return [Span(_at(day, 0), _at(day, opens)), Span(_at(day, closes), _at(day, 24 * 60))]


def _at(day: datetime.date, minutes: int) -> int:
    midnight = datetime.datetime.combine(day, datetime.time(), SHANGHAI)
    return int(midnight.timestamp()) * 1_000_000 + minutes * 60_000_000


def _day(microseconds: int) -> datetime.date:
    return datetime.datetime.fromtimestamp(microseconds // 1_000_000, SHANGHAI).date()

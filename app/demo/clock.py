"""The time of the story: business days of the past, never back, and real seconds in between."""

import datetime
import time
from collections.abc import Callable

from google.protobuf.timestamp_pb2 import Timestamp

from kernel.dates import SHANGHAI, business_date

OPENING = datetime.time(9)  # when a day of the story begins, in Shanghai


class StoryClock:
    """Starts on `day`; `monotonic` (seconds) goes on by itself. Called, it is a `kernel` clock."""

    def __init__(self, day: datetime.date, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._set(_opening(day))

    def __call__(self) -> Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(self._now())
        return stamp

    @property
    def today(self) -> datetime.date:
        return business_date(self._now())

    def go_to(self, day: datetime.date) -> None:
        """Go on to the morning of a day; a day that is here or over changes nothing."""
        if day > self.today:
            self._set(_opening(day))

    def _set(self, moment: datetime.datetime) -> None:
        self._start, self._since = moment, self._monotonic()

    def _now(self) -> datetime.datetime:
        return self._start + datetime.timedelta(seconds=self._monotonic() - self._since)


def _opening(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, OPENING, SHANGHAI)

"""The time of the story: business days of the past, never back, and real seconds in between."""

import datetime
import time
from collections.abc import Callable
from pathlib import Path

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


class SharedClock(StoryClock):
    """The story's time for other processes too: a file tells how far it is from the real one, in seconds."""

    def __init__(self, day: datetime.date, file: Path) -> None:
        self._file = file
        super().__init__(day)

    def _set(self, moment: datetime.datetime) -> None:
        super()._set(moment)
        ahead = moment - datetime.datetime.now(datetime.UTC)
        draft = self._file.with_suffix(".draft")
        draft.write_text(repr(ahead.total_seconds()), encoding="ascii")
        draft.replace(self._file)


def shared(file: Path) -> Timestamp:
    """Return the time that a SharedClock of another process tells."""
    stamp = Timestamp()
    ahead = datetime.timedelta(seconds=float(file.read_text(encoding="ascii")))
    stamp.FromDatetime(datetime.datetime.now(datetime.UTC) + ahead)
    return stamp


def _opening(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, OPENING, SHANGHAI)

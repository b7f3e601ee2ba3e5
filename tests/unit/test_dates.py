"""Business dates: the local day, the wire, and working days."""

import datetime
from datetime import UTC, date
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from hypothesis import given
from hypothesis import strategies as st

from kernel import dates
from kernel.errors import Invalid

# A made-up year: Thursday 2030-01-03 off, Saturday 2030-01-05 worked; 2031 not announced.
WORKING = dates.WorkingDays(
    off=frozenset({date(2030, 1, 3)}),
    extra=frozenset({date(2030, 1, 5)}),
    settled=frozenset({2030}),
)
BUSINESS_DAYS = st.dates(date(1992, 1, 1), date(2100, 1, 1))


def test_the_local_day_begins_at_sixteen_hours_utc() -> None:
    before = datetime.datetime(2026, 2, 28, 15, 59, 59, 999999, UTC)
    assert dates.business_date(before) == date(2026, 2, 28)
    assert dates.business_date(before + datetime.timedelta(microseconds=1)) == date(2026, 3, 1)


def test_a_timestamp_and_its_datetime_have_the_same_business_date() -> None:
    instant = datetime.datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    timestamp = Timestamp()
    timestamp.FromDatetime(instant)
    assert dates.business_date(timestamp) == dates.business_date(instant) == date(2027, 1, 1)


def test_an_instant_without_zone_has_no_business_date() -> None:
    with pytest.raises(ValueError, match="zone"):
        dates.business_date(datetime.datetime(2026, 1, 1))  # noqa: DTZ001


@given(BUSINESS_DAYS, st.times())
def test_the_fixed_offset_agrees_with_the_zone_database(day: date, time: datetime.time) -> None:
    instant = datetime.datetime.combine(day, time, UTC)
    expected = instant.astimezone(ZoneInfo("Asia/Shanghai")).date()
    assert dates.business_date(instant) == expected


@given(st.dates())
def test_a_day_survives_the_wire(day: date) -> None:
    assert dates.to_date(dates.from_date(day)) == day
    assert dates.iso(dates.from_date(day)) == day.isoformat()


def test_an_unset_date_is_none_and_prints_nothing() -> None:
    assert dates.to_date(Date()) is None
    assert dates.iso(Date()) == ""


@pytest.mark.parametrize(
    ("year", "month", "day"),
    [
        (2026, 2, 30),
        (2026, 2, 0),
        (2026, 13, 1),
        (0, 5, 1),
        (2026, 0, 0),
        (-1, 1, 1),
        (2**31 - 1, 1, 1),
    ],
)
def test_an_impossible_date_is_invalid_and_names_its_field(year: int, month: int, day: int) -> None:
    with pytest.raises(Invalid) as refusal:
        dates.to_date(Date(year=year, month=month, day=day), "application.due_date")
    assert refusal.value.field == "application.due_date"
    assert refusal.value.code == "DATE_INVALID"
    assert dates.iso(Date(year=year, month=month, day=day)) in refusal.value.zh


def test_a_month_ends_on_its_last_day() -> None:
    assert dates.month_end(date(2024, 2, 10)) == date(2024, 2, 29)
    assert dates.month_end(date(2026, 2, 28)) == date(2026, 2, 28)
    assert dates.month_start(date(2026, 12, 31)) == date(2026, 12, 1)


@given(BUSINESS_DAYS)
def test_a_day_is_over_at_the_instant_when_the_next_begins(day: date) -> None:
    over = dates.end_of_day_instant(day)
    assert over.utcoffset() == datetime.timedelta(0)
    assert dates.business_date(over) == day + dates.ONE_DAY
    assert dates.business_date(over - datetime.timedelta(microseconds=1)) == day


def test_a_day_off_is_skipped_and_an_exchanged_saturday_counts() -> None:
    assert WORKING.add(date(2030, 1, 2), 1) == (date(2030, 1, 4), False)
    assert WORKING.add(date(2030, 1, 2), 2) == (date(2030, 1, 5), False)
    assert WORKING.add(date(2030, 1, 2), 3) == (date(2030, 1, 7), False)


def test_no_working_days_lead_nowhere_even_from_a_holiday() -> None:
    assert WORKING.add(date(2030, 1, 3), 0) == (date(2030, 1, 3), False)


def test_a_count_into_a_year_not_announced_is_provisional() -> None:
    assert WORKING.add(date(2030, 12, 30), 1) == (date(2030, 12, 31), False)
    assert WORKING.add(date(2030, 12, 31), 1) == (date(2031, 1, 1), True)
    assert WORKING.add(date(2031, 1, 2), -2) == (date(2030, 12, 31), True)


@given(BUSINESS_DAYS, st.integers(1, 60))
def test_working_days_count_back_what_they_count_forward(day: date, count: int) -> None:
    due = WORKING.add(day, count).date
    assert WORKING.is_working_day(due)
    assert WORKING.between(day, due) == count
    assert WORKING.between(due, day) == 0
    if WORKING.is_working_day(day):
        assert WORKING.add(due, -count).date == day

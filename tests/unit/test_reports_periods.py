"""Months of the reports."""

import datetime

import pytest

from kernel.errors import NotFound
from services.reports.periods import month_of, months, named


def test_a_month_ends_with_its_last_day_in_a_leap_year_too() -> None:
    month = named("reports/2028-02")
    assert (month.first, month.last) == (datetime.date(2028, 2, 1), datetime.date(2028, 2, 29))


def test_the_month_before_january_is_december() -> None:
    assert named("reports/2027-01").before.key == "2026-12"


def test_a_span_names_each_of_its_months_once() -> None:
    spanned = months(datetime.date(2026, 11, 30), datetime.date(2027, 1, 1))
    assert [month.key for month in spanned] == ["2026-11", "2026-12", "2027-01"]


def test_a_span_that_ends_before_it_begins_has_no_month() -> None:
    first = datetime.date(2026, 11, 5)
    assert list(months(first, month_of(first).before.last)) == []


@pytest.mark.parametrize("name", ["reports/2026-13", "reports/", "platforms/2026-11", "2026-11"])
def test_what_is_no_month_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        named(name)

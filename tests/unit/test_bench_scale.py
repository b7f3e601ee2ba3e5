"""The page on scale: it follows from what was measured."""

import pytest

from bench.results import Line
from bench.scale import EARLIER, LEVELS, Country, Units, measured, page

UNITS = Units(**EARLIER)


def test_a_section_that_was_measured_takes_the_earlier_figures_place() -> None:
    results = {
        "parts": [Line(f"CPU of a create, grpcio: {part}", "200 µs") for part in "ab"],
        "close": [Line("closing a month of 10,000 events", "1.05", "≤ 1.2", True, "0.50 s against")],
        "events": [Line("consumer replay against bare", "0.40", "≥ 0.3", True, "9,000 against 2")],
    }  # fmt: skip
    found = measured(results)
    assert found == pytest.approx({"service": 400e-6, "close": 50e-6, "replay": 9_000})
    assert "400 µs of CPU | parts | now |" in page(
        Units(**(EARLIER | found)), EARLIER.keys() - found.keys()
    )


def test_what_was_not_measured_is_said_to_be_earlier() -> None:
    assert "15,000 | audit | earlier |" in page(UNITS, {"audit"})


def test_more_changes_never_cost_less() -> None:
    costs = [Country(rate, UNITS).yuan for rate in LEVELS]
    assert costs == sorted(costs)
    assert Country(10_000, UNITS).broker == pytest.approx(10 * Country(1_000, UNITS).broker)

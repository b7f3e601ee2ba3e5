"""The page on scale: it follows from what was measured."""

from pathlib import Path

import pytest

from bench import results
from bench.results import Line, Section
from bench.scale import EARLIER, LEVELS, Country, Units, measured, page

UNITS = Units(**EARLIER)


def test_a_section_that_was_measured_takes_the_earlier_figures_place() -> None:
    lines = {
        "parts": [Line(f"CPU of a create, grpcio: {part}", "200 µs") for part in "ab"],
        "close": [Line("closing a month of 10,000 events", "1.05", "≤ 1.2", True, "0.50 s against")],
        "events": [Line("consumer replay against bare", "0.40", "≥ 0.3", True, "9,000 against 2")],
    }  # fmt: skip
    found = measured({name: Section("then", found) for name, found in lines.items()})
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


def test_the_page_says_of_each_section_when_it_was_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(results, "KEPT", tmp_path / "results.json")
    monkeypatch.setattr(results, "PAGE", tmp_path / "results.md")
    sections = {
        "close": Section("on Monday, commit a", [Line("a month", "1.05", "≤ 1.2", True)]),
        "start": Section("on Friday, commit b", [Line("ready", "3 s", "≤ 2 s", False, why="slow")]),
    }
    results.keep(sections)
    assert results.kept() == sections
    page = (tmp_path / "results.md").read_text("utf-8")
    assert page.index("## close\n\non Monday, commit a.") < page.index("## start\n\non Friday")
    assert "| ready | 3 s | ≤ 2 s | **missed** |" in page
    assert "What is left, and why: slow" in page

"""How cost grows toward a country's scale: arithmetic over what the other sections measured, written to docs/scale.md."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Template

from app.settings import ROOT
from bench.results import HERE, Line, Section, kept
from bench.rows import platform

PAGE, TEMPLATE = ROOT / "docs" / "scale.md", HERE / "scale.md.in"
PROVINCES, REGISTRIES, SKEW = 34, 4, 4
"""A province runs its own registries, each a journal of its own; the busiest writes `SKEW` times the mean."""
READERS, COPIES, BUSY = 3, 3, 0.5
"""Services that read a journal besides the audit; copies that Kafka keeps; how far a core is loaded at the peak."""
CORE_YEAR, TERABYTE_YEAR = 1_500, 6_000
"""Yuan: a core with 4 GiB, a terabyte of replicated storage. Assumed: put your own prices here."""
HOURS = 250 * 2
"""Hours a year at the peak: two on each working day. Nobody writes at the peak for a year."""
CHANGE, ROWS = 300, 3
"""Bytes that an event says besides its record; how often a change lies in databases: record, journal, audit."""
LEVELS = (10, 100, 1_000, 10_000)
"""Changes a second, in the whole country, at the peak."""


@dataclass(frozen=True)
class Units:
    """What one thing costs. Seconds of CPU a change; things a second for what one process does alone."""

    service: float
    database: float
    ceiling: float
    replay: float
    audit: float
    close: float

    @property
    def change(self) -> float:
        """Seconds of CPU of a change, from the call to the last reader."""
        return self.service + self.database + READERS / self.replay + 1 / self.audit


@dataclass(frozen=True)
class Country:
    """What a number of changes a second takes, in the whole country."""

    rate: float
    units: Units

    @property
    def cores(self) -> float:
        return max(self.rate * self.units.change / BUSY, PROVINCES)

    @property
    def busiest(self) -> float:
        """Changes a second of the busiest registry of the busiest province."""
        return self.rate / (PROVINCES * REGISTRIES) * SKEW

    @property
    def shards(self) -> float:
        """Journals that the busiest registry would need."""
        return self.busiest / (self.units.ceiling * BUSY)

    @property
    def broker(self) -> float:
        """Megabytes a second that all brokers write."""
        return self.rate * event_bytes() * COPIES / 1e6

    @property
    def terabytes(self) -> float:
        """A year's growth of databases and topics."""
        events = self.rate * HOURS * 3600
        return events * event_bytes() * (ROWS + COPIES) / 1e12

    @property
    def close(self) -> float:
        """Minutes that the busiest province takes to close a month at its end."""
        return self.rate / PROVINCES * SKEW * HOURS / 12 * 3600 * self.units.close / 60

    @property
    def rebuild(self) -> float:
        """Days in which one reader takes in a year of the busiest province."""
        return self.rate / PROVINCES * SKEW * HOURS * 3600 / self.units.replay / 86_400

    @property
    def yuan(self) -> float:
        """A year's cores and the first year's storage."""
        return self.cores * CORE_YEAR + self.terabytes * TERABYTE_YEAR


EARLIER = {
    "service": 500e-6,
    "database": 77e-6,
    "ceiling": 2_180.0,
    "replay": 10_070.0,
    "audit": 15_000.0,
    "close": 35e-6,
}
"""What single measurements found before `make bench` had run as a whole; a section that was measured takes its place."""


def lines() -> Iterator[Line]:
    """Write the page anew from what is kept."""
    found = measured(kept())
    units = Units(**(EARLIER | found))
    PAGE.write_text(page(units, EARLIER.keys() - found.keys()), "utf-8")
    most = Country(LEVELS[-1], units)
    yield Line(
        f"CPU of {LEVELS[-1]:,} changes a second in the country", f"{most.cores:,.0f} cores",
        detail=f"{most.yuan:,.0f} yuan a year, {most.broker:,.0f} MB/s at the brokers; [scale](../docs/scale.md)",
    )  # fmt: skip


def measured(results: Mapping[str, Section]) -> dict[str, float]:
    """Return the unit costs whose sections were measured."""
    every = [line for section in results.values() for line in section.lines]
    parts = [_number(x.found) for x in every if x.what.startswith("CPU of a create, grpcio")]
    said = {
        "database": _scaled(every, "CPU of PostgreSQL a create, Luoshu", 1e-6),
        "ceiling": _scaled(every, "creates at 128 callers, PostgreSQL, against Go, a", 1),
        "replay": _scaled(every, "consumer replay", 1),
        "audit": _scaled(every, "audit: appends a second", 1),
        "close": _scaled(every, "closing a month", 1 / 10_000),
        "service": sum(parts) * 1e-6 or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _scaled(lines: Sequence[Line], what: str, unit: float) -> float | None:
    """Return the first figure of a line: of its detail, if what it found is a ratio. None: it was not measured."""
    line = next((line for line in lines if line.what.startswith(what)), None)
    if line is None:
        return None
    return _number(line.detail if line.goal else line.found) * unit


def page(units: Units, earlier: Collection[str] = ()) -> str:
    """Return the page: the template with the figures in it. `earlier`: units that `make bench` has not measured yet."""
    said = {f"of_{name}": "earlier" if name in earlier else "now" for name in EARLIER} | {
        "service": f"{units.service * 1e6:,.0f}",
        "database": f"{units.database * 1e6:,.0f}",
        "ceiling": f"{units.ceiling:,.0f}",
        "replay": f"{units.replay:,.0f}",
        "audit": f"{units.audit:,.0f}",
        "close": f"{units.close * 1e6:,.0f}",
        "change": f"{units.change * 1e6:,.0f}",
        "bytes": f"{event_bytes():,}",
        "table": "\n".join(_row(Country(rate, units)) for rate in LEVELS),
        "one": f"{units.ceiling * BUSY * PROVINCES * REGISTRIES / SKEW:,.0f}",
        "days": f"{Country(LEVELS[-1], units).rebuild:,.1f}",
        "db_cores": f"{LEVELS[-1] / PROVINCES * SKEW * units.database:.2f}",
        "logs": f"{units.audit * PROVINCES / SKEW:,.0f}",
    }
    return Template(TEMPLATE.read_text("utf-8")).substitute(said)


def event_bytes() -> int:
    """Bytes of the event of the platform that the measurements write."""
    return len(platform(1).SerializeToString()) + CHANGE


def _row(country: Country) -> str:
    cells = (
        f"{country.rate:,.0f}", f"{country.busiest:,.1f}", f"{country.shards:.2f}", f"{country.cores:,.0f}",
        f"{country.broker:,.1f}", f"{country.terabytes:,.2f}", f"{country.close:,.1f}", f"{country.yuan:,.0f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _number(text: str) -> float:
    """Return the first number of a text such as `Luoshu 1,234/s`."""
    found = re.search(r"\d[\d,]*(\.\d+)?", text)
    return float(found[0].replace(",", "")) if found else 0.0

"""`python -m bench`: measure, print, and write bench/results.md."""

import statistics
from collections.abc import Iterator, Sequence

from bench.commits import CALLERS, Commits, commits
from bench.filling import follow_rate, import_rate, watch_rate
from bench.paging import DEEP, SIZE, paging
from bench.results import PAGE, Line, page
from bench.serving import APPLICANT_ALONE, AUDITOR, served

ROWS = 110_000
MOST_PAGE_RATIO, LEAST_COMMIT_RATIO = 1.3, 2.0


def main() -> None:
    lines = list[Line]()
    for line in (*_many_records(), *_many_callers()):
        print(f"{line.what}: {line.found} {line.detail}", flush=True)
        lines.append(line)
    PAGE.write_text(page(lines), "utf-8")
    print(f"\n{PAGE.name} is written")


def _many_records() -> Iterator[Line]:
    with served() as service:
        rate = import_rate(service, ROWS)
        yield Line(
            "import", f"{rate:,.0f} rows/s", detail=f"{ROWS:,} rows, 500 a message, one caller"
        )
        rate = watch_rate(service, ROWS)
        yield Line("a watcher catching up", f"{rate:,.0f} events/s", detail=f"{ROWS:,} events")
        rate = follow_rate(service, ROWS)
        yield Line("a consumer reading the journal", f"{rate:,.0f} events/s", detail="ReadJournal")
        for who, order in (("", ""), ("", "title"), (", a unit's own", "title")):
            found = paging(service, order, APPLICANT_ALONE if who else AUDITOR)
            yield Line(
                f"the page after record {DEEP:,} against the first, by {found.order}{who}",
                f"{found.ratio:.2f}",
                f"≤ {MOST_PAGE_RATIO}",
                found.ratio <= MOST_PAGE_RATIO,
                f"{found.deep:.1f} ms against {found.first:.1f} ms, {SIZE} records a page of {ROWS:,}",
            )


def _many_callers() -> Iterator[Line]:
    found = commits()
    yield Line(
        f"group commit against each alone, {CALLERS} callers",
        f"{found.ratio:.2f}",
        f"≥ {LEAST_COMMIT_RATIO}",
        found.ratio >= LEAST_COMMIT_RATIO,
        _rounds(found),
    )


def _rounds(found: Commits) -> str:
    return (
        f"{_median(found.together)} against {_median(found.alone)} durable creates/s, "
        f"{len(found.alone)} rounds in turn, medians"
    )


def _median(rates: Sequence[float]) -> str:
    return f"{statistics.median(rates):,.0f} ({min(rates):,.0f}–{max(rates):,.0f})"


if __name__ == "__main__":
    main()

"""Prints a pack's `calendar` section for some years.

`python tools/seed_calendar.py 2026 2027`. Source: the chinesecalendar package, which follows the
State Council's notices. A year that it does not know is printed as provisional: weekends only.
Compare with the notice before the output replaces what the pack has.
"""

import datetime
import sys
from collections.abc import Iterable, Iterator

from chinese_calendar.constants import Holiday, holidays, workdays

ONE_DAY = datetime.timedelta(days=1)


def main(years: Iterable[int]) -> None:
    """Print the section."""
    print("calendar:")
    for year in years:
        print("\n".join(year_lines(year)))


def year_lines(year: int) -> Iterator[str]:
    """Yield the lines of one year's entry."""
    off = sorted(day for day in holidays if day.year == year)
    yield f'  - id: "{year}"'
    if not off:
        yield "    source: decree-795"
        yield "    provisional: true"
        return
    yield f"    source: holidays-{year}"
    yield "    days_off:"
    for run in runs(off):
        yield f"      - {{zh: {name(run, 'chinese')}, en: {name(run, 'value')}, {span(run)}}}"
    yield f"    exchanged: [{', '.join(f'{day}' for day in sorted(workdays) if day.year == year)}]"


def runs(days: Iterable[datetime.date]) -> list[list[datetime.date]]:
    """Group days that follow each other."""
    groups: list[list[datetime.date]] = []
    for day in days:
        if groups and day - groups[-1][-1] == ONE_DAY:
            groups[-1].append(day)
        else:
            groups.append([day])
    return groups


def name(run: Iterable[datetime.date], attribute: str) -> str:
    """Name the holidays of a run; two that fell together are both named."""
    names = dict.fromkeys(str(getattr(Holiday(holidays[day]), attribute)) for day in run)
    return ("、" if attribute == "chinese" else " and ").join(names)


def span(run: list[datetime.date]) -> str:
    """Return the first and the last day as the pack writes them."""
    return f"first: {run[0]}, last: {run[-1]}"


if __name__ == "__main__":
    main(int(year) for year in sys.argv[1:])

"""`python -m bench [SECTION …]`: measure, print, and write bench/results.md with its plot."""

import sys
from collections.abc import Callable, Iterator

from bench import (
    audit,
    closing,
    commits,
    creates,
    events,
    gets,
    importing,
    listing,
    parts,
    scale,
    starting,
    watching,
)
from bench.plot import draw
from bench.results import KEPT, PAGE, Line, Section, keep, kept, now

SECTIONS: dict[str, Callable[[], Iterator[Line]]] = {
    "creates": creates.on_postgres,
    "creates-sqlite": creates.on_sqlite,
    "group-commit": commits.lines,
    "get": gets.lines,
    "import": importing.lines,
    "list": listing.lines,
    "events": events.lines,
    "watch": watching.lines,
    "audit": audit.lines,
    "close": closing.lines,
    "start": starting.lines,
    "parts": parts.lines,
    "scale": scale.lines,
}
"""What there is to measure, in the order of the page."""


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        sys.exit(
            f"no section {unknown[0]}; there are: {', '.join(SECTIONS)} / 可选：{', '.join(SECTIONS)}"
        )
    results = kept()
    for name in names or SECTIONS:
        measured, lines = now(), list[Line]()
        for line in SECTIONS[name]():
            print(f"{line.what}: {line.found} {line.goal} {line.detail}", flush=True)
            lines.append(line)
        results[name] = Section(measured, lines)
        results = {section: results[section] for section in SECTIONS if section in results}
        keep(results)
    draw(line for section in results.values() for line in section.lines)
    print(f"\n{PAGE.name} and {KEPT.name} are written")


if __name__ == "__main__":
    main(sys.argv[1:])

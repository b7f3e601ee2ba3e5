"""Tables on a terminal: as wide as it is, no word torn; where that cannot be, a record a paragraph."""

import re
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

NUMBER = re.compile(r"[-+]?[0-9][0-9,]*(\.[0-9]+)?")
GAP = 2  # columns between two cells
PROSE = 14
"""Cells that a run of Chinese needs at least: it may be broken anywhere, but not after every character."""


def draw(headings: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str] = ()) -> None:
    """Print a table, or its rows one below the other where a name or a date would have to be broken.

    `spare`: headings of columns that are left out before, one after another.
    """
    console = Console(highlight=False)
    rows = [[_plain(cell) for cell in row] for row in rows]
    widths = _fitting(headings, rows, console.width)
    for heading in spare if not widths else ():
        at = list(headings).index(heading)
        headings, rows = _without(at, headings), [_without(at, row) for row in rows]
        if widths := _fitting(headings, rows, console.width):
            break
    console.print(_table(headings, rows, widths) if widths else _paragraphs(headings, rows))


def _without(at: int, cells: Sequence[str]) -> list[str]:
    return [*cells[:at], *cells[at + 1 :]]


def _plain(cell: str) -> str:
    """Return a cell in which no character steers the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in cell)


def _fitting(
    headings: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> list[int] | None:
    """Return the columns' widths: as they are, or the widest ones narrowed. None: they do not fit."""
    columns = list(zip(headings, *rows, strict=True))
    least = [max(map(_least, cells)) for cells in columns]
    found = [max(_longest_line(cell) for cell in cells) for cells in columns]
    over = sum(found) + GAP * (len(found) - 1) - width
    while over > 0:
        spare, at = max(
            (have - need, at) for at, (have, need) in enumerate(zip(found, least, strict=True))
        )
        if spare <= 0:
            return None
        found[at] -= 1
        over -= 1
    return found


def _longest_line(cell: str) -> int:
    return max(map(cell_len, cell.split("\n")))


def _least(cell: str) -> int:
    """Return how narrow a cell may become: its longest word, for a word that is broken cannot be copied."""
    words = (cell_len(w) if w.isascii() else min(cell_len(w), PROSE) for w in cell.split())
    return max(words, default=0)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Table:
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    for at, (heading, width) in enumerate(zip(headings, widths, strict=True)):
        cells = [row[at] for row in rows if row[at]]
        numbers = cells and all(map(NUMBER.fullmatch, cells))
        drawn.add_column(
            Text(heading), width=width, overflow="fold", justify="right" if numbers else "left"
        )
    for row in rows:
        drawn.add_row(*map(Text, row))
    return drawn


def _paragraphs(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """What says nothing is left out."""
    drawn = Table.grid(padding=(0, GAP, 0, 0))
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for number, row in enumerate(rows):
        if number:
            drawn.add_row("", "")
        for heading, cell in zip(headings, row, strict=True):
            if cell:
                drawn.add_row(Text(heading.replace("\n", " ")), Text(cell))
    return drawn

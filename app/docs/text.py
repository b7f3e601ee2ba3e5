"""Markdown out of rows and sentences."""

from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; an empty cell stays empty."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(cell(text) for text in line)} |\n" for line in lines)


def cell(text: str) -> str:
    """Return a text on one line; what Markdown would take for a column or a tag is escaped."""
    line = " ".join(text.split()).replace("|", "\\|")
    return line if "`" in line else line.replace("<", "&lt;")


def codes(names: Iterable[str]) -> str:
    """Return `a`, `b`."""
    return ", ".join(f"`{name}`" for name in names)

"""What can be wrong with a row, in both languages."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one row did not enter.

    `line`: in the file (CSV, JSON lines, XLSX), or the element's number (JSON), from 1. `column`:
    as the file calls it; `field`: as the record calls it; either is empty where the whole row is
    meant. `code`: stable, in capitals.
    """

    line: int
    column: str
    field: str
    code: str
    text_en: str
    text_zh: str


class UnfitValue(Exception):
    """A value cannot become what the record needs. `column` and `field` are known further out."""

    def __init__(self, code: str, en: str, zh: str, *, column: str = "", field: str = "") -> None:
        super().__init__(en)
        self.code, self.en, self.zh, self.column, self.field = code, en, zh, column, field

    def at(self, line: int) -> Refusal:
        return Refusal(line, self.column, self.field, self.code, self.en, self.zh)

    def within(self, column: str, field: str) -> "UnfitValue":
        """Return the same, with the column and the field where they were not known."""
        column, field = self.column or column, self.field or field
        return UnfitValue(self.code, self.en, self.zh, column=column, field=field)


class UnfitRow(Exception):
    """A row lacks something or holds something unfit."""

    def __init__(self, problems: Sequence[UnfitValue]) -> None:
        super().__init__("; ".join(problem.en for problem in problems))
        self.problems = tuple(problems)


class UnfitFile(Exception):
    """A file, or a mapping, cannot be used at all."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh

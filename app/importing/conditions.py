"""Conditions of a mapping: `status = Completed`, `current >= {target}`, `end exists`, `end
missing`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from app.importing.paths import values
from app.importing.problems import UnfitFile

BINARY = re.compile(r"(?P<left>.+?)\s+(?P<operator>=|!=|>=|<=|<|>)\s+(?P<right>.+)")
UNARY = re.compile(r"(?P<left>.+?)\s+(?P<operator>exists|missing)")
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    ">=": lambda a, b: bool(a >= b),
    "<=": lambda a, b: bool(a <= b),
    "<": lambda a, b: bool(a < b),
    ">": lambda a, b: bool(a > b),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A path, an operator, and a text or (in braces) another path."""

    left: str
    operator: str
    right: str = ""

    def holds(self, row: Any) -> bool:
        """Tell whether a row fits. A side that is absent fits nothing but `missing`."""
        left = values(row, self.left)
        if self.operator in ("exists", "missing"):
            return bool(left) == (self.operator == "exists")
        right = self._wanted(row)
        if not left or not right:
            return False
        a, b = _comparable(left[0], right[0])
        return COMPARE[self.operator](a, b)

    def _wanted(self, row: Any) -> Sequence[Any]:
        if self.right.startswith("{") and self.right.endswith("}"):
            return values(row, self.right[1:-1])
        return [self.right.strip("\"'")]


def condition(text: str) -> Condition:
    """Return the condition that a text is. Raises UnfitFile."""
    match = BINARY.fullmatch(text.strip())
    if match is not None:
        return Condition(match["left"], match["operator"], match["right"])
    match = UNARY.fullmatch(text.strip())
    if match is not None:
        return Condition(match["left"], match["operator"])
    raise UnfitFile(
        f"no condition: {text!r}; write `path = value`, `path >= {{path}}`, `path exists`",
        f"条件写法有误：{text!r}；请写 `路径 = 值`、`路径 >= {{路径}}`、`路径 exists`",
    )


def _comparable(left: Any, right: Any) -> tuple[Any, Any]:
    """Return both as numbers where both are, else both as texts without letter case."""
    try:
        return Decimal(str(left).strip()), Decimal(str(right).strip())
    except InvalidOperation:
        return str(left).strip().casefold(), str(right).strip().casefold()

"""Paths into a row: `record.names[types=label].value`, `items[*].id`, `authors[0]`, or a column's
plain name.

A step is a key, then at most one bracket: `[*]` every element, `[2]` one, `[a=b]` the elements
whose `a` is `b` or has `b` among its values (letter case apart), `[a!=b]` the others. `.` is the
row itself.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from app.importing.problems import UnfitFile

STEP = re.compile(r"(?P<key>[^.\[\]]+)?(?:\[(?P<bracket>[^\]]*)\])?(?:\.|$)")
CONDITION = re.compile(r"(?P<key>[^!=]+)(?P<operator>!?=)(?P<wanted>.*)")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: into a key (empty: stay), then into the elements that the bracket chooses (empty:
    as it is).
    """

    key: str
    bracket: str


@cache
def parsed(path: str) -> Sequence[Step]:
    """Return the steps of a path. Raises UnfitFile where it is none."""
    steps, position = [], 0
    while position < len(path):
        match = STEP.match(path, position)
        if match is None or match.end() == position:
            raise UnfitFile(f"no path: {path!r}", f"路径写法有误：{path!r}")
        steps.append(Step((match["key"] or "").strip(), (match["bracket"] or "").strip()))
        position = match.end()
    return tuple(steps)


def values(row: Any, path: str) -> Sequence[Any]:
    """Return what stands at a path: nothing where it is absent, null or blank; several where the
    path fans out.
    """
    if isinstance(row, Mapping) and path in row:
        found: Sequence[Any] = [row[path]]
    elif path == ".":
        found = [row]
    else:
        found = [row]
        for step in parsed(path):
            found = [value for at in found for value in _taken(at, step)]
    return [value for value in found if not is_absent(value)]


def is_absent(value: Any) -> bool:
    """Tell whether a value says nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def _taken(at: Any, step: Step) -> Iterator[Any]:
    if step.key:
        if not isinstance(at, Mapping) or step.key not in at:
            return
        at = at[step.key]
    if not step.bracket:
        yield at
    elif isinstance(at, Sequence) and not isinstance(at, str):
        yield from _chosen(at, step.bracket)


def _chosen(items: Sequence[Any], bracket: str) -> Iterator[Any]:
    if bracket == "*":
        yield from items
    elif bracket.isdecimal():
        yield from items[int(bracket) : int(bracket) + 1]
    else:
        yield from (item for item in items if _fits(item, bracket))


def _fits(item: Any, bracket: str) -> bool:
    match = CONDITION.fullmatch(bracket)
    if match is None:
        raise UnfitFile(f"no condition: [{bracket}]", f"条件写法有误：[{bracket}]")
    has = item.get(match["key"].strip()) if isinstance(item, Mapping) else None
    every = has if isinstance(has, list) else [has]
    wanted = match["wanted"].strip().casefold()
    equal = any(str(value).casefold() == wanted for value in every)
    return equal == (match["operator"] == "=")

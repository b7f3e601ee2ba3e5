"""Counting towards the plans' targets, by the pack's rules: pure, over records as they were on one
day.
"""

import datetime
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kernel.errors import Invalid
from kernel.pack import Counting, Pack

DAYS: Mapping[tuple[str, str], str] = {
    ("platforms", "recognition_date"): "recognized_date",
    ("breakthroughs", "target_reached_date"): "reached_date",
}
"""The facts' column that holds a registry's date field."""

FIELDS: Mapping[str, str] = {"": "", "target_reached": "reached"}
"""The facts' column that holds a field which a rule may ask for."""


class Candidate(NamedTuple):
    """One record as counting needs it.

    `day`: the business date by which it may count, an ISO text, empty where there is none.

    `successors`: resource names of the records that it went into.
    """

    record: str
    title: str
    state: str
    kind: str
    level: str
    successors: tuple[str, ...]
    reached: str
    day: str
    source: str
    position: int


def countable(counting: Counting) -> bool:
    """Tell whether the facts hold what the rule asks for."""
    known = (counting.registry, counting.date_field) in DAYS and counting.field in FIELDS
    return counting.method == "records" and known


def counted(
    counting: Counting, records: Iterable[Candidate], pack: Pack, day: datetime.date
) -> list[Candidate]:
    """Return what counts, by name; of records that went into one another, one: the one that lives
    on, else the first.
    """
    every = list(records)
    counting_ones = [r for r in every if _qualifies(counting, r, pack, day)]
    if not counting.merged_once:
        return sorted(counting_ones)
    family_of = Families(every)
    kept: dict[str, Candidate] = {}
    for record in sorted(counting_ones, key=lambda r: (bool(r.successors), r.day, r.record)):
        kept.setdefault(family_of(record.record), record)
    return sorted(kept.values())


class Families:
    """Records tied by "went into": all of one family answer with the same name."""

    def __init__(self, records: Iterable[Candidate]) -> None:
        self._above: dict[str, str] = {}
        for record in records:
            for successor in record.successors:
                self._above[self(record.record)] = self(successor)

    def __call__(self, name: str) -> str:
        while name in self._above and self._above[name] != name:
            name = self._above[name]
        return name


def _qualifies(counting: Counting, record: Candidate, pack: Pack, day: datetime.date) -> bool:
    since = (counting.since or datetime.date.min).isoformat()
    if not record.day or record.day < since:
        return False
    if counting.field and getattr(record, FIELDS[counting.field]) != counting.value:
        return False
    if counting.states and record.state not in counting.states:
        return False
    if record.state in counting.except_states:
        return False
    return not counting.levels or _of_level(counting.levels, record, pack, day)


def _of_level(levels: Iterable[str], record: Candidate, pack: Pack, day: datetime.date) -> bool:
    """Tell whether kind and record are of a wanted level; an unclassified import never is."""
    kind = _kind_level(record.kind, pack, day)
    own = record.level.removeprefix("LEVEL_").lower() or kind
    return kind in levels and own in levels


def _kind_level(key: str, pack: Pack, day: datetime.date) -> str:
    if key not in pack.kinds:
        return "unknown"
    try:
        return pack.kind(key, day).level
    except Invalid:
        return pack.kind(key).level  # it may be younger, in the pack, than imported history

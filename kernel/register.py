"""Records that hold for a time, and registers of them by id and day."""

import datetime
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Generic, TypeVar

from kernel.dates import ONE_DAY
from kernel.errors import Invalid


@dataclass(frozen=True, slots=True)
class Refers:
    """Marks a text that must be the id of a record in one of these sections."""

    sections: tuple[str, ...]


DocumentId = Annotated[str, Refers(("documents",))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioned:
    """A record that holds from `valid_from` to `valid_to`, both included, open where unset.

    The same id may stand several times, for days that do not overlap. `uncertain`: no official
    original was at hand.
    """

    NOUN: ClassVar[tuple[str, str]]
    id: str
    uncertain: bool = False
    valid_from: datetime.date | None = None
    valid_to: datetime.date | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"ends on {self.last}, before it begins; correct `valid_to`")

    @property
    def first(self) -> datetime.date:
        return self.valid_from or datetime.date.min

    @property
    def last(self) -> datetime.date:
        return self.valid_to or datetime.date.max

    @property
    def label(self) -> tuple[str, str]:
        """How errors print it: English, Chinese."""
        return self.id, self.id

    def holds(self, day: datetime.date) -> bool:
        """Tell whether it is in force on the day."""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Versioned):
    """A versioned record with a name in both languages."""

    zh: str
    en: str

    @property
    def label(self) -> tuple[str, str]:
        return f"{self.id} ({self.en})", f"{self.id}（{self.zh}）"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document(Named):
    """What an entry is taken from: a notice, a standard, a law, or an assumption of the pack."""

    NOUN = ("document", "文件")
    issuer: str
    number: str = ""
    issued: datetime.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Named):
    """A named record with the document that it is taken from."""

    source: DocumentId


V = TypeVar("V", bound=Versioned)


class Register(Generic[V]):
    """The records of one section; iterating gives the newest version of each, in file order."""

    def __init__(self, noun: tuple[str, str], records: Iterable[V]) -> None:
        """Raises ValueError when two versions of an id overlap."""
        self._noun = noun
        self._versions: dict[str, list[V]] = {}
        for record in records:
            self._versions.setdefault(record.id, []).append(record)
        for versions in self._versions.values():
            versions.sort(key=lambda version: version.first)
            for earlier, later in itertools.pairwise(versions):
                if earlier.last >= later.first:
                    raise ValueError(_overlap(earlier, later))

    def __iter__(self) -> Iterator[V]:
        return (versions[-1] for versions in self._versions.values())

    def __len__(self) -> int:
        return len(self._versions)

    def __contains__(self, key: object) -> bool:
        return key in self._versions

    def on(self, day: datetime.date) -> tuple[V, ...]:
        """Return the records in force on the day, in the order of the file."""
        return tuple(v for versions in self._versions.values() for v in versions if v.holds(day))

    def history(self, key: str) -> tuple[V, ...]:
        """Return every version of a record, oldest first; none for an unknown one."""
        return tuple(self._versions.get(key, ()))

    def get(self, key: str, on: datetime.date | None = None, field: str = "") -> V:
        """Return the version in force on the day, the newest without one. Raises Invalid."""
        versions = self._versions.get(key)
        if versions is None:
            raise self.unknown(key, field)
        if on is None:
            return versions[-1]
        for version in versions:
            if version.holds(on):
                return version
        raise self._not_in_force(key, on, field)

    def unknown(self, key: str, field: str = "") -> Invalid:
        """Return the refusal of an id that is not there: it lists those that are."""
        noun_en, noun_zh = self._noun
        en = ", ".join(record.label[0] for record in self) or "none"
        zh = "、".join(record.label[1] for record in self) or "无"
        return Invalid(
            f"unknown {noun_en} '{key}'; known: {en}",
            f"未知的{noun_zh}“{key}”；可用：{zh}",
            field=field,
            reason="UNKNOWN_ENTRY",
        )

    def _not_in_force(self, key: str, on: datetime.date, field: str) -> Invalid:
        noun_en, noun_zh = self._noun
        spans = [(v.valid_from or "…", v.valid_to or "…") for v in self._versions[key]]
        en = ", ".join(f"{first} to {last}" for first, last in spans)
        zh = "、".join(f"{first}至{last}" for first, last in spans)
        return Invalid(
            f"{noun_en} '{key}' is not in force on {on}; in force: {en}",
            f"{noun_zh}“{key}”在{on}无效；有效期：{zh}",
            field=field,
            reason="ENTRY_NOT_IN_FORCE",
        )


def _overlap(earlier: Versioned, later: Versioned) -> str:
    if later.valid_from is None or later.first == earlier.first:
        return f"'{later.id}' is given twice from one day on; give one another id or `valid_from`"
    return (
        f"'{later.id}' holds twice on {later.first}; "
        f"end the earlier version with `valid_to: {later.first - ONE_DAY}`"
    )

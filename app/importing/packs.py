"""Names of the policy pack, as they stand in people's files, to the ids that records hold."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from app import settings
from kernel.errors import Invalid
from kernel.pack import Pack, PackError, load

NAMES = ("id", "code", "zh", "en", "short_zh")
PREFIXES = ("河南省", "省")
"""What people leave out: `科技厅` is `省科技厅`."""


def tables(section: str) -> Mapping[str, str]:
    """Return every name of a section's entries to its id; an ambiguous name is left out."""
    found: dict[str, set[str]] = {}
    for entry in _entries(section):
        key = str(getattr(entry, "code" if section == "divisions" else "id"))
        for name in _names(entry, section):
            found.setdefault(name, set()).add(key)
    return {name: next(iter(keys)) for name, keys in found.items() if len(keys) == 1}


def _entries(section: str) -> Iterator[Any]:
    entries = getattr(_pack(), section)
    return iter(entries.values() if isinstance(entries, Mapping) else entries)


def _names(entry: Any, section: str) -> Iterator[str]:
    # A kind's `code` is the letters of its official numbers: no name for the kind.
    for attribute in NAMES if section == "divisions" else [n for n in NAMES if n != "code"]:
        name = str(getattr(entry, attribute, "") or "")
        if name:
            yield name
            yield from (name.removeprefix(p) for p in PREFIXES if name.startswith(p) and name != p)


def title(section: str, key: str) -> str:
    """Return an entry's Chinese name, short where it has one; empty where this pack does not know it."""
    try:
        entry = getattr(_pack(), section).get(key)
    except (Invalid, PackError, settings.SettingsError):
        return ""
    return str(getattr(entry, "short_zh", "") or entry.zh)


@cache
def _pack() -> Pack:
    return load(settings.load().pack)

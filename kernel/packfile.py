"""Reading a pack's YAML: strictly, each mistake told with its file, its entry, and what would work."""

import dataclasses
import datetime
import difflib
import functools
import types
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import yaml

from kernel.register import Register, V


class PackError(ValueError):
    """A pack that cannot be used: names the file, the entry, and what would work."""


class _Reference(NamedTuple):
    where: str
    sections: tuple[str, ...]
    value: str


class _Loader(yaml.CSafeLoader):
    """Plain YAML in which a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise PackError(f"line {line}: key '{key}' is given twice; keep one")
        return super().construct_mapping(node, deep)


class Reader:
    """Turns what YAML gave into records, and remembers which ids they refer to."""

    def __init__(self) -> None:
        self.references: list[_Reference] = []

    def section(self, cls: type[V], raw: object, where: str) -> Register[V]:
        if not isinstance(raw, list):
            raise PackError(f"{where}: not a list; write entries that begin with `- id:`")
        records = [self.record(cls, item, _entry(where, item, n)) for n, item in enumerate(raw, 1)]
        try:
            return Register(cls.NOUN, records)
        except ValueError as error:
            raise PackError(f"{where}: {error}") from None

    def record(self, cls: Any, raw: object, where: str) -> Any:
        if not isinstance(raw, dict):
            raise PackError(f"{where}: not a mapping; write `key: value` lines")
        hints, required = _shape(cls)
        for key in raw:
            if key not in hints:
                raise PackError(f"{where}: unknown key '{key}'; {instead(str(key), hints)}")
        for key in required:
            if key not in raw:
                raise PackError(f"{where}: '{key}' is missing; add it")
        values = {key: self.value(hints[key], raw[key], f"{where}: {key}") for key in raw}
        try:
            return cls(**values)
        except ValueError as error:
            raise PackError(f"{where}: {error}") from None

    def value(self, hint: Any, raw: object, where: str) -> Any:
        origin = get_origin(hint)
        if origin is Annotated:
            return self.reference(hint, raw, where)
        if origin is Literal:
            if raw not in get_args(hint):
                raise PackError(f"{where}: '{raw}'; {instead(str(raw), get_args(hint))}")
            return raw
        if origin is tuple:
            if not isinstance(raw, list):
                raise PackError(f"{where}: not a list; write `[a, b]`")
            inner = get_args(hint)[0]
            items = [self.value(inner, item, f"{where}[{n}]") for n, item in enumerate(raw)]
            demand_distinct(items, where)
            return tuple(items)
        if origin in (Union, types.UnionType):
            return self.value(get_args(hint)[0], raw, where)
        if dataclasses.is_dataclass(hint):
            return self.record(hint, raw, where)
        return _scalar(hint, raw, where)

    def reference(self, hint: Any, raw: object, where: str) -> str:
        text: str = _scalar(str, raw, where)
        if text:
            self.references.append(_Reference(where, get_args(hint)[1].sections, text))
        return text

    def check(self, sections: Mapping[str, Any]) -> None:
        """Raises PackError for the first id that no section has."""
        for where, names, value in self.references:
            if not any(value in sections[name] for name in names):
                known = [record.id for name in names for record in sections[name]]
                raise PackError(
                    f"{where}: no '{value}' in {' or '.join(names)}; {instead(value, known)}"
                )


WRITE = {
    str: "text; put it in quotes",
    int: "a whole number, such as 5",
    bool: "true or false",
    datetime.date: "a day, such as 2025-08-12",
    Decimal: 'a number: whole, or in quotes such as "2.55"',
}


def _scalar(kind: Any, raw: object, where: str) -> Any:
    if type(raw) is kind:
        return raw
    if kind is Decimal and type(raw) in (int, str):
        try:
            return Decimal(str(raw))
        except InvalidOperation:
            pass
    raise PackError(f"{where}: '{raw}' does not fit; write {WRITE[kind]}")


@functools.cache
def _shape(cls: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the types of a record's fields, and the fields that it must have."""
    hints = get_type_hints(cls, include_extras=True)
    fields = dataclasses.fields(cls)
    required = tuple(field.name for field in fields if field.default is dataclasses.MISSING)
    return {field.name: hints[field.name] for field in fields}, required


def demand_distinct(items: Iterable[Any], where: str) -> None:
    """Raises PackError where two items of a list are the same, or are records of the same id."""
    keys = [getattr(item, "id", item) for item in items]
    for key in keys:
        if keys.count(key) > 1:
            raise PackError(f"{where}: '{key}' stands there twice; keep one")


def _entry(where: str, raw: object, number: int) -> str:
    key = raw.get("id") if isinstance(raw, dict) else None
    return f"{where} '{key}'" if isinstance(key, str) else f"{where} number {number}"


def instead(wrong: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(wrong, known, 1)
    return (f"did you mean '{near[0]}'? " if near else "") + f"known: {', '.join(known) or 'none'}"


def read_sections(
    reader: Reader, files: Mapping[str, bytes], head: type[Any], known: Mapping[str, type[Any]]
) -> dict[str, Any]:
    """Return every section by its name; `head`: what `pack` is, `known`: what the others hold.

    Raises PackError: a section is unknown, missing, or stands twice.
    """
    sections: dict[str, Any] = {}
    for file, content in files.items():
        for name, raw in _parse(file, content).items():
            if name in sections:
                raise PackError(f"{file}: section '{name}' stands in another file too; keep one")
            if name == "pack":
                sections[name] = reader.record(head, raw, f"{file}: pack")
            elif name in known:
                sections[name] = reader.section(known[name], raw, f"{file}: {name}")
            else:
                raise PackError(
                    f"{file}: unknown section '{name}'; {instead(str(name), ['pack', *known])}"
                )
    missing = {"pack", *known} - sections.keys()
    if missing:
        raise PackError(
            f"section '{min(missing)}' is in no file; add it, as an empty list if need be"
        )
    return sections


def _parse(file: str, content: bytes) -> dict[Any, Any]:
    try:
        raw = yaml.load(content, _Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError) as error:
        raise PackError(f"{file}: {error}") from None
    if not isinstance(raw, dict):
        raise PackError(f"{file}: no sections; write `kinds:` or another section's name first")
    return raw

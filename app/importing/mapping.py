"""The mapping language: how a row of somebody else's file becomes a row of an import. See
examples/mappings/README.md.

A mapping is a YAML file and only says what is where: it has no expressions, and reading it runs
nothing.
"""

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from app.importing.amounts import HUNDREDTHS
from app.importing.conditions import Condition, condition
from app.importing.problems import UnfitFile
from app.importing.readers import read


@dataclass(frozen=True, slots=True)
class Ids:
    """What a table of names stands for, in both languages, and the pattern of its ids."""

    en: str
    zh: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Where one value comes from, and what is done to it, in this order.

    Source, one of: `paths` (the first that is there; in a list all of them), `template`,
    `constant`, `any` (the first rule that gives something), `all` (what all rules give, in a list).
    With `each` the source is looked for in every element there (`.`: the row itself); with `fields`
    every element becomes a message. Then `lookup` in another file, `split`, `map` (a value outside
    the table: as it is with `keep`, else `otherwise`, else a refusal), `strip_html`, `date`
    (strptime; `last_day`: of its month), `unit` of money, `join`, `most` characters. `when`: only
    if all hold. `default`: where there is nothing. `required`: nothing is a refusal.
    """

    paths: tuple[str, ...] = ()
    template: str = ""
    constant: Any = None
    any: "tuple[Rule, ...]" = ()
    all: "tuple[Rule, ...]" = ()
    each: str = ""
    fields: "Map[str, Rule]" = field(default_factory=dict)
    when: tuple[Condition, ...] = ()
    lookup: str = ""
    split: str = ""
    map: Map[str, Any] | None = None
    otherwise: Any = None
    keep: bool = False
    strip_html: bool = False
    date: tuple[str, ...] = ()
    last_day: bool = False
    unit: str = ""
    join: str = ""
    most: int = 0
    max_bytes: int = 0
    first: bool = False
    default: Any = None
    required: bool = False
    ids: Ids | None = None
    """Of our own templates only: what the ids behind the names of `map` look like."""

    @property
    def column(self) -> str:
        """The column that a complaint about the value names."""
        if self.paths or self.template:
            return self.paths[0] if self.paths else self.template
        inner = (rule.column for rule in (*self.any, *self.all) if rule.column)
        return next(inner, "" if self.each == "." else self.each)


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole mapping.

    `order`: `effective_date` where the file's own order is not that of time; empty: the file's.
    """

    source: str
    resource: str
    key: Rule
    fields: Map[str, Rule]
    format: str = ""
    each: str = ""
    sheet: str = ""
    order: str = ""
    record_id: Rule | None = None
    foreign_id: Rule | None = None
    effective_date: Rule | None = None
    lookups: Map[str, Map[str, str]] = field(default_factory=dict)


RULE_KEYS = {f.name for f in fields(Rule)} - {"paths", "constant", "most", "ids"}
RULE_KEYS |= {"from", "value", "max", "cents"}


def load(path: Path) -> Mapping:
    """Return the mapping of a YAML file, with the files that it looks up in. Raises UnfitFile."""
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnfitFile(f"cannot read {path}: {error}", f"无法读取 {path}：{error}") from None
    return mapping(content, path.parent)


def mapping(content: Any, folder: Path) -> Mapping:
    """Return the mapping that parsed YAML describes.

    Raises UnfitFile, naming the key that is wrong.
    """
    known = {f.name for f in fields(Mapping)} - {"format", "each", "sheet"} | {"rows"}
    table = _table(content, "", known)
    for name in ("source", "resource", "key", "fields"):
        if name not in table:
            raise UnfitFile(f"the mapping lacks `{name}`", f"映射缺少 `{name}`")
    rows = _table(table.get("rows", {}), "rows", {"format", "each", "sheet"})
    heads = {
        name: rule(table[name], name) if name in table else None
        for name in ("record_id", "foreign_id", "effective_date")
    }
    return Mapping(
        source=str(table["source"]),
        resource=str(table["resource"]),
        key=rule(table["key"], "key"),
        fields=_rules(table["fields"], "fields"),
        order=str(table.get("order", "")),
        lookups={
            k: _lookup(v, f"lookups.{k}", folder) for k, v in table.get("lookups", {}).items()
        },
        record_id=heads["record_id"],
        foreign_id=heads["foreign_id"],
        effective_date=heads["effective_date"],
        **rows,
    )


def rule(content: Any, at: str) -> Rule:
    """Return the rule that a YAML value describes: a text is a template for ids, a path elsewhere.

    Raises UnfitFile.
    """
    if isinstance(content, str):
        return Rule(template=content) if "{" in content else Rule(paths=(content,))
    if isinstance(content, list):
        return Rule(any=tuple(rule(one, f"{at}[{i}]") for i, one in enumerate(content)))
    table = dict(_table(content, at, RULE_KEYS))
    arguments: dict[str, Any] = {"paths": _texts(table.pop("from", ()), f"{at}.from")}
    arguments["constant"] = table.pop("value", None)
    arguments["most"] = int(table.pop("max", 0))
    if table.pop("cents", False):
        arguments["unit"] = "cents"
    for name in ("any", "all"):
        inner = enumerate(table.pop(name, ()))
        arguments[name] = tuple(rule(one, f"{at}.{name}[{i}]") for i, one in inner)
    arguments["fields"] = _rules(table.pop("fields", {}), f"{at}.fields")
    arguments["date"] = _texts(table.pop("date", ()), f"{at}.date")
    arguments["when"] = tuple(condition(one) for one in _texts(table.pop("when", ()), f"{at}.when"))
    return _sound(Rule(**{**table, **arguments}), at)


def _sound(made: Rule, at: str) -> Rule:
    if made.unit and made.unit not in HUNDREDTHS:
        known = ", ".join(HUNDREDTHS)
        raise UnfitFile(
            f"{at}.unit: {made.unit!r} is none of {known}",
            f"{at}.unit：{made.unit!r} 不在 {known} 内",
        )
    given = map(bool, (made.paths, made.template, made.any, made.all, made.fields))
    if sum(given) + (made.constant is not None) != 1 and made.default is None:
        raise UnfitFile(
            f"{at}: give one of from, template, value, any, all, or each with fields",
            f"{at}：请给出 from、template、value、any、all 之一，或 each 加 fields",
        )
    return made


def _rules(content: Any, at: str) -> Map[str, Rule]:
    table = _table(content, at, None)
    return {str(path): rule(one, f"{at}.{path}") for path, one in table.items()}


def _lookup(content: Any, at: str, folder: Path) -> Map[str, str]:
    """Return the table that another file holds: its `key` column to its `value` column."""
    table = _table(content, at, {"file", "key", "value"})
    rows = read(folder / str(table["file"]))
    return {
        str(row.content[table["key"]]).strip(): str(row.content[table["value"]]).strip()
        for row in rows
        if row.problem is None
    }


def _table(content: Any, at: str, known: set[str] | None) -> Map[str, Any]:
    where = at or "the mapping"
    if not isinstance(content, dict):
        raise UnfitFile(f"{where}: expected keys and values", f"{where}：应为键值对")
    unknown = sorted(set(map(str, content)) - known) if known is not None else []
    if unknown and known is not None:
        raise UnfitFile(
            f"{where}: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}",
            f"{where}：未知的键 {'、'.join(unknown)}；可用：{'、'.join(sorted(known))}",
        )
    return content


def _texts(content: Any, at: str) -> tuple[str, ...]:
    many: Sequence[Any] = content if isinstance(content, list | tuple) else [content]
    if not all(isinstance(one, str) for one in many):
        raise UnfitFile(f"{at}: expected text", f"{at}：应为文本")
    return tuple(many)

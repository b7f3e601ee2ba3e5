"""Our own templates: which column, by its English or its Chinese heading, is which field of a
record.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from app.importing.amounts import HUNDREDTHS, SUFFIXES
from app.importing.fields import field_at
from app.importing.mapping import Ids, Rule
from app.importing.mapping import Mapping as RowMapping
from app.importing.problems import UnfitFile
from luoshu.client.contract import Kind

HEADING = re.compile(r"(?P<name>[^()（）]+?)\s*(?:[(（](?P<unit>[^()（）]*)[)）])?\s*\*?")
SEPARATORS = ";；"
REMARKS = ("#", "备注", "remark")
HEAD = {"key", "id", "effective_date"}
FIRST_OWN = 20
"""Number of the first field that is a record's own; those below are every record's."""
UNNAMED = "template"
"""The source of a file of which nobody said where it comes from."""
IDS = {"divisions": Ids("division", "行政区划", "[0-9]{6}")}
"""Sections of the pack whose ids can be told from names; other ids the service judges."""
Tables = Callable[[str], Mapping[str, str]]
"""Names of the pack's section to its ids, such as `{"省重点实验室": "key-laboratory"}`."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a template. `table`: section of the pack whose names stand for ids."""

    field: str
    zh: str
    table: str = ""
    sample: str = ""
    sample_en: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """The columns of one kind of record, and the Chinese names of its choices by field."""

    columns: tuple[Column, ...]
    choices: Mapping[str, Mapping[str, str]]


@cache
def templates() -> Mapping[str, Template]:
    """Return the template of every kind of record, by collection."""
    content = _content()
    head = tuple(Column(**column) for column in content["_head"])
    return {
        collection: Template(
            head + tuple(Column(**column) for column in table["columns"]), table["choices"]
        )
        for collection, table in content.items()
        if collection != "_head"
    }


@cache
def _content() -> Mapping[str, Any]:
    content: Mapping[str, Any] = yaml.safe_load(
        Path(__file__).with_name("headers.yaml").read_text("utf-8")
    )
    return content


def template_of(kind: Kind) -> Template:
    """Return the template of a kind; one that `headers.yaml` does not know has the record's fields by
    their names.
    """
    return templates().get(kind.collection) or _by_fields(kind)


def _by_fields(kind: Kind) -> Template:
    head = tuple(Column(**column) for column in _content()["_head"])
    own = (f for f in kind.record.DESCRIPTOR.fields if f.number >= FIRST_OWN and _is_plain(f))
    return Template((*head, *(Column(f.name, f.name) for f in own)), {})


def _is_plain(field: Any) -> bool:
    return field.message_type is None or field.message_type.full_name == "google.type.Date"


def mapping_of(kind: Kind, headings: Iterable[str], source: str, tables: Tables) -> RowMapping:
    """Return the mapping that a file's own headings make.

    Raises UnfitFile for a heading that is none of ours.
    """
    template = template_of(kind)
    rules: dict[str, Rule] = {}
    for heading in headings:
        if heading and not heading.casefold().startswith(REMARKS):
            column, unit = _column(template, kind, heading)
            rules[column.field] = _rule(kind, template, column, heading, unit, tables)
    heads = {name: rules.pop(name, None) for name in HEAD}
    return RowMapping(
        source=source or UNNAMED,
        resource=kind.collection,
        key=_key(heads, rules.get("title"), named=bool(source)),
        record_id=heads["id"],
        effective_date=heads["effective_date"],
        fields=rules,
    )


def _key(heads: Mapping[str, Rule | None], title: Rule | None, *, named: bool) -> Rule:
    """Return what tells rows apart: the file's key, else its id, else the title.

    People number their rows 1, 2, 3 in every file: unless the source was named, which says that its
    keys are its own, the title belongs to the key.
    """
    key, record_id = heads["key"], heads["id"]
    if key is not None and title is not None and not named:
        return Rule(template=f"{{{key.paths[0]}}}/{{{title.paths[0]}?}}")
    found = key or record_id or title
    if found is None:
        raise UnfitFile(
            "the file has neither `key`, `id` nor `title`: add a column with the rows' keys",
            "文件缺少“来源编号”“标识”和名称列：请增加每行的来源编号",
        )
    return Rule(paths=found.paths, required=True)


def _column(template: Template, kind: Kind, heading: str) -> tuple[Column, str]:
    match = HEADING.fullmatch(heading.strip())
    name, unit = (match["name"], match["unit"] or "") if match else (heading, "")
    for column in template.columns:
        if name in (column.zh, column.field):
            return column, unit
    try:
        field_at(kind.record.DESCRIPTOR, name)
    except UnfitFile:
        raise _unknown(template, heading, name) from None
    return Column(name, name), unit


def _unknown(template: Template, heading: str, name: str) -> UnfitFile:
    known = [word for column in template.columns for word in (column.field, column.zh)]
    near = difflib.get_close_matches(name, known, 1)
    en = f"; did you mean {near[0]!r}?" if near else ""
    zh = f"；是否为“{near[0]}”？" if near else ""
    return UnfitFile(
        f"unknown column {heading!r}{en} Known: {', '.join(c.field for c in template.columns)}",
        f"未知的列 {heading!r}{zh} 可用：{'、'.join(map(_heading_zh, template.columns))}",
    )


def _rule(
    kind: Kind, template: Template, column: Column, heading: str, unit: str, tables: Tables
) -> Rule:
    if column.field in HEAD:
        return Rule(paths=(heading,))
    field = field_at(kind.record.DESCRIPTOR, column.field)
    table: dict[str, Any] = dict(template.choices.get(column.field, {}))
    if column.table:
        table.update(tables(column.table))
    return Rule(
        paths=(heading,),
        split=SEPARATORS if field.is_repeated else "",
        map=table or None,
        keep=True,
        ids=IDS.get(column.table) if table else None,
        unit=_unit(column, heading, unit) if column.field.endswith("_fen") else "",
    )


def _unit(column: Column, heading: str, unit: str) -> str:
    """Return the unit of an amount's column. Raises UnfitFile for one that is none."""
    named = SUFFIXES.get(unit.strip(), unit.strip().replace(" ", "_"))
    if not named:
        return "wan_yuan" if heading.startswith(column.zh) and column.zh != column.field else "fen"
    if named not in HUNDREDTHS:
        known = ", ".join([*HUNDREDTHS, *SUFFIXES])
        raise UnfitFile(
            f"{heading!r}: {unit!r} is no unit of money; known: {known}",
            f"{heading!r}：{unit!r} 不是金额单位；可用：{known}",
        )
    return named


def headings(kind: Kind, language: str) -> Sequence[str]:
    """Return a template's headings, in Chinese with the amounts' unit, or as field paths."""
    columns = template_of(kind).columns
    if language == "en":
        return [f"{c.field} (wan_yuan)" if c.field.endswith("_fen") else c.field for c in columns]
    return [_heading_zh(column) for column in columns]


def _heading_zh(column: Column) -> str:
    return f"{column.zh}（万元）" if column.field.endswith("_fen") else column.zh


def sample(kind: Kind, language: str) -> Sequence[str]:
    """Return a template's example row; amounts are in the heading's unit."""
    columns = template_of(kind).columns
    return [c.sample if language == "zh" else c.sample_en or c.sample for c in columns]

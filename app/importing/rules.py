"""What a rule of a mapping gives for a row."""

import calendar
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.type.date_pb2 import Date

from app.importing.amounts import hundredths
from app.importing.fields import (
    choice_name,
    choice_words,
    date,
    field_at,
    nearest,
    put,
    unknown_choice,
)
from app.importing.mapping import Ids, Rule
from app.importing.paths import is_absent, values
from app.importing.problems import UnfitFile, UnfitRow, UnfitValue
from app.importing.text import FILTERS, cut, cut_bytes, tidy, without_html

PLACE = re.compile(r"\{([^{}]+)\}")
Lookups = Mapping[str, Mapping[str, str]]


def fill(message: Message, rules: Mapping[str, Rule], row: Any, lookups: Lookups) -> None:
    """Write what the rules give into a message. Raises UnfitRow with every problem at once."""
    problems = []
    for path, rule in rules.items():
        try:
            _fill_one(message, path, rule, row, lookups)
        except UnfitValue as problem:
            problems.append(problem.within(rule.column, path))
        except UnfitRow as several:
            problems.extend(problem.within(rule.column, path) for problem in several.problems)
    if problems:
        raise UnfitRow(problems)


def one(rule: Rule, row: Any, lookups: Lookups) -> Any:
    """Return the one value that a rule gives, or None. Raises UnfitValue."""
    return next(iter(found(rule, row, lookups)), None)


def _fill_one(message: Message, path: str, rule: Rule, row: Any, lookups: Lookups) -> None:
    field = field_at(message.DESCRIPTOR, path)
    many = list(_parts(field, rule, row, lookups))
    if not field.is_repeated or rule.first:
        many = many[:1]
    if field.enum_type is not None and rule.map:
        _demand_choices(field, rule.map, many)
    if many:
        put(message, path, many if field.is_repeated else many[0])


def _demand_choices(field: FieldDescriptor, table: Mapping[str, Any], given: Sequence[Any]) -> None:
    """Raises UnfitValue for what is no choice, in the words of the table that the file speaks."""
    for value in given:
        if not choice_name(field, str(value)):
            raise unknown_choice(str(value), choice_words(field), list(map(str, table)))


def _parts(field: FieldDescriptor, rule: Rule, row: Any, lookups: Lookups) -> Iterator[Any]:
    """Yield what a rule gives for a field: messages where it has fields of its own, else values."""
    if rule.all and all(condition.holds(row) for condition in rule.when):
        for inner in rule.all:
            yield from _parts(field, inner, row, lookups)
    elif rule.fields:
        for item in values(row, rule.each or "."):
            if all(condition.holds(item) for condition in rule.when):
                yield _part(field, rule, item, lookups)
    else:
        yield from found(rule, row, lookups, many=field.is_repeated)


def _part(field: FieldDescriptor, rule: Rule, item: Any, lookups: Lookups) -> Message:
    if field.message_type is None:
        raise UnfitFile(f"{field.name} has no fields of its own", f"{field.name} 没有下级字段")
    part = GetMessageClass(field.message_type)()
    fill(part, rule.fields, item, lookups)
    return part


def found(rule: Rule, row: Any, lookups: Lookups, *, many: bool = False) -> Sequence[Any]:
    """Return the values that a rule gives: none, one, or several with `many`. Raises UnfitValue."""
    given = _sourced(rule, row, lookups, many) if all(c.holds(row) for c in rule.when) else []
    for step in STEPS:
        given = [v for v in step(rule, given, lookups) if not is_absent(v)]
    if not given and rule.default is not None:
        given = [rule.default]
    if not given and rule.required:
        raise UnfitValue("REQUIRED", "it is missing", "必填")
    return given


def _sourced(rule: Rule, row: Any, lookups: Lookups, many: bool) -> Sequence[Any]:
    given = [
        value
        for item in values(row, rule.each or ".")
        for value in _given(rule, item, lookups, many)
    ]
    return given if many or rule.join else given[:1]


def _given(rule: Rule, row: Any, lookups: Lookups, many: bool) -> Sequence[Any]:
    if rule.constant is not None:
        return rule.constant if isinstance(rule.constant, list) else [rule.constant]
    if rule.template:
        return _rendered(rule.template, row)
    if rule.any:
        return next((g for r in rule.any if (g := found(r, row, lookups, many=many))), [])
    given = [value for path in rule.paths for value in values(row, path)]
    return list(dict.fromkeys(given)) if all(isinstance(v, str) for v in given) else given


def _rendered(template: str, row: Any) -> Sequence[str]:
    """Return a template with its places filled; nothing where one is absent that has no `?` behind
    it.
    """
    missing = False

    def place(match: re.Match[str]) -> str:
        nonlocal missing
        path, *filters = match[1].split("|")
        given = values(row, path.strip().removesuffix("?"))
        missing |= not given and not path.strip().endswith("?")
        text = str(given[0]).strip() if given else ""
        for name in filters:
            text = _filter(name.strip())(text)
        return text

    text = PLACE.sub(place, template)
    return [] if missing else [text]


def _filter(name: str) -> Callable[[str], str]:
    if name not in FILTERS:
        known = ", ".join(FILTERS)
        raise UnfitFile(
            f"no filter {name!r}; there are: {known}", f"没有过滤器 {name!r}；可用：{known}"
        )
    return FILTERS[name]


def _looked_up(rule: Rule, given: Sequence[Any], lookups: Lookups) -> Sequence[Any]:
    if not rule.lookup:
        return given
    if rule.lookup not in lookups:
        raise UnfitFile(f"no lookup {rule.lookup!r}", f"没有名为 {rule.lookup!r} 的对照表")
    return [lookups[rule.lookup].get(str(value).strip()) for value in given]


def _split(rule: Rule, given: Sequence[Any], lookups: Lookups) -> Sequence[Any]:
    if not rule.split:
        return given
    cut = re.compile(f"[{re.escape(rule.split)}]")
    parts = (part for v in given for part in ([v] if _is_json(v) else cut.split(str(v))))
    return list(dict.fromkeys(part.strip() for part in parts))


def _is_json(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip().startswith(("{", "["))


def _mapped(rule: Rule, given: Sequence[Any], lookups: Lookups) -> Sequence[Any]:
    if rule.map is None:
        return given
    table = {str(key).strip().casefold(): value for key, value in rule.map.items()}
    mapped = [
        table.get(str(value).strip().casefold(), value if rule.keep else rule.otherwise)
        for value in given
    ]
    for value, result in zip(given, mapped, strict=True):
        if result is None:
            known = list(map(str, rule.map))
            raise unknown_choice(str(value), known, known)
    if rule.ids is not None:
        for result in mapped:
            _demand_id(rule, rule.ids, str(result))
    return mapped


def _demand_id(rule: Rule, ids: Ids, value: str) -> None:
    """Raises UnfitValue for a name that the table does not know: the nearest that it knows is told."""
    if not re.fullmatch(ids.pattern, value):
        names = [str(name) for name in rule.map or () if not re.fullmatch(ids.pattern, str(name))]
        near = nearest(value, names)
        raise UnfitValue(
            "UNKNOWN_NAME",
            f"{value!r} is no known {ids.en}" + (f"; did you mean {near!r}?" if near else ""),
            f"“{value}”不是已知{ids.zh}" + (f"；是否为 {near}？" if near else ""),
        )


def _texted(rule: Rule, given: Sequence[Any], lookups: Lookups) -> Sequence[Any]:
    clean = without_html if rule.strip_html else tidy
    return [clean(value) if isinstance(value, str) else value for value in given]


def _typed(rule: Rule, given: Sequence[Any], lookups: Lookups) -> Sequence[Any]:
    if rule.date:
        return [_dated(rule, value) for value in given]
    return [hundredths(str(value), rule.unit) for value in given] if rule.unit else given


def _shaped(rule: Rule, given: Sequence[Any], lookups: Lookups) -> Sequence[Any]:
    if rule.join:
        given = [rule.join.join(str(value) for value in given)]
    return [_cut(value, rule) if isinstance(value, str) else value for value in given]


def _cut(text: str, rule: Rule) -> str:
    text = cut(text, rule.most) if rule.most else text
    return cut_bytes(text, rule.max_bytes) if rule.max_bytes else text


def _dated(rule: Rule, value: Any) -> Date:
    """Return a date by the first pattern that fits. Raises UnfitValue by the first pattern."""
    for pattern in rule.date:
        try:
            day = date(value, pattern)
        except UnfitValue:
            continue
        return _last_day(day) if rule.last_day else day
    return date(value, rule.date[0])


def _last_day(day: Date) -> Date:
    return Date(year=day.year, month=day.month, day=calendar.monthrange(day.year, day.month)[1])


STEPS: tuple[Callable[[Rule, Sequence[Any], Lookups], Sequence[Any]], ...] = (
    _looked_up,
    _split,
    _mapped,
    _texted,
    _typed,
    _shaped,
)
"""What happens to what was found, in this order."""

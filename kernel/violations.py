"""What protovalidate found, as problems in both languages."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kernel.errors import Problem

CHINESE = {
    "required": "必填",
    "string.min_len": "长度不足，不能少于规定的字符数",
    "string.max_len": "过长，超出规定的字符数",
    "string.len": "长度不符合规定",
    "string.pattern": "格式不符",
    "string.uri": "应为网址",
    "string.email": "应为电子邮箱",
    "enum.defined_only": "不是规定的取值",
    "enum.not_in": "请选择",
    "repeated.min_items": "项数过少，至少需要的项数",
    "repeated.max_items": "项数过多",
    "repeated.unique": "有重复项",
    "int32.gte": "小于下限",
    "int32.gte_lte": "超出允许范围",
    "int32.lte": "大于上限",
    "int64.gte": "小于下限",
    "int64.gt": "应大于下限",
    "int64.lte": "大于上限",
    "int64.gte_lte": "超出允许范围",
}
"""Rule id → what it says in Chinese; protovalidate itself speaks English."""


class Wanted(NamedTuple):
    """What a pattern wants, in words. `en`: empty for a pattern that nobody wrote words for; then it is told itself."""

    zh: str
    en: str = ""


_CREDIT_CODE = Wanted(
    "应为 18 位统一社会信用代码", "must be a unified social credit code of 18 characters"
)
_REPORT = Wanted(
    "应为报告名称，如 reports/2026-03", "must be a report's name, such as reports/2026-03"
)


def _repeatable(most: int) -> Wanted:
    return Wanted(
        f"只能用字母、数字及 . _ : / -，至多 {most} 位",
        f"must be at most {most} letters, digits, or . _ : / -, such as a UUID",
    )


WORDS: Mapping[str, Wanted] = {
    "^([0-9A-HJ-NPQRTUWXY]{18})?$": _CREDIT_CODE,
    "^([0-9A-HJ-NP-RTUWXY]{18})?$": _CREDIT_CODE,
    "^([0-9]{6})?$": Wanted(
        "应为 6 位行政区划代码，如 410100", "must be a division's code of 6 digits, such as 410100"
    ),
    "^([a-z][a-z0-9-]{2,62})?$": Wanted(
        "应为 3–63 位小写字母、数字或连字符，以字母开头",
        "must be 3 to 63 lower-case letters, digits or hyphens, a letter first",
    ),
    "^[A-Z][A-Z0-9_]{1,31}$": Wanted(
        "应为部门代码，如 DST", "must be a department's id, such as DST"
    ),
    "^([A-Z]{3})?$": Wanted(
        "应为 3 位币种代码，如 CNY", "must be a currency's code of 3 letters, such as CNY"
    ),
    "^[a-z0-9][a-z0-9._-]{0,63}$": Wanted(
        "应为来源代号：小写字母、数字及 . _ -，至多 64 位",
        "must name a source with at most 64 lower-case letters, digits, or . _ -",
    ),
    "^[A-Za-z0-9._:/-]{0,64}$": _repeatable(64),
    "^[A-Za-z0-9._:/-]{0,56}$": _repeatable(56),
    "^reports/[0-9]{4}-(0[1-9]|1[0-2])$": _REPORT,
    "^(reports/[0-9]{4}-(0[1-9]|1[0-2]))?$": _REPORT,
    "^b[1-9][0-9]{0,3}$": Wanted("应为揭榜编号，如 b1", "must be a bid's number, such as b1"),
    "^m[1-9][0-9]{0,3}$": Wanted("应为节点编号，如 m1", "must be a milestone's number, such as m1"),
    "^([1-9](\\.[0-9]{1,2}){0,3})?$": Wanted(
        "应为战略性新兴产业分类代码，如 1.2.3",
        "must be a code of the strategic emerging industries, such as 1.2.3",
    ),
    "^[^\\x00-\\x1f]*$": Wanted("不得含控制字符", "must hold no control characters"),
}
"""Patterns of the contract → what they want, for readers of no regular expressions."""
RESOURCE = re.compile(r"\^\(?(?P<collection>[a-z]+)/\[a-z0-9\]")
"""Pattern of a record's name, such as `^platforms/[a-z0-9][a-z0-9-]{0,62}$`."""


def problems(violations: Iterable[Any], message: Any = None) -> list[Problem]:
    """Return one problem a violation: `title`, `STRING_MIN_LEN`, and the texts.

    `message`: what was looked at, so that a choice's values can be named.
    """
    return [_problem(violation.proto, message) for violation in violations]


def room(message: Any, most: int) -> int:
    """Return how many of `most` are left after the elements of a message's lists; 0 or less: it has more."""
    for field, value in message.ListFields():
        most -= len(value) if field.is_repeated else 0
        if field.message_type is not None and most > 0:
            for item in value if field.is_repeated else (value,):
                most = room(item, most)
    return most


def _problem(violation: Any, message: Any) -> Problem:
    path, code = path_of(violation.field), violation.rule_id.upper().replace(".", "_")
    return Problem(path, code, _english(violation), _chinese(violation, message))


def _english(violation: Any) -> str:
    """Return what is wrong: in words where a pattern has them, else as protovalidate says it."""
    told = str(violation.message)
    if violation.rule_id == "string.min_len" and _digits(told) == "1":
        return "is required"
    return (_wanted(told).en if violation.rule_id == "string.pattern" else "") or told


def _chinese(violation: Any, message: Any) -> str:
    """Return what is wrong, with the limits or the values where they are known."""
    rule, limit = violation.rule_id, _digits(violation.message)
    if rule == "string.pattern":
        return _wanted(violation.message).zh
    if rule == "string.min_len" and limit == "1":
        return CHINESE["required"]
    told = CHINESE.get(rule, f"不符合规则 {rule}")
    if rule.startswith("enum."):
        values = "、".join(_values(violation.field, message))
        return f"{told}：{values}" if values else told
    return f"{told}（{limit}）" if limit else told


def _wanted(message: str) -> Wanted:
    """Return in words what a pattern wants; of one that nobody wrote words for, the pattern."""
    pattern = message.split("`")[1] if message.count("`") >= 2 else ""
    named = RESOURCE.match(pattern)
    if named:
        example = f"{named['collection']}/abc-1"
        return Wanted(f"应为记录名称，如 {example}", f"must be a record's name, such as {example}")
    unknown = Wanted(CHINESE["string.pattern"] + (f"（{pattern}）" if pattern else ""))
    return WORDS.get(pattern, unknown)


def _values(path: Any, message: Any) -> list[str]:
    """Return what may be chosen at a path, in short; nothing where the message is not known."""
    record, field = message.DESCRIPTOR if message is not None else None, None
    for step in path.elements if path else ():
        field = record.fields_by_name.get(step.field_name) if record is not None else None
        record = field.message_type if field is not None else None
    enum: Any = field.enum_type if field is not None else None
    if enum is None:
        return []
    prefix = str(enum.values_by_number[0].name).removesuffix("UNSPECIFIED")
    return [value.name.removeprefix(prefix) for value in enum.values if value.number]


def _digits(message: str) -> str:
    """The limits that the English text names, so that the Chinese one names them too."""
    words = (word.strip(".,;`'\"") for word in message.split())
    return "–".join(w for w in words if w.lstrip("-").isdigit())


def path_of(path: Any) -> str:
    """Return `requests[2].platform.title`; empty for the message itself."""
    steps = (step for step in path.elements) if path else ()
    return ".".join(_step(step) for step in steps)


def _step(step: Any) -> str:
    at = step.subscript
    return f"{step.field_name}[{at.value}]" if at else str(step.field_name)

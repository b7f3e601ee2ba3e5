"""What protovalidate found, as problems in both languages."""

from collections.abc import Iterable
from typing import Any

from kernel.errors import Problem

PARTS = 500
"""Elements of lists in a message up to which everything wrong with it is told; of a larger one, the first. A finding keeps
the interpreter for 0.1 ms: a message of 4 MB made for it would stop the server for two minutes."""

CHINESE = {
    "required": "必填",
    "string.min_len": "长度不足，不能少于规定的字符数",
    "string.max_len": "过长，超出规定的字符数",
    "string.len": "长度不符合规定",
    "string.pattern": "格式不符",
    "string.uri": "应为网址",
    "string.email": "应为电子邮箱",
    "enum.defined_only": "不是规定的取值",
    "repeated.min_items": "项数过少",
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


def problems(violations: Iterable[Any]) -> list[Problem]:
    """Return one problem a violation: `title`, `STRING_MIN_LEN`, and the texts."""
    return [_problem(violation.proto) for violation in violations]


def broken(validator: Any, message: Any) -> list[Problem]:
    """Return what is wrong with a message: everything, or of a large one the first."""
    first = validator.collect_violations(message, fail_fast=True)
    if first and room(message, PARTS) > 0:
        return problems(validator.collect_violations(message))
    return problems(first)


def room(message: Any, most: int) -> int:
    """Return how many of `most` are left after the elements of a message's lists; 0 or less: it has more."""
    for field, value in message.ListFields():
        most -= len(value) if field.is_repeated else 0
        if field.message_type is not None and most > 0:
            for item in value if field.is_repeated else (value,):
                most = room(item, most)
    return most


def _problem(violation: Any) -> Problem:
    rule, limit = violation.rule_id, _digits(violation.message)
    chinese = CHINESE.get(rule, f"不符合规则 {rule}") + (f"（{limit}）" if limit else "")
    return Problem(
        path_of(violation.field), rule.upper().replace(".", "_"), violation.message, chinese
    )


def _digits(message: str) -> str:
    """The limits that the English text names, so that the Chinese one names them too."""
    words = (word.strip(".,;`'\"") for word in message.split())
    return "–".join(w for w in words if w.lstrip("-").isdigit()) or _pattern(message)


def _pattern(message: str) -> str:
    return message.split("`")[1] if message.count("`") >= 2 else ""


def path_of(path: Any) -> str:
    """Return `requests[2].platform.title`; empty for the message itself."""
    steps = (step for step in path.elements) if path else ()
    return ".".join(_step(step) for step in steps)


def _step(step: Any) -> str:
    at = step.subscript
    return f"{step.field_name}[{at.value}]" if at else str(step.field_name)

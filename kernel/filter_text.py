"""Reading an AIP-160 filter: a text becomes a tree, or an error that names the place."""

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kernel.columns import Field, fields_of
from kernel.dates import SHANGHAI
from kernel.errors import Invalid
from kernel.filter import Both, Either, Node, Not, Restriction
from kernel.registry import Resource

TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<op><=|>=|!=|=|<|>|:)|(?P<paren>[()])"""
    r"""|(?P<minus>-(?=[\w("']))|(?P<word>[^\s()<>=!:"',]+))"""
)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
DEPTH, RESTRICTIONS = 20, 100
OPERATORS = ("and", "or", "not")
DATE = re.compile(r"\d{4}-\d\d-\d\d$")
TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(\.\d{1,6})?(Z|[+-]\d\d:\d\d))?$")


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    at: int


def parse(text: str, resource: Resource) -> Node | None:
    """Return the filter's tree; None for an empty one. Raises Invalid, naming the place and what would work."""
    tokens = _tokens(text)
    if not tokens:
        return None
    return _Parser(text, tokens, resource).whole()


def _tokens(text: str) -> list[Token]:
    tokens, at = list[Token](), 0
    if "\0" in text:
        raise _wrong(text, text.index("\0"), "NUL, which no text holds", "NUL 字符，任何文本都不含")
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            at = len(text) - len(text[at:].lstrip())
            raise _wrong(text, at, "unexpected character", "意外字符")
        kind = str(match.lastgroup)
        tokens.append(Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent over AIP-160's grammar."""

    def __init__(self, text: str, tokens: list[Token], resource: Resource) -> None:
        self._text, self._tokens, self._at, self._depth, self._count = text, tokens, 0, 0, 0
        self._fields = {field.path: field for field in (_name_field(), *fields_of(resource))}
        self._title = self._fields.get(resource.title)

    def whole(self) -> Node:
        node = self._expression()
        if self._peek() is not None:
            raise self._unexpected()
        return node

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next_is(self, kind: str, *texts: str) -> bool:
        token = self._peek()
        return token is not None and token.kind == kind and (not texts or token.text in texts)

    def _take(self) -> Token:
        token = self._peek()
        if token is None:
            raise _wrong(
                self._text, len(self._text), "something is missing at the end", "末尾不完整"
            )
        self._at += 1
        return token

    def _unexpected(self) -> Invalid:
        token = self._peek()
        at = token.at if token else len(self._text)
        return _wrong(self._text, at, "not expected here", "此处不应出现")

    def _expression(self) -> Node:
        terms = [self._either()]
        while self._peek() is not None and not self._next_is("paren", ")"):
            if self._next_is("word", "AND"):
                self._take()
            terms.append(self._either())
        return terms[0] if len(terms) == 1 else Both(tuple(terms))

    def _either(self) -> Node:
        terms = [self._term()]
        while self._next_is("word", "OR"):
            self._take()
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else Either(tuple(terms))

    def _term(self) -> Node:
        if self._next_is("word", "NOT") or self._next_is("minus"):
            self._take()
            return Not(self._simple())
        return self._simple()

    def _simple(self) -> Node:
        if not self._next_is("paren", "("):
            return self._restriction()
        self._depth += 1
        if self._depth > DEPTH:
            raise _wrong(self._text, 0, f"more than {DEPTH} brackets deep", f"括号超过 {DEPTH} 层")
        self._take()
        node = self._expression()
        if not self._next_is("paren", ")"):
            raise _wrong(self._text, len(self._text), "a bracket is not closed", "括号未闭合")
        self._take()
        self._depth -= 1
        return node

    def _restriction(self) -> Node:
        self._count += 1
        if self._count > RESTRICTIONS:
            raise _wrong(
                self._text,
                0,
                f"more than {RESTRICTIONS} restrictions",
                f"条件超过 {RESTRICTIONS} 个",
            )
        token = self._take()
        if token.kind not in ("word", "text") or token.text in ("AND", "OR"):
            self._at -= 1
            raise self._unexpected()
        if not self._next_is("op"):
            if token.kind == "word" and token.text in OPERATORS:
                raise self._in_capitals(token)
            return self._bare(token)
        field = self._fields.get(token.text) if token.kind == "word" else None
        if field is None:
            names = ", ".join(sorted(self._fields))
            raise _wrong(
                self._text,
                token.at,
                f"no field {token.text}; there are: {names}",
                f"没有字段 {token.text}；可用：{names}",
            )
        op, value = self._take().text, self._argument()
        return Restriction(field, op, self._value(field, op, value))

    def _in_capitals(self, token: Token) -> Invalid:
        """A lower-case operator would be looked for in titles, and nothing would be found."""
        word = token.text.upper()
        return _wrong(
            self._text,
            token.at,
            f'write {word} in capitals, or "{token.text}" in quotes for the word',
            f"{word} 需大写；若指该词本身请加引号",
        )

    def _bare(self, token: Token) -> Restriction:
        if self._title is None:
            raise _wrong(self._text, token.at, "say field = value", "请写成 字段 = 值")
        return Restriction(self._title, ":", _unquoted(token))

    def _argument(self) -> Token:
        minus = self._take() if self._next_is("minus") else None
        token = self._take()
        if token.kind not in ("word", "text"):
            self._at -= 1
            raise self._unexpected()
        return Token(token.kind, "-" + token.text, minus.at) if minus else self._joined(token)

    def _joined(self, token: Token) -> Token:
        """A time without quotes has colons, which are operators elsewhere: put it together again."""
        text = token.text
        while token.kind == "word" and TIME.match(text) is None and self._next_is("op", ":"):
            text += self._take().text
            text += self._take().text
        return Token(token.kind, text, token.at)

    def _value(self, field: Field, op: str, token: Token) -> Any:
        text = _unquoted(token)
        if op == ":" and text == "*":
            return text
        if op in ("<", "<=", ">", ">=") and field.kind in ("words", "enum", "boolean"):
            raise _wrong(
                self._text,
                token.at,
                f"{field.path} has no order; use = or :",
                f"{field.path} 不可比较大小，请用 = 或 :",
            )
        if field.kind == "words" and op in ("=", "!="):
            raise _wrong(
                self._text,
                token.at,
                f"{field.path} holds several; use {field.path}:{text}",
                f"{field.path} 为多值，请用 {field.path}:{text}",
            )
        try:
            return CONVERT[field.kind](field, text)
        except ValueError as error:
            en, zh = error.args
            raise _wrong(
                self._text, token.at, f"{field.path}: {en}", f"{field.path}：{zh}"
            ) from None


def _name_field() -> Field:
    return Field("name", "text", str, sorted=True)


def _unquoted(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1]) if token.kind == "text" else token.text


def _text(field: Field, text: str) -> str:
    return text


def _integer(field: Field, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise ValueError("a whole number is wanted, such as 100", "应为整数，例如 100") from None
    if not -(2**63) <= value < 2**63:
        raise ValueError("the number does not fit into 64 bits", "数值超出 64 位范围")
    return value


def _boolean(field: Field, text: str) -> int:
    if text not in ("true", "false"):
        raise ValueError("say true or false", "应为 true 或 false")
    return int(text == "true")


def _enum(field: Field, text: str) -> int:
    """Return the number of `STATE_DRAFT`, which may be written `DRAFT` too."""
    enum: Any = field.enum
    prefix = str(enum.values_by_number[0].name).removesuffix("UNSPECIFIED")
    value = enum.values_by_name.get(text) or enum.values_by_name.get(prefix + text)
    if value is None:
        names = ", ".join(v.name.removeprefix(prefix) for v in enum.values)
        raise ValueError(f"no {text}; there are: {names}", f"没有 {text}；可用：{names}")
    return int(value.number)


def _date(field: Field, text: str) -> str:
    if not DATE.match(text):
        raise ValueError('a date is wanted, such as "2026-01-05"', "应为日期，例如 2026-01-05")
    return text


def _time(field: Field, text: str) -> int:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or not TIME.match(text):
        raise ValueError(
            'a time is wanted, such as "2026-01-05T08:00:00Z"',
            "应为时间，例如 2026-01-05T08:00:00Z",
        )
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=SHANGHAI)
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)  # exact, as a float is not


CONVERT: dict[str, Callable[[Field, str], Any]] = {
    "text": _text,
    "words": _text,
    "integer": _integer,
    "boolean": _boolean,
    "enum": _enum,
    "date": _date,
    "time": _time,
}


def _wrong(text: str, at: int, en: str, zh: str) -> Invalid:
    near = text[at : at + 20] or "the end"
    return Invalid(
        f"filter, character {at + 1} near {near!r}: {en}",
        f"filter 第 {at + 1} 个字符（{near}）：{zh}",
        field="filter",
        reason="FILTER",
    )

"""What an action demands on the command line, named by its options."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor

from app.cli.failures import Failure
from app.cli.output import state_text
from buf.validate import validate_pb2
from luoshu.client import LuoshuError


def is_required(field: FieldDescriptor) -> bool:
    """Tell whether the contract refuses a call that leaves a field of its request out."""
    options: Any = field.GetOptions()
    if field_behavior_pb2.REQUIRED in options.Extensions[field_behavior_pb2.field_behavior]:
        return True
    rules = options.Extensions[validate_pb2.field]
    if rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE:
        return False
    numbers = (rules.int32, rules.int64)
    return bool(
        rules.required
        or rules.string.min_len
        or rules.repeated.min_items
        or 0 in rules.enum.not_in
        or any(n.gte > 0 or (n.HasField("gt") and n.gt >= 0) for n in numbers)
    )


def demand_required(request: Any, given: Mapping[str, Any]) -> None:
    """Raises Failure, naming every option that is missing: no call is needed to see that."""
    said = {key.split("__", 1)[0] for key, value in given.items() if value not in (None, ())}
    missing = [
        flag_of(field.name)
        for field in request.DESCRIPTOR.fields
        if field.name != "name" and field.name not in said and is_required(field)
    ]
    if missing:
        raise Failure(f"missing: {', '.join(missing)}", f"缺少：{'、'.join(missing)}")


STATE = re.compile(r"(?<![A-Za-z_])STATE_[A-Z_]+")
SEPARATOR = re.compile(r"\s*[,，、;；]\s*")


@contextmanager
def options_named(request: Any) -> Iterator[None]:
    """Name options, not fields, in what a service complains of."""
    try:
        yield
    except LuoshuError as error:
        known = request.DESCRIPTOR.fields_by_name
        _hint_at_lists(error, request)
        for problem in error.problems:
            if problem.field.split(".")[0].split("[")[0] in known:
                _rename(error, problem.field)
        error.problems = tuple(replace(p, field=_named(p.field, known)) for p in error.problems)
        raise


@contextmanager
def fields_named(singular: str) -> Iterator[None]:
    """Name fields as `--field` takes them, `title` where the request has `platform.title`."""
    try:
        yield
    except LuoshuError as error:
        own = [replace(p, field=p.field.removeprefix(f"{singular}.")) for p in error.problems]
        for told, named in zip(error.problems, own, strict=True):
            error.text_en = error.text_en.replace(told.field, named.field)
            error.text_zh = error.text_zh.replace(told.field, named.field)
        error.problems = tuple(own)
        raise


@contextmanager
def states_named(record: Any) -> Iterator[None]:
    """Call states by their Chinese names in a service's Chinese text. `record`: descriptor of the kind."""
    try:
        yield
    except LuoshuError as error:
        error.text_zh = STATE.sub(
            lambda found: state_text(record, found[0]).partition(" ")[2] or found[0], error.text_zh
        )
        raise


def _hint_at_lists(error: LuoshuError, request: Any) -> None:
    """Say how several are named, where one word holds several and was refused as one."""
    known = request.DESCRIPTOR.fields_by_name
    for name in {problem.field.split("[")[0] for problem in error.problems}:
        field = known.get(name)
        if field is None or not field.is_repeated or field.type != FieldDescriptor.TYPE_STRING:
            continue
        parts = [part for word in getattr(request, name) for part in SEPARATOR.split(word) if part]
        if len(parts) > len(getattr(request, name)):
            often = " ".join(f"{flag_of(name)} {part}" for part in parts)
            error.text_en += f"; to name several, repeat the option: {often}"
            error.text_zh += f"；多个值请重复该选项：{often}"


def _rename(error: LuoshuError, path: str) -> None:
    flag = flag_of(path)
    error.text_en = _told(error.text_en, path, flag, ": ")
    error.text_zh = _told(error.text_zh, path, flag, "：")


def _told(text: str, path: str, flag: str, colon: str) -> str:
    text = text.replace(f"{path}{colon.strip()}", f"{flag}{colon.strip()}")
    return text if flag in text else f"{flag}{colon}{text}"


def _named(path: str, known: Mapping[str, Any]) -> str:
    return flag_of(path) if path.split(".")[0].split("[")[0] in known else path


def flag_of(path: str) -> str:
    """Return `--review-date` for `review_date`, `--contact-name` for `contact.name`."""
    return "--" + path.replace(".", "-").replace("_", "-")

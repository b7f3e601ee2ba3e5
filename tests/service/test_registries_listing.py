"""Every registry: filters, orders, pages."""

import operator
import threading
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from kernel.columns import Field, fields_of
from tests.running import Running, refusal
from tests.service.registry_suite import AUDITOR, SAMPLES, STRANGER, Sample

pytestmark = pytest.mark.parametrize("sample", SAMPLES, ids=str)

ORDERED = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
OPERATORS: Mapping[str, Mapping[str, Callable[[Any, Any], Any]]] = {
    "text": {**ORDERED, ":": lambda have, part: part in have},
    "date": {**ORDERED, ":": operator.eq},
    "time": {**ORDERED, ":": operator.eq},
    "integer": {**ORDERED, ":": operator.eq},
    "enum": {"=": operator.eq, "!=": operator.ne, ":": operator.eq},
    "boolean": {"=": operator.eq, "!=": operator.ne, ":": operator.eq},
    "words": {":": lambda have, one: f" {one} " in have},
}


def some_records(running: Running, sample: Sample, count: int = 4) -> tuple[str, list[Any]]:
    """Make records whose titles hold a mark of their own, one of them a step further; return both."""
    mark = uuid.uuid4().hex[:12]
    records = [
        sample.create(running, title=f"{n} {mark} {'甲乙丙丁戊'[n % 5]}") for n in range(count)
    ]
    sample.act(running, records[1])
    return mark, [sample.get(running, record.name) for record in records]


def names(running: Running, sample: Sample, **said: Any) -> list[str]:
    return [record.name for record in sample.listed(sample.page(running, **said))]


def value_of(field: Field, record: Any) -> str:
    """Return a field's value as a filter has it."""
    value = record
    for step in field.path.split("."):
        value = getattr(value, step)
    match field.kind:
        case "enum":
            return str(field.enum.values_by_number[value].name) if field.enum else ""
        case "time":
            return f'"{value.ToJsonString()}"'
        case "boolean":
            return str(value).lower()
        case "words":
            return f'"{next(iter(value), "none")}"'
        case "date":
            return f'"{field.value(record) or "2026-01-01"}"'
        case "text":
            return f'"{value}"'
    return str(value)


def compared(field: Field, op: str, record: Any, other: Any) -> bool:
    """Tell whether a record passes `field op other's value`."""
    wanted = field.value(other)
    if field.kind == "words":
        wanted = wanted.split(" ")[1] if wanted else "none"
    if field.kind == "date":
        wanted = wanted or "2026-01-01"
    return bool(OPERATORS[field.kind][op](field.value(record), wanted))


def test_every_operator_of_every_column_finds_what_it_says(
    registries: Running, sample: Sample
) -> None:
    mark, records = some_records(registries, sample)
    for field in fields_of(sample.resource):
        for op in OPERATORS[field.kind]:
            wanted = {r.name for r in records if compared(field, op, r, records[1])}
            text = f"title:{mark} AND {field.path} {op} {value_of(field, records[1])}"
            assert set(names(registries, sample, filter=text)) == wanted, text


def test_a_star_asks_whether_anything_is_there(registries: Running, sample: Sample) -> None:
    mark, records = some_records(registries, sample, 2)
    for field in fields_of(sample.resource):
        wanted = {r.name for r in records if field.value(r)}
        assert set(names(registries, sample, filter=f"title:{mark} {field.path}:*")) == wanted


def test_words_and_or_not_and_wildcards_are_understood(registries: Running, sample: Sample) -> None:
    mark, records = some_records(registries, sample)
    first, second, third, fourth = (record.name for record in records)
    found = {
        mark: {first, second, third, fourth},
        f"{mark} 甲": {first},
        f"{mark} (甲 OR 乙)": {first, second},
        f"title:甲 OR title:乙 AND title:{mark}": {first, second},
        f"{mark} NOT 甲": {second, third, fourth},
        f"{mark} -甲 -乙": {third, fourth},
        f'title = "1 {mark}*"': {second},
        f'title:{mark} title != "*乙"': {first, third, fourth},
        f'name = "{third}"': {third},
        f'{mark} "没有%_"': set(),
    }
    for text, wanted in found.items():
        assert set(names(registries, sample, filter=text)) == wanted, text


WRONG = {
    "nonsense = 1": "no field nonsense",
    "state = STATE_NONSENSE": "there are: UNSPECIFIED, ",
    "state > STATE_DRAFT": "has no order",
    "title =": "missing at the end",
    "(title:a": "not closed",
    "title:a )": "not expected here",
    "create_time > yesterday": "a time is wanted",
    'effective_date = "today"': "a date is wanted",
    'title = "open': "unexpected character",
    "(" * 30 + "a" + ")" * 30: "20 brackets",
    "title:\0": "NUL",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: repr(text)[:20])
def test_a_wrong_filter_is_refused_with_the_place(
    registries: Running, sample: Sample, text: str
) -> None:
    wrong = refusal(lambda: sample.page(registries, filter=text))
    assert wrong.code == "INVALID_ARGUMENT"
    assert WRONG[text] in wrong.text
    assert "character" in wrong.text
    assert wrong.problems == (("filter", "FILTER"),)


def test_each_order_sorts_up_and_down_page_by_page(registries: Running, sample: Sample) -> None:
    mark, records = some_records(registries, sample, 5)
    for field in (f for f in fields_of(sample.resource) if f.sorted):
        for down in (False, True):
            wanted = sorted(records, key=lambda r: r.name)
            wanted.sort(key=field.value, reverse=down)
            order = f"{field.path}{' desc' if down else ''}, name"
            found = walked(registries, sample, 2, filter=mark, order_by=order)
            assert found == [r.name for r in wanted], order


def walked(running: Running, sample: Sample, size: int, **said: Any) -> list[str]:
    """Return the names of every page."""
    found, token = list[str](), ""
    while True:
        page = sample.page(running, page_size=size, page_token=token, **said)
        found += [record.name for record in sample.listed(page)]
        token = page.next_page_token
        if not token:
            return found


def test_pages_have_everything_once_while_others_write(registries: Running, sample: Sample) -> None:
    mark, over = uuid.uuid4().hex[:12], threading.Event()
    before = [sample.create(registries, title=f"{mark} {n}").name for n in range(40)]

    def write() -> None:
        while not over.is_set():
            sample.create(registries, title=f"{mark} 后来")
            sample.retitle(registries, sample.get(registries, before[7]), f"{mark} 改名")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found = walked(registries, sample, 3, filter=mark)
    finally:
        over.set()
        writer.join()
    assert len(found) == len(set(found))
    assert set(before) <= set(found)


def test_an_order_that_there_is_not_is_refused(registries: Running, sample: Sample) -> None:
    for order in ("nonsense", "title up", "title desc asc", "abstract"):
        wrong = refusal(partial(sample.page, registries, order_by=order))
        assert [field for field, _ in wrong.problems] == ["order_by"]
        assert "name" in wrong.text


def test_a_page_size_over_1000_or_below_0_is_refused(registries: Running, sample: Sample) -> None:
    for size in (1001, -1):
        wrong = refusal(partial(sample.page, registries, page_size=size))
        assert [field for field, _ in wrong.problems] == ["page_size"]


def test_a_token_that_is_not_ours_or_was_changed_is_refused(
    registries: Running, sample: Sample
) -> None:
    some_records(registries, sample, 3)
    token = sample.page(registries, page_size=1).next_page_token
    other = "B" if token[5] == "A" else "A"
    for forged in ("x", "%%%%", token[:-4], token[:5] + other + token[6:], "Ä", "A" * 64):
        wrong = refusal(partial(sample.page, registries, page_size=1, page_token=forged))
        assert [field for field, _ in wrong.problems] == ["page_token"]
        assert "start without it" in wrong.text


def test_a_token_goes_with_its_filter_and_order(registries: Running, sample: Sample) -> None:
    mark, _ = some_records(registries, sample, 3)
    token = sample.page(registries, page_size=1, filter=mark).next_page_token
    others: list[dict[str, Any]] = [{"filter": "甲"}, {"filter": mark, "order_by": "title"}, {}]
    for said in others:
        wrong = refusal(partial(sample.page, registries, page_size=1, page_token=token, **said))
        assert "those of the first page" in wrong.text


def test_a_token_of_another_collection_is_refused(registries: Running, sample: Sample) -> None:
    some_records(registries, sample, 2)
    token = sample.page(registries, page_size=1).next_page_token
    other = SAMPLES[(SAMPLES.index(sample) + 1) % len(SAMPLES)]
    wrong = refusal(lambda: other.page(registries, page_size=1, page_token=token))
    assert [field for field, _ in wrong.problems] == ["page_token"]


def test_a_list_shows_each_caller_what_it_may_see(registries: Running, sample: Sample) -> None:
    mark, records = some_records(registries, sample)
    assert set(names(registries, sample, filter=mark, who=AUDITOR)) == {r.name for r in records}
    public = {r.name for r in records if r.state in sample.resource.lifecycle.public}
    assert set(names(registries, sample, filter=mark, who=STRANGER)) == public
    assert set(names(registries, sample, filter=mark, who=sample.author)) == {
        r.name for r in records
    }

"""Every registry: what was, as it was known and as it was true."""

import datetime
import time
import uuid
from typing import Any

import grpc
import pytest

from kernel.dates import from_date
from tests.running import Running, refusal
from tests.service.registry_suite import AUDITOR, SAMPLES, TODAY, Sample

pytestmark = pytest.mark.parametrize("sample", SAMPLES, ids=str)


def test_revisions_come_newest_first_page_by_page(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    for n in range(2, 6):
        sample.retitle(registries, record, f"第{n}版")
    events, token = list[Any](), ""
    while True:
        page = registries.call(
            f"List{sample.noun}Revisions", AUDITOR, name=record.name, page_size=2, page_token=token
        )
        assert len(page.revisions) <= 2
        events += page.revisions
        token = page.next_page_token
        if not token:
            break
    assert [event.change.revision for event in events] == [5, 4, 3, 2, 1]
    assert [event.change.action for event in events] == ["update"] * 4 + ["create"]
    assert getattr(events[1], sample.singular).title == "第4版"


def test_a_revision_is_as_it_was_when_it_was_new(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    sample.retitle(registries, record, "后来")
    was = sample.get(registries, record.name, revision=1)
    record.ClearField("allowed_actions")
    assert was == record
    wrong = refusal(lambda: sample.get(registries, record.name, revision=9))
    assert wrong.code == "NOT_FOUND"


def test_a_read_time_shows_what_was_known_then(registries: Running, sample: Sample) -> None:
    record = sample.create(registries, title="原名")
    time.sleep(0.002)
    second = sample.retitle(registries, record, "新名")
    seen = [record.create_time, second.update_time]
    assert [sample.get(registries, record.name, read_time=t).title for t in seen] == [
        "原名",
        "新名",
    ]
    before = record.create_time.ToDatetime() - datetime.timedelta(microseconds=1)
    wrong = refusal(lambda: sample.get(registries, record.name, read_time=before))
    assert wrong.code == "NOT_FOUND"


def test_a_valid_time_shows_what_was_true_then(registries: Running, sample: Sample) -> None:
    first, last = TODAY.replace(year=2018), TODAY.replace(year=2022)
    key = uuid.uuid4().hex
    for day, title in ((first, "旧"), (last, "新")):
        (row,) = sample.enter(registries, sample.row(key, sample.history(title=title), day))
    found = [
        sample.get(registries, row.name, valid_time=noon(day)).title
        for day in (first, last - datetime.timedelta(days=1), last, TODAY)
    ]
    assert found == ["旧", "旧", "新", "新"]
    wrong = refusal(lambda: sample.get(registries, row.name, valid_time=noon(TODAY.replace(2017))))
    assert wrong.code == "NOT_FOUND"


def noon(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(4), datetime.UTC)


def test_a_revision_and_a_time_exclude_each_other(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    said = {"revision": 1, "read_time": record.create_time}
    wrong = refusal(lambda: sample.get(registries, record.name, **said))
    assert [field for field, _ in wrong.problems] == ["revision"]


@pytest.mark.parametrize("seconds", [-(10**17), 10**15, 9_223_372_036_854_775_807])
@pytest.mark.parametrize("field", ["read_time", "valid_time"])
def test_a_time_that_no_calendar_has_is_refused(
    registries: Running, sample: Sample, field: str, seconds: int
) -> None:
    record = sample.create(registries)
    said: dict[str, Any] = {field: {"seconds": seconds}}
    for call in (
        lambda: sample.get(registries, record.name, **said),
        lambda: sample.page(registries, **said),
    ):
        wrong = refusal(call)
        assert [path for path, _ in wrong.problems] == [field]


def test_a_list_of_the_past_equals_the_filter_on_history(
    registries: Running, sample: Sample
) -> None:
    mark, moments = uuid.uuid4().hex[:12], list[Any]()
    records = [sample.create(registries, title=f"{mark} {n} 起") for n in range(5)]
    moments.append(records[2].create_time)
    for record in records[::2]:
        moments.append(sample.retitle(registries, record, f"{mark} 后来").update_time)
        time.sleep(0.001)
    for said in ({"read_time": moment} for moment in moments):
        wanted = {
            record.name
            for record in records
            if (was := past(registries, sample, record.name, said)) and "起" in was.title
        }
        found = sample.listed(sample.page(registries, filter=f"{mark} 起", **said))
        assert {record.name for record in found} == wanted
    assert wanted == {records[1].name, records[3].name}


def test_a_list_of_what_was_true_reads_the_rows_of_that_day(
    registries: Running, sample: Sample
) -> None:
    mark, first = uuid.uuid4().hex[:12], TODAY.replace(year=2016)
    rows = [
        sample.row(f"{mark}-{n}", sample.history(title=f"{mark} {when.year}"), when)
        for n in range(3)
        for when in (first, TODAY.replace(year=2019 + n))
    ]
    sample.enter(registries, *rows)
    for year, wanted in ((2015, []), (2017, [2016] * 3), (2020, [2019, 2020, 2016])):
        said: dict[str, Any] = {"filter": mark, "valid_time": noon(TODAY.replace(year=year))}
        found = sample.listed(sample.page(registries, **said))
        assert sorted(r.title for r in found) == sorted(f"{mark} {y}" for y in wanted)


def past(running: Running, sample: Sample, name: str, said: dict[str, Any]) -> Any:
    try:
        return sample.get(running, name, **said)
    except grpc.RpcError:
        return None


def test_a_list_of_the_past_goes_page_by_page(registries: Running, sample: Sample) -> None:
    mark = uuid.uuid4().hex[:12]
    records = [sample.create(registries, title=f"{mark} {n}") for n in range(5)]
    said: dict[str, Any] = {"filter": mark, "read_time": records[-1].update_time, "page_size": 2}
    found, token = list[str](), ""
    while True:
        page = sample.page(registries, page_token=token, **said)
        found += [record.name for record in sample.listed(page)]
        token = page.next_page_token
        if not token:
            break
    assert found == sorted(record.name for record in records)
    wrong = refusal(lambda: sample.page(registries, order_by="title", **said))
    assert [field for field, _ in wrong.problems] == ["order_by"]


def test_a_change_that_was_true_earlier_is_dated_back(registries: Running, sample: Sample) -> None:
    yesterday = TODAY - datetime.timedelta(days=1)
    record = sample.create(registries, effective_date=from_date(TODAY))
    wrong = refusal(lambda: sample.act(registries, record, effective_date=from_date(yesterday)))
    assert [field for field, _ in wrong.problems] == ["effective_date"]
    assert str(TODAY) in wrong.text

"""Every registry: many records with one request, and historical rows."""

import datetime
import uuid
from typing import Any

import pytest

from kernel.dates import from_date
from luoshu.journal.v1 import journal_pb2
from tests.running import Running, new_request_id, refusal
from tests.service.registry_suite import OFFICER, SAMPLES, TODAY, Sample

pytestmark = pytest.mark.parametrize("sample", SAMPLES, ids=str)
ENTERED = journal_pb2.IMPORT_OUTCOME_ENTERED
PRESENT = journal_pb2.IMPORT_OUTCOME_ALREADY_PRESENT
REFUSED = journal_pb2.IMPORT_OUTCOME_REFUSED


def batch(running: Running, sample: Sample, titles: list[str], **said: Any) -> list[Any]:
    requests = [{sample.singular: sample.record(title=title)} for title in titles]
    answer = running.call(f"BatchCreate{sample.plural}", sample.author, requests=requests, **said)
    return sample.listed(answer)


def key() -> str:
    return uuid.uuid4().hex


def test_a_batch_makes_its_records_in_their_order(registries: Running, sample: Sample) -> None:
    titles = [f"第{n}项" for n in range(5)]
    records = batch(registries, sample, titles)
    assert [record.title for record in records] == titles
    assert sample.get(registries, records[3].name) == records[3]


def test_a_batch_with_one_wrong_record_makes_none_and_names_it(
    registries: Running, sample: Sample
) -> None:
    before = registries.head(sample.service.name)
    wrong = refusal(lambda: batch(registries, sample, ["甲", "乙", "丙\0", "丁"]))
    assert wrong.code == "INVALID_ARGUMENT"
    assert wrong.problems[0][0].startswith("requests[2]")
    assert "requests[2]" in wrong.text
    wrong = refusal(lambda: batch(registries, sample, ["甲", "乙" * 1000]))
    assert wrong.problems[0][0] == f"requests[1].{sample.singular}.title"
    assert registries.head(sample.service.name) == before


def test_a_batch_takes_1000_records_and_no_more(registries: Running, sample: Sample) -> None:
    before = registries.head(sample.service.name)
    wrong = refusal(lambda: batch(registries, sample, ["多"] * 1001))
    assert wrong.code == "INVALID_ARGUMENT"
    assert "1000" in wrong.text
    assert registries.head(sample.service.name) == before
    assert len(batch(registries, sample, ["多"] * 1000)) == 1000
    assert registries.head(sample.service.name) == before + 1000


def test_a_batch_twice_is_one_batch(registries: Running, sample: Sample) -> None:
    once = new_request_id()
    first = batch(registries, sample, ["甲", "乙"], request_id=once)
    before = registries.head(sample.service.name)
    assert batch(registries, sample, ["甲", "乙"], request_id=once) == first
    assert registries.head(sample.service.name) == before


@pytest.mark.parametrize("other", [["甲"], ["甲", "乙", "丙"], ["甲", "丙"]], ids=len)
def test_a_batchs_request_id_with_another_content_is_refused(
    registries: Running, sample: Sample, other: list[str]
) -> None:
    once = new_request_id()
    batch(registries, sample, ["甲", "乙"], request_id=once)
    before = registries.head(sample.service.name)
    wrong = refusal(lambda: batch(registries, sample, other, request_id=once))
    assert wrong.reason == "REQUEST_ID_REUSED"
    assert registries.head(sample.service.name) == before


def test_a_batchs_request_id_is_taken_for_single_requests_too(
    registries: Running, sample: Sample
) -> None:
    once, twice = new_request_id(), new_request_id()
    batch(registries, sample, ["甲", "乙"], request_id=once)
    assert refusal(lambda: sample.create(registries, request_id=once)).reason == "REQUEST_ID_REUSED"
    sample.create(registries, request_id=twice)
    wrong = refusal(lambda: batch(registries, sample, ["甲"], request_id=twice))
    assert wrong.reason == "REQUEST_ID_REUSED"


def test_a_batch_that_only_validates_changes_nothing(registries: Running, sample: Sample) -> None:
    before = registries.head(sample.service.name)
    assert len(batch(registries, sample, ["甲", "乙"], validate_only=True)) == 2
    assert registries.head(sample.service.name) == before


def test_a_row_is_entered_once_and_then_already_present(
    registries: Running, sample: Sample
) -> None:
    row = sample.row(key())
    (entered,) = sample.enter(registries, row)
    assert (entered.outcome, entered.revision, entered.line) == (ENTERED, 1, 1)
    before = registries.head(sample.service.name)
    results = sample.enter(registries, row, {**row, "line": 7})
    assert [(r.outcome, r.name, r.line) for r in results] == [
        (PRESENT, entered.name, 1),
        (PRESENT, entered.name, 7),
    ]
    assert registries.head(sample.service.name) == before
    record = sample.get(registries, entered.name)
    assert (record.origin.source, record.origin.key) == ("suite", row["key"])


def test_a_wrong_row_is_refused_with_field_code_and_both_languages(
    registries: Running, sample: Sample
) -> None:
    good, long = sample.row(key()), sample.row(key(), sample.history(title="长" * 1000))
    nul, unreal = sample.row(key(), sample.history(title="一\0")), sample.row(key())
    unreal["effective_date"] = {"year": 2020, "month": 2, "day": 30}
    results = sample.enter(registries, good, long, nul, unreal)
    assert [r.outcome for r in results] == [ENTERED, REFUSED, REFUSED, REFUSED]
    (problem,) = results[1].problems
    assert (problem.field, problem.code) == ("title", "STRING_MAX_LEN")
    for result in results[1:]:
        (problem,) = result.problems
        assert problem.code == problem.code.upper() != ""
        assert problem.text_en.isascii() or "\0" in problem.text_en
        assert any("\u4e00" <= sign <= "\u9fff" for sign in problem.text_zh)


@pytest.mark.parametrize(
    ("count", "wrong", "field"), [(1, {"source": "Not a source"}, "source"), (501, {}, "rows")]
)
def test_what_is_wrong_with_a_message_beside_its_rows_is_told_of_it(
    registries: Running, sample: Sample, count: int, wrong: dict[str, str], field: str
) -> None:
    before = registries.head(sample.service.name)
    feed = sample.rows(*[sample.row(key()) for _ in range(count)], **wrong)
    told = refusal(lambda: registries.feed(f"Import{sample.plural}", sample.importer, [feed]))
    assert (told.code, [where for where, _ in told.problems]) == ("INVALID_ARGUMENT", [field])
    assert registries.head(sample.service.name) == before


def test_a_wrong_row_is_found_wherever_it_stands(registries: Running, sample: Sample) -> None:
    wrong = (0, 250, 499)
    rows = [
        sample.row(key(), sample.history(title="长" * 1000) if n in wrong else None)
        for n in range(500)
    ]
    results = sample.enter(registries, *rows, validate_only=True)
    assert [n for n, result in enumerate(results) if result.outcome == REFUSED] == [*wrong]


def test_a_dry_run_answers_and_changes_nothing(registries: Running, sample: Sample) -> None:
    rows = [sample.row(key()), sample.row(key(), sample.history(title="\0"))]
    before = registries.head(sample.service.name)
    results = sample.enter(registries, *rows, validate_only=True)
    assert [r.outcome for r in results] == [ENTERED, REFUSED]
    assert registries.head(sample.service.name) == before
    real = sample.enter(registries, *rows)
    assert [r.outcome for r in real] == [ENTERED, REFUSED]


def test_a_later_row_of_the_same_record_is_its_next_revision(
    registries: Running, sample: Sample
) -> None:
    same = key()
    (first,) = sample.enter(registries, sample.row(same, day=TODAY.replace(year=2018)))
    (second,) = sample.enter(
        registries, sample.row(same, sample.history(title="更名"), TODAY.replace(year=2019))
    )
    assert (second.outcome, second.name, second.revision) == (ENTERED, first.name, 2)
    assert sample.get(registries, first.name).title == "更名"


def test_an_older_row_that_comes_late_does_not_displace_the_newer_one(
    registries: Running, sample: Sample
) -> None:
    same, earlier = key(), TODAY.replace(year=2017)
    (first,) = sample.enter(registries, sample.row(same, sample.history(title="新")))
    late = sample.row(same, sample.history(title="旧"), earlier)
    (second,) = sample.enter(registries, late)
    assert (second.outcome, second.revision) == (ENTERED, 2)
    now = sample.get(registries, first.name)
    assert (now.title, now.revision) == ("新", 1)
    (found,) = sample.listed(sample.page(registries, filter=f'name = "{first.name}"'))
    assert found.title == "新"
    noon = datetime.datetime(2018, 1, 1, 4, tzinfo=datetime.UTC)
    assert sample.get(registries, first.name, valid_time=noon).title == "旧"
    third = sample.retitle(registries, now, "再改", etag=now.etag)
    assert (third.revision, third.title) == (3, "再改")


def test_a_record_that_moved_on_here_takes_no_more_rows(
    registries: Running, sample: Sample
) -> None:
    same = key()
    (entered,) = sample.enter(registries, sample.row(same))
    sample.retitle(registries, sample.get(registries, entered.name), "本系统更名")
    (late,) = sample.enter(
        registries, sample.row(same, sample.history(title="史料"), TODAY.replace(year=2021))
    )
    assert late.outcome == REFUSED
    assert [p.code for p in late.problems] == ["MOVED_ON"]
    assert sample.get(registries, entered.name).title == "本系统更名"


def test_only_an_importer_enters_rows(registries: Running, sample: Sample) -> None:
    feed = sample.rows(sample.row(key()))
    wrong = refusal(lambda: registries.feed(f"Import{sample.plural}", OFFICER, [feed]))
    assert (wrong.code, wrong.reason) == ("PERMISSION_DENIED", "ROLE_MISSING")


def test_a_stream_of_messages_is_answered_message_by_message(
    registries: Running, sample: Sample
) -> None:
    messages = [sample.rows(sample.row(key()), sample.row(key())) for _ in range(3)]
    answers = registries.feed(f"Import{sample.plural}", sample.importer, messages)
    assert [[r.outcome for r in a.results] for a in answers] == [[ENTERED] * 2] * 3


def test_a_row_from_the_future_is_refused(registries: Running, sample: Sample) -> None:
    row = sample.row(key())
    row["effective_date"] = from_date(TODAY.replace(year=2199))
    (result,) = sample.enter(registries, row)
    assert [p.field for p in result.problems] == ["effective_date"]

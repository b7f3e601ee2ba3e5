"""The mappings of the examples against the whole of their files."""

import csv
from collections import Counter
from decimal import Decimal
from functools import cache
from pathlib import Path

import protovalidate
import pytest

from app.importing import readers
from app.importing.batches import MOST_BYTES, Compiler
from app.importing.mapping import load
from luoshu.client.contract import kinds
from luoshu.funding.v1 import funding_pb2
from luoshu.technologies.v1 import technologies_pb2

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = {
    "ror": ("ror_cn_versions.jsonl", 925),
    "techport": ("techport_projects.json", 18),
    "sbir": ("sbir_awards.csv", 1056),
}


@cache
def entered(name):
    """Rows of the contract, and refusals, of a whole file."""
    mapping = load(EXAMPLES / "mappings" / f"{name}.yaml")
    compiler = Compiler(kinds()[mapping.resource], mapping)
    compiler.check()
    form = readers.Form(mapping.format, mapping.each)
    rows = readers.read(EXAMPLES / "data" / FILES[name][0], form)
    refused = []
    return compiler, list(compiler.rows(rows, refused.append)), refused


def records(name):
    compiler, rows, _ = entered(name)
    return [getattr(row, compiler.kind.noun.lower()) for row in rows]


@pytest.mark.parametrize("name", FILES)
def test_at_least_95_in_100_rows_become_rows_of_the_contract(name):
    _, rows, refused = entered(name)
    lines = {refusal.line for refusal in refused}
    assert len(rows) + len(lines) == FILES[name][1]
    assert len(rows) >= 0.95 * FILES[name][1]


@pytest.mark.parametrize("name", FILES)
def test_every_message_keeps_the_rules_of_the_contract_and_its_size(name):
    compiler, rows, _ = entered(name)
    for batch in compiler.batches(rows, validate_only=True):
        protovalidate.validate(batch)
        assert batch.ByteSize() <= MOST_BYTES + 1000
        assert batch.validate_only


def test_versions_are_entered_in_the_order_of_their_releases():
    _, rows, _ = entered("ror")
    days = [(r.effective_date.year, r.effective_date.month, r.effective_date.day) for r in rows]
    assert days == sorted(days)
    assert all(days[0])


def test_every_version_has_its_own_key_and_an_organisation_one_record():
    _, rows, _ = entered("ror")
    assert len({row.key for row in rows}) == len(rows)
    assert len({row.platform_id for row in rows}) == 512


def test_both_schemas_of_ror_give_the_chinese_name_and_the_english_one():
    names = {(r.platform_id, r.platform.title, r.platform.english_title) for r in entered("ror")[1]}
    assert ("ror-00s8ft489", "广州市增城区中医医院", _zengcheng()) in names
    assert any(n[:2] == ("ror-0098hst83", "中国电子科技集团公司") for n in names)


def _zengcheng():
    return "Guangzhou Zengcheng District Traditional Chinese Medicine Hospital"


def test_what_ror_withdrew_is_closed_and_names_its_successor():
    closed = [p for p in records("ror") if p.end.reason]
    assert len(closed) == 16
    assert sum(bool(p.successors) for p in closed) >= 10


def test_completed_and_target_reached_are_two_facts():
    state = technologies_pb2.Breakthrough.State
    counted = Counter(state.Name(record.state) for record in records("techport"))
    assert counted == {
        "STATE_BROKEN_THROUGH": 2,
        "STATE_NOT_REACHED": 7,
        "STATE_COMPLETED": 7,
        "STATE_IN_PROGRESS": 2,
    }


def test_no_tag_is_left_in_a_text():
    assert not any("<p>" in r.abstract or "&nbsp;" in r.abstract for r in records("techport"))


def test_the_awards_sum_to_the_cent():
    with (EXAMPLES / "data" / "sbir_awards.csv").open(newline="", encoding="utf-8") as file:
        dollars = sum(Decimal(row["Award Amount"]) for row in csv.DictReader(file))
    assert sum(record.approved_fen for record in records("sbir")) == dollars * 100
    assert {record.currency for record in records("sbir")} == {"USD"}


def test_an_award_without_a_date_is_true_from_its_year_on():
    dateless = [row for row in entered("sbir")[1] if not row.application.HasField("start_date")]
    assert len(dateless) == 116
    for row in dateless:
        assert (row.effective_date.month, row.effective_date.day) == (1, 1)
        assert row.effective_date.year == row.application.year


def test_rows_of_the_same_award_have_the_same_key_and_no_others():
    _, rows, _ = entered("sbir")
    twice = [key for key, count in Counter(row.key for row in rows).items() if count > 1]
    assert len(twice) == 4
    for key in twice:
        contents = {
            r.application.SerializeToString(deterministic=True) for r in rows if r.key == key
        }
        assert len(contents) == 1


def test_an_investigator_is_a_pseudonym_only():
    people = [r.principal_investigator for r in records("sbir")]
    assert all(person.name == "" for person in people)
    assert sum(bool(person.identity_number) for person in people) == 1049


def test_agencies_are_departments():
    agencies = {record.lead_department for record in records("sbir")}
    assert len(agencies) == 11
    assert {"DOD", "NSF", "NASA"} < agencies
    assert all(isinstance(r, funding_pb2.Application) for r in records("sbir")[:1])

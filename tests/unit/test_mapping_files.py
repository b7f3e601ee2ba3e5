"""Files as people have them: encodings, headings, broken lines, workbooks."""

import csv
import datetime

import openpyxl
import pytest

from app.importing import headers, readers
from app.importing.batches import Compiler
from app.importing.packs import tables
from app.importing.problems import UnfitFile
from luoshu.client.contract import kinds
from luoshu.platforms.v1 import platforms_pb2 as pb

TEXT = "平台名称,研发经费（万元）,状态\n嵩山实验室,12.5,已认定\n"


@pytest.fixture
def file(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def compiled(path, kind="platforms", table=tables, source=""):
    rows = list(readers.read(path))
    mapping = headers.mapping_of(kinds()[kind], rows[0].content, source, table)
    refused = []
    made = list(Compiler(kinds()[kind], mapping).rows(rows, refused.append))
    return made, refused


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_csv_file_is_read_in_its_own_encoding(file, encoding):
    (row,) = readers.read(file("a.csv", TEXT.encode(encoding)))
    assert row.content["平台名称"] == "嵩山实验室"
    assert row.line == 2


def test_chinese_headings_and_states_become_fields(file):
    (row,), refused = compiled(file("a.csv", TEXT.encode()))
    platform = row.platform
    assert (platform.title, platform.research_expenditure_fen) == ("嵩山实验室", 12_500_000)
    assert platform.state == pb.Platform.STATE_RECOGNIZED
    assert refused == []


def test_english_headings_are_the_fields_paths(file):
    content = b"key,title,contact.name,investment_fen,recognition_date\n7,T,Li,300,2026-01-05\n"
    (row,), _ = compiled(file("a.csv", content))
    assert (row.key, row.platform.contact.name) == ("7/T", "Li")
    assert row.platform.investment_fen == 300


def test_row_numbers_of_two_files_name_different_records_unless_the_source_is_named(file):
    one, two = file("1.csv", b"key,title\n1,A\n"), file("2.csv", b"key,title\n1,B\n")
    unnamed = [compiled(path)[0][0].key for path in (one, two)]
    named = [compiled(path, source="dst")[0][0].key for path in (one, two)]
    assert unnamed == ["1/A", "1/B"]
    assert named == ["1", "1"]


def test_names_of_the_pack_become_ids(file):
    names = {"kinds": {"省重点实验室": "key-laboratory"}}
    content = "平台名称,平台类型\n甲,省重点实验室\n乙,新类型\n".encode()
    rows, _ = compiled(file("a.csv", content), table=lambda section: names[section])
    assert [row.platform.kind for row in rows] == ["key-laboratory", "新类型"]


def test_an_unknown_heading_is_refused_with_the_nearest(file):
    with pytest.raises(UnfitFile, match="did you mean '平台名称'"):
        compiled(file("a.csv", "平台名\n甲\n".encode()))


def test_a_remark_is_no_column(file):
    (row,), _ = compiled(file("a.csv", "平台名称,备注,#x\n甲,请核对,1\n".encode()))
    assert row.platform.title == "甲"


def test_a_file_without_key_id_and_title_is_refused(file):
    with pytest.raises(UnfitFile, match="neither `key`, `id` nor `title`"):
        compiled(file("a.csv", b"kind\nx\n"))


def test_a_quoted_line_break_does_not_shift_the_line_numbers(file):
    rows = list(readers.read(file("a.csv", b'h\n"one\nmore"\ntwo\n\nthree\n')))
    assert [row.line for row in rows] == [2, 4, 6]


def test_a_row_with_too_many_cells_is_refused_and_the_next_one_read(file):
    rows = list(readers.read(file("a.csv", b"a,b\n1,2,3\n4,5\n")))
    assert rows[0].problem.code == "TOO_MANY_CELLS"
    assert rows[1].content == {"a": "4", "b": "5"}


def test_columns_of_the_same_name_are_refused(file):
    with pytest.raises(UnfitFile, match="columns named twice"):
        list(readers.read(file("a.csv", b"a,a\n1,2\n")))


def test_a_line_that_is_no_json_is_refused_and_the_next_one_read(file):
    first, second = readers.read(file("a.jsonl", '{"a": "x\u2028y"}\n{"a": \n'.encode()))
    assert first.content == {"a": "x\u2028y"}
    assert (second.line, second.problem.code) == (2, "NOT_JSON")


def test_a_json_document_may_hold_its_rows_somewhere_inside(file):
    path = file("a.json", b'{"data": {"rows": [{"a": 1}, {"a": 0.1}]}}')
    rows = list(readers.read(path, readers.Form(each="data.rows[*]")))
    assert [(row.line, str(row.content["a"])) for row in rows] == [(1, "1"), (2, "0.1")]


def test_a_workbook_is_read_like_a_csv_file(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["平台名称", "研发人员数", "认定日期"])
    book.active.append(["甲", 65.0, datetime.date(2026, 1, 5)])
    book.save(tmp_path / "a.xlsx")
    (row,), _ = compiled(tmp_path / "a.xlsx")
    assert row.platform.staff_count == 65
    assert row.platform.recognition_date.day == 5


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.xlsx", b"no zip"), ("a.json", b"{"), ("a.pdf", b""), ("a.json", b"{}")],
)
def test_a_file_that_cannot_be_read_says_so_in_both_languages(file, name, content):
    with pytest.raises(UnfitFile) as raised:
        list(readers.read(file(name, content)))
    assert raised.value.en
    assert raised.value.zh


def test_a_cell_is_no_formula_in_a_report():
    assert readers.harmless("=1+1") == "'=1+1"
    assert readers.harmless("第 1 行") == "第 1 行"


@pytest.mark.parametrize("kind", sorted(headers.templates()))
def test_every_heading_and_choice_of_a_template_is_in_the_contract(kind):
    record = kinds()[kind].record
    template = headers.templates()[kind]
    for column in template.columns:
        if column.field not in headers.HEAD:
            headers.field_at(record.DESCRIPTOR, column.field)
    for path, choices in template.choices.items():
        enum = headers.field_at(record.DESCRIPTOR, path).enum_type
        assert set(choices.values()) <= set(enum.values_by_name)
        assert path != "state" or len(choices) == len(enum.values) - 1


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", sorted(headers.templates()))
def test_the_example_row_of_a_template_can_be_read(tmp_path, kind, language):
    with (tmp_path / "t.csv").open("w", newline="") as out:
        csv.writer(out).writerow(headers.headings(kinds()[kind], language))
        csv.writer(out).writerow(headers.sample(kinds()[kind], language))
    rows, refused = compiled(tmp_path / "t.csv", kind)
    assert refused == []
    assert len(rows) == 1

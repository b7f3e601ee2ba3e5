"""What the command line prints, and what it makes of words."""

import re

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from rich.cells import cell_len

from app.cli import output
from app.cli.actions import fill
from app.cli.failures import Failure
from app.cli.importing import refusal_lines, summary_lines
from app.cli.values import assign, moment_of, pair
from app.importing.problems import Refusal
from app.importing.sending import Summary
from luoshu.platforms.v1 import platforms_pb2 as pb


@pytest.mark.parametrize(
    ("fen", "text"),
    [
        (0, "0.00"),
        (5, "0.05"),
        (-5, "-0.05"),
        (19999952, "199,999.52 (19.99 万)"),
        (-12_500_000, "-125,000.00 (-12.50 万)"),
        (10**15, "10,000,000,000,000.00 (1,000,000,000.00 万)"),
    ],
)
def test_an_amount_is_printed_exactly(fen, text):
    assert output.amount(fen) == text


def test_an_instant_is_printed_as_asia_shanghai_has_it():
    assert output.moment(Timestamp(seconds=1767542400)) == "2026-01-05 00:00:00"
    assert output.moment(Timestamp()) == ""


def test_a_date_that_is_not_there_is_blank():
    assert output.day(Date()) == ""
    assert output.day(Date(year=2026, month=1, day=5)) == "2026-01-05"


def test_a_record_is_printed_field_by_field():
    platform = pb.Platform(title="甲", state=pb.Platform.STATE_DRAFT, staff_count=3)
    platform.co_building_units.add(name="乙")
    platform.recognition_date.CopyFrom(Date(year=2026, month=1, day=5))
    platform.predecessors.extend(["platforms/a", "platforms/b"])
    assert dict(output.lines(platform)) == {
        "title": "甲",
        "state": "DRAFT 草稿",
        "staff_count": "3",
        "co_building_units[0].name": "乙",
        "recognition_date": "2026-01-05",
        "predecessors": "platforms/a, platforms/b",
    }


def test_a_state_that_this_client_does_not_know_is_its_number():
    field = pb.Platform.DESCRIPTOR.fields_by_name["state"]
    assert output.choice(field, 999) == "999"


def test_a_piped_table_is_one_line_a_row_whatever_the_cells_hold(capsys):
    output.table(["a", "b"], [["one\ntwo", "\x1b[31mred\t"]])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["a\tb", "one two\t[31mred"]


def screen(capsys):
    """What a terminal shows, line by line."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    return [line.rstrip() for line in said.splitlines()]


def test_chinese_columns_are_aligned_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    output.table(["name", "title"], [["嵩山", "A"], ["abcd", "B"], ["a", "[bold]C"]])
    lines = screen(capsys)
    assert lines == ["name    title", "资源名  名称", "嵩山    A", "abcd    B", "a       [bold]C"]


def test_prose_is_narrowed_to_the_terminal_and_no_word_is_torn(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    output.table(
        ["day", "title"], [["2026-11-19", "超大直径盾构机智能掘进系统关键技术研究与产业化"]]
    )
    lines = screen(capsys)
    assert lines[2].startswith("2026-11-19  超大")
    assert len(lines) == 4
    assert all(cell_len(line) <= 40 for line in lines)


def test_numbers_stand_one_below_the_other_by_their_last_digit(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    output.table(["unit", "paid"], [["甲", "1,240.50"], ["乙", "0.00"]])
    assert screen(capsys)[1:] == ["甲    1,240.50", "乙        0.00"]


def test_columns_that_can_be_spared_are_left_out_before(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    headings, row = ["name", "title", "update_time"], ["platforms/a", "甲", "2026-11-19 09:00:00"]
    output.table(headings, [row], spare=["update_time"])
    assert screen(capsys) == ["name         title", "资源名       名称", "platforms/a  甲"]


def test_what_does_not_fit_is_printed_a_record_a_paragraph(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "50")
    name = "applications/i70c7e4c63ec9d82c101d"
    rows = [[name, "UNDER_CONSTRUCTION", ""], [name, "[b]DRAFT", "甲"]]
    output.table(["name", "state", "note"], rows)
    lines = screen(capsys)
    assert lines == [
        *(f"name 资源名  {name}", "state 状态   UNDER_CONSTRUCTION", ""),
        *(f"name 资源名  {name}", "state 状态   [b]DRAFT", "note         甲"),
    ]


def test_a_record_s_fields_are_named_in_chinese_on_a_terminal_and_plainly_in_a_pipe(
    capsys, monkeypatch
):
    record = pb.Platform(title="嵩山", supporting_unit_code="12410100DEMA00013K")
    output.show(record)
    assert "supporting_unit_code\t12410100DEMA00013K" in screen(capsys)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    output.show(record)
    assert "supporting_unit_code 统一社会信用代码  12410100DEMA00013K" in screen(capsys)


def test_json_keeps_chinese_and_the_names_of_filters():
    assert (
        output.as_json(pb.Platform(supporting_unit_name="大学"))
        == '{"supporting_unit_name": "大学"}'
    )


@pytest.mark.parametrize(
    ("path", "word", "value"),
    [
        ("title", "甲", "甲"),
        ("staff_count", "65", 65),
        ("investment_fen", "12.5万元", 12_500_000),
        ("investment_fen", "7", 7),
        ("level", "national", pb.LEVEL_NATIONAL),
        ("level", "国家级", pb.LEVEL_NATIONAL),
        ("level", "LEVEL_NATIONAL", pb.LEVEL_NATIONAL),
        ("level", "NATIONAL 国家级", pb.LEVEL_NATIONAL),
    ],
)
def test_a_word_becomes_the_fields_value(path, word, value):
    platform = pb.Platform()
    assign(platform, path, word)
    assert getattr(platform, path) == value


def test_nested_and_repeated_fields_can_be_said():
    platform = pb.Platform()
    assign(platform, "contact.name", "李")
    assign(platform, "co_building_units", "甲")
    assign(platform, "co_building_units", '{"name": "乙"}')
    assert platform.contact.name == "李"
    assert [unit.name for unit in platform.co_building_units] == ["甲", "乙"]


@pytest.mark.parametrize(
    ("path", "word", "code"), [("stuff", "x", 2), ("staff_count", "many", 3), ("level", "top", 3)]
)
def test_a_word_that_does_not_fit_is_refused_in_both_languages(path, word, code):
    with pytest.raises(Failure) as raised:
        assign(pb.Platform(), path, word)
    assert raised.value.code == code
    assert raised.value.en != raised.value.zh


def test_options_that_were_not_given_stay_unset():
    request = pb.RecognizePlatformRequest()
    fill(request, {"document_number": "豫发改〔2026〕1号", "etag": None, "validate_only": None})
    assert [field.name for field, _ in request.ListFields()] == ["document_number"]


def test_a_day_means_its_end_in_asia_shanghai():
    assert moment_of("2026-01-05").ToJsonString() == "2026-01-05T15:59:59.999999Z"
    assert moment_of("2026-01-05T08:00:00+08:00").ToJsonString() == "2026-01-05T00:00:00Z"


@pytest.mark.parametrize("word", ["tomorrow", "2026-13-01", "0000-01-01"])
def test_what_is_no_time_is_refused(word):
    with pytest.raises(Failure):
        moment_of(word)


def test_a_field_needs_its_value():
    assert pair("title=a=b") == ("title", "a=b")
    with pytest.raises(Failure):
        pair("title")


def test_a_summary_names_its_parts_in_both_languages():
    summary = Summary(entered=5, present=2)
    summary.refuse(Refusal(3, "Award Title", "title", "REQUIRED", "it is missing", "此项缺失"))
    assert summary_lines(summary, dry_run=False) == [
        "5 entered + 2 already there + 1 refused = 8 rows",
        "已导入 5 + 已存在 2 + 拒绝 1 = 共 8 行",
    ]
    assert summary_lines(summary, dry_run=True)[0].startswith("5 would enter")
    assert refusal_lines(summary.refusals[0]) == [
        "line 3, Award Title [REQUIRED] it is missing",
        "第 3 行，Award Title [REQUIRED] 此项缺失",
    ]

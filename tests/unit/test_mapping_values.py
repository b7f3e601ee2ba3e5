"""Paths, conditions, amounts, dates and texts of a mapping."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.importing.amounts import hundredths
from app.importing.conditions import condition
from app.importing.fields import put, truth, whole
from app.importing.paths import values
from app.importing.problems import UnfitFile, UnfitValue
from app.importing.text import cut, cut_bytes, slug, without_html
from luoshu.platforms.v1 import platforms_pb2 as pb

ROW = {
    "Award Title": "t",
    "a": {"b": [{"c": 1, "k": ["X", "y"]}, {"c": 2, "k": "z"}]},
    "empty": " ",
    "null": None,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("Award Title", ["t"]),
        ("a.b[*].c", [1, 2]),
        ("a.b[1].c", [2]),
        ("a.b[7].c", []),
        ("a.b[k=x].c", [1]),
        ("a.b[k=Z].c", [2]),
        ("a.b[k!=z].c", [1]),
        ("a.none.c", []),
        ("empty", []),
        ("null", []),
        (".", [ROW]),
    ],
)
def test_a_path_finds_what_is_there_and_no_blanks(path, found):
    assert values(ROW, path) == found


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Award Title = T", True),
        ("Award Title != t", False),
        ("a.b[0].c >= {a.b[1].c}", False),
        ("a.b[0].c < 10", True),
        ("null exists", False),
        ("null missing", True),
        ("null != x", False),
    ],
)
def test_a_condition_compares_numbers_as_numbers_and_nothing_with_nothing(text, holds):
    assert condition(text).holds(ROW) is holds


def test_what_is_no_condition_is_refused():
    with pytest.raises(UnfitFile, match="no condition"):
        condition("Award Title")


@pytest.mark.parametrize(
    ("text", "unit", "fen"),
    [
        ("199999.52", "cents", 19999952),
        ("0.29", "cents", 29),
        ("12.5", "wan_yuan", 12_500_000),
        ("0.000001", "wan_yuan", 1),
        ("1,234.5元", "wan_yuan", 123450),
        ("￥ 3", "yuan", 300),
        ("2亿元", "yuan", 20_000_000_000),
        ("7", "fen", 7),
        ("-1.5", "yuan", -150),
    ],
)
def test_an_amount_is_exact(text, unit, fen):
    assert hundredths(text, unit) == fen


@given(st.integers(-(10**15), 10**15))
def test_dollars_and_cents_come_back_as_they_were(cents):
    sign, rest = ("-" if cents < 0 else ""), abs(cents)
    assert hundredths(f"{sign}{rest // 100}.{rest % 100:02}", "cents") == cents


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1.005", "FRACTION_OF_A_FEN"),
        ("many", "NOT_AN_AMOUNT"),
        ("", "NOT_AN_AMOUNT"),
        ("NaN", "NOT_AN_AMOUNT"),
        ("inf", "NOT_AN_AMOUNT"),
        ("1e30", "AMOUNT_TOO_LARGE"),
    ],
)
def test_an_amount_that_is_none_is_refused(text, code):
    with pytest.raises(UnfitValue) as raised:
        hundredths(text, "yuan")
    assert raised.value.code == code


@pytest.mark.parametrize("text", ["2026-01-05", "2026/1/5", "2026年1月5日", "2026-01-05 00:00:00"])
def test_a_date_may_be_written_in_several_ways(text):
    record = pb.Platform()
    put(record, "recognition_date", text)
    date = record.recognition_date
    assert (date.year, date.month, date.day) == (2026, 1, 5)


@pytest.mark.parametrize("text", ["2026-02-30", "05-01-2026", "soon"])
def test_what_is_no_date_is_refused(text):
    with pytest.raises(UnfitValue, match="is no date"):
        put(pb.Platform(), "recognition_date", text)


@pytest.mark.parametrize("value", ["draft", "STATE_DRAFT", "Draft"])
def test_an_enum_may_be_named_in_short(value):
    record = pb.Platform()
    put(record, "state", value)
    assert record.state == pb.Platform.STATE_DRAFT


def test_an_unknown_choice_is_refused_with_the_known_ones():
    with pytest.raises(UnfitValue, match="draft, submitted"):
        put(pb.Platform(), "state", "gone")


def test_an_unknown_field_is_refused_with_the_known_ones():
    with pytest.raises(UnfitFile, match="supporting_unit_name"):
        put(pb.Platform(), "street", "x")


def test_a_unit_may_carry_its_code_in_one_cell():
    record = pb.Platform()
    put(record, "co_building_units", ["示例大学（91330100799655058B）", "Units, LLC"])
    first, second = record.co_building_units
    assert (first.name, first.code) == ("示例大学", "91330100799655058B")
    assert (second.name, second.code) == ("Units, LLC", "")


@pytest.mark.parametrize("value", ["1.5", "x", "", str(2**31), "NaN"])
def test_what_is_no_whole_number_of_the_field_is_refused(value):
    with pytest.raises(UnfitValue):
        whole(value, -(2**31), 2**31 - 1)


def test_yes_and_no_in_both_languages():
    assert [truth(word) for word in ("是", "Y", "否", "false")] == [True, True, False, False]
    with pytest.raises(UnfitValue):
        truth("maybe")


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("<p>One&nbsp;two</p><p>three</p>", "One two\nthree"),
        ("NDI&#039;s &amp; more", "NDI's & more"),
        ("a < b and c > d", "a < b and c > d"),
        ("<script>x()</script>kept", "kept"),
        ("tab\t\tand\x00nul", "tab andnul"),
    ],
)
def test_html_becomes_what_a_reader_would_see(html, plain):
    assert without_html(html) == plain


@given(st.text(), st.integers(4, 50))
def test_a_cut_text_is_never_too_long(text, most):
    assert len(cut(text, most)) <= most
    assert len(cut_bytes(text, most).encode()) <= most


def test_a_slug_is_fit_for_a_name():
    assert slug("Department of Energy (DOE)") == "department-of-energy-doe"

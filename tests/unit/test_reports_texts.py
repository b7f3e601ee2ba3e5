"""How reports write amounts, days and targets."""

import pytest
from google.type.date_pb2 import Date
from hypothesis import given
from hypothesis import strategies as st

from luoshu.reports.v1 import reports_pb2 as pb
from services.reports.texts import BASES, OPERATORS, STANDINGS, TEXTS, Language, exact

ZH, EN = Language("zh"), Language("en")


@pytest.mark.parametrize(
    ("fen", "zh", "en"),
    [
        (0, "0.00", "0.00"),
        (1, "0.000001", "0.01"),
        (1_000_000, "1.00", "10,000.00"),
        (-123_456_789, "-123.456789", "-1,234,567.89"),
        (1_234_500_000_000, "1,234,500.00", "12,345,000,000.00"),
    ],
)
def test_an_amount_is_written_to_the_fen(fen: int, zh: str, en: str) -> None:
    assert (ZH.money(fen), EN.money(fen)) == (zh, en)


@given(st.integers(-(10**18), 10**18))
def test_no_fen_is_lost_in_writing(fen: int) -> None:
    whole, _, decimals = exact(fen, 1_000_000).replace(",", "").partition(".")
    assert int(whole + decimals.ljust(6, "0")) == fen


def test_a_day_and_a_month_are_written_in_both_languages() -> None:
    day = Date(year=2026, month=11, day=3)
    assert (ZH.day(day), EN.day(day)) == ("2026年11月3日", "3 November 2026")
    assert (ZH.month(day), EN.month(day)) == ("2026年11月", "November 2026")


def test_a_target_is_written_with_its_operator() -> None:
    unit = pb.Text(en="platforms", zh="家")
    about = pb.Target(operator=pb.OPERATOR_ABOUT, value="50", unit=unit)
    least = pb.Target(operator=pb.OPERATOR_AT_LEAST, value="1500000", unit=unit)
    share = pb.Target(operator=pb.OPERATOR_MORE_THAN, value="2.55", unit=pb.Text(en="%", zh="%"))
    assert [ZH.aim(t) for t in (about, least, share)] == ["50家左右", "≥1,500,000家", "＞2.55%"]
    assert [EN.aim(t) for t in (about, least, share)] == [
        "about 50 platforms",
        "≥ 1,500,000 platforms",
        "> 2.55%",
    ]


def test_every_text_is_there_in_both_languages() -> None:
    assert [key for key, words in TEXTS.items() if not (words.en and words.zh)] == []


def test_every_operator_basis_and_standing_has_words() -> None:
    assert set(OPERATORS) == set(pb.Operator.values()) - {pb.OPERATOR_UNSPECIFIED}
    assert set(BASES) == set(pb.Basis.values()) - {pb.BASIS_UNSPECIFIED, pb.BASIS_COUNTED}
    told = {pb.STANDING_UNSPECIFIED, pb.STANDING_UNKNOWN}
    assert set(STANDINGS) == set(pb.Standing.values()) - told

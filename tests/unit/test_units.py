"""Who recommends: whatever a unit is called, the record has its id."""

from pathlib import Path

import pytest

from kernel.errors import Invalid
from kernel.pack import load
from kernel.units import unit_of
from tests.unit.fake_case import FakeCase

PACK = load(Path(__file__).parents[2] / "packs" / "henan")
CASE, HISTORY = FakeCase(pack=PACK), FakeCase(pack=PACK, importing=True)


@pytest.mark.parametrize(
    ("said", "id_"),
    [
        ("410100", "410100"),
        (" 郑州市", "410100"),
        ("zhengzhou", "410100"),
        ("DST", "DST"),
        ("省科技厅", "DST"),
        ("河南省科学技术厅", "DST"),
    ],
)
def test_a_unit_is_known_by_its_id_and_by_its_names(said: str, id_: str) -> None:
    assert unit_of(said, "recommending_unit", CASE) == id_


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("郑州", "410100 郑州市"),
        ("410101", "410100 郑州市"),
        ("410105", "410100 郑州市"),
        ("Zhengzou", "410100 郑州市"),
        ("科技厅", "DST 省科技厅"),
    ],
)
def test_an_unknown_unit_is_refused_with_the_closest(said: str, meant: str) -> None:
    with pytest.raises(Invalid) as refused:
        unit_of(said, "recommending_unit", CASE)
    assert refused.value.code == "UNIT_UNKNOWN"
    assert f"did you mean {meant}?" in refused.value.en
    assert f"是否为 {meant}？" in refused.value.zh


def test_a_unit_like_no_other_is_refused_with_all_there_are() -> None:
    with pytest.raises(Invalid, match=r"known: .*410100 郑州市"):
        unit_of("§", "recommending_unit", CASE)


def test_what_is_not_assigned_recommends_nothing() -> None:
    with pytest.raises(Invalid):
        unit_of("UNASSIGNED", "recommending_unit", CASE)


def test_a_historical_row_keeps_what_its_source_says() -> None:
    assert unit_of("某某局", "recommending_unit", HISTORY) == "某某局"
    assert unit_of("郑州市", "recommending_unit", HISTORY) == "410100"

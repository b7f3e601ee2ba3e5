"""What a rule gives, and how a mapping is read."""

from pathlib import Path

import pytest

from app.importing.mapping import mapping, rule
from app.importing.problems import UnfitFile, UnfitRow, UnfitValue
from app.importing.rules import fill, found
from luoshu.platforms.v1 import platforms_pb2 as pb

ROW = {
    "a": "1",
    "b": "2",
    "list": ["x", "y", "x"],
    "units": [{"n": "U1"}, {"n": "U2"}],
    "d": "2017-5",
}
HEAD = {"source": "s", "resource": "platforms", "key": "{a}"}


def give(content, row=ROW, lookups=None, **more):
    return list(found(rule(content, "r"), row, lookups or {}, **more))


@pytest.mark.parametrize(
    ("content", "given"),
    [
        ("a", ["1"]),
        ("none", []),
        ("x-{a}-{b}", ["x-1-2"]),
        ("x-{a}-{none}", []),
        ("x-{a}-{none?}", ["x-1-"]),
        ({"from": ["none", "b"]}, ["2"]),
        ({"value": "c"}, ["c"]),
        ({"any": ["none", "b"]}, ["2"]),
        ({"from": "none", "default": "d"}, ["d"]),
        ({"from": "a", "map": {"1": "one"}}, ["one"]),
        ({"from": "a", "map": {"9": "nine"}, "otherwise": "other"}, ["other"]),
        ({"from": "a", "map": {"9": "nine"}, "otherwise": ""}, []),
        ({"from": "a", "map": {"9": "nine"}, "keep": True}, ["1"]),
        ({"from": "a", "when": ["b = 3"]}, []),
        ({"from": "a", "cents": True}, [100]),
        ({"from": "list[*]", "join": "+"}, ["x+y"]),
    ],
)
def test_a_rule_gives_one_value(content, given):
    assert give(content) == given


def test_a_repeated_field_gets_every_value_once():
    assert give({"from": ["list[*]", "a"]}, many=True) == ["x", "y", "1"]


def test_a_month_may_mean_its_last_day():
    (day,) = give({"from": "d", "date": "%Y-%m", "last_day": True})
    assert (day.year, day.month, day.day) == (2017, 5, 31)


def test_a_lookup_that_knows_nothing_gives_nothing():
    content = {"from": "a", "lookup": "l"}
    assert give(content, lookups={"l": {"1": "one"}}) == ["one"]
    assert give(content, lookups={"l": {}}) == []


def test_a_value_outside_the_table_is_refused_with_the_known_ones():
    with pytest.raises(UnfitValue, match="is none of 9"):
        give({"from": "a", "map": {"9": "nine"}})


def test_a_missing_value_that_is_required_is_refused():
    with pytest.raises(UnfitValue) as raised:
        give({"from": "none", "required": True})
    assert raised.value.code == "REQUIRED"


def test_elements_become_messages():
    record = pb.Platform()
    rules = {"co_building_units": rule({"each": "units[*]", "fields": {"name": "n"}}, "r")}
    fill(record, rules, ROW, {})
    assert [unit.name for unit in record.co_building_units] == ["U1", "U2"]


def test_all_problems_of_a_row_are_told_at_once_with_column_and_field():
    rules = {
        "staff_count": rule("list[0]", "r"),
        "title": rule({"from": "none", "required": True}, "r"),
    }
    with pytest.raises(UnfitRow) as raised:
        fill(pb.Platform(), rules, ROW, {})
    told = [(p.column, p.field, p.code) for p in raised.value.problems]
    assert told == [
        ("list[0]", "staff_count", "NOT_A_NUMBER"),
        ("none", "title", "REQUIRED"),
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({**HEAD}, "lacks `fields`"),
        ({**HEAD, "fields": {}, "feilds": {}}, "unknown feilds"),
        ({**HEAD, "fields": {"title": {"form": "a"}}}, "fields.title: unknown form"),
        ({**HEAD, "fields": {"title": {}}}, "give one of"),
        ({**HEAD, "fields": {"title": {"from": "a", "value": "b"}}}, "give one of"),
        ({**HEAD, "fields": {"title": {"from": "a", "unit": "euro"}}}, "none of fen"),
        ("text", "expected keys and values"),
    ],
)
def test_a_mapping_that_is_wrong_says_where(content, complaint):
    with pytest.raises(UnfitFile, match=complaint):
        mapping(content, Path())


def test_a_filter_that_is_none_is_refused():
    with pytest.raises(UnfitFile, match="no filter 'reverse'"):
        give("{a|reverse}")

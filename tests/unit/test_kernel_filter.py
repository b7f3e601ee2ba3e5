"""Filters: SQL and the test of a message agree on everything that can be said."""

import contextlib
import datetime
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kernel import database
from kernel.columns import common_of, fields_of
from kernel.decision import _columns
from kernel.errors import Invalid
from kernel.filter import Both, Either, Not, matches, sql
from kernel.filter_text import parse
from kernel.outcome import Held
from kernel.rights import standing_of
from kernel.tables import tables_of
from luoshu.platforms.v1 import platforms_pb2 as pb
from tests.unit.kernel_world import LIFECYCLE, PLATFORM, TOY, S

TABLE = tables_of(TOY).records["platforms"]
SIGNS = "ab%_*\\\"'[]?!^- .:中文😀é\nZ"
words = st.text(SIGNS, max_size=5)
days = st.dates(datetime.date(2025, 12, 30), datetime.date(2026, 1, 2))


@st.composite
def platforms(draw: st.DrawFn) -> pb.Platform:
    day = draw(st.none() | days)
    record = pb.Platform(
        title=draw(words), kind=draw(words), level=draw(st.sampled_from(pb.Level.values())),
        staff_count=draw(st.integers(-2, 2)), equipment_fen=draw(st.integers(-(2**63), 2**63 - 1)),
        former_titles=draw(st.lists(words, max_size=3)), state=draw(st.sampled_from(S.values()[:3])),
    )  # fmt: skip
    record.create_time.FromMicroseconds(draw(st.integers(0, 3)) * 500_000)
    if day:
        record.recognition_date.year, record.recognition_date.month = day.year, day.month
        record.recognition_date.day = day.day
    record.public_notice.working_days = draw(st.booleans())
    return record


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


ORDER = ["=", "!=", "<", "<=", ">", ">=", ":"]
texts = st.builds(
    "{} {} {}".format,
    st.sampled_from(["title", "kind"]),
    st.sampled_from(ORDER),
    words.map(quoted) | st.just("*"),
)
numbers = st.builds(
    "{} {} {}".format,
    st.sampled_from(["staff_count", "equipment_fen"]),
    st.sampled_from(ORDER),
    st.integers(-2, 2) | st.sampled_from([2**63 - 1, -(2**63)]),
)
dates = st.builds("recognition_date {} {}".format, st.sampled_from(ORDER), days)
times = st.builds(
    "create_time {} 1970-01-01T00:00:0{}Z".format,
    st.sampled_from(ORDER),
    st.sampled_from(["0", "0.5", "1", "1.500000"]),
)
lists = st.builds("former_titles:{}".format, words.map(quoted))
choices = st.builds(
    "{0[0]} {1} {0[1]}".format,
    st.sampled_from(
        [
            ("level", "LEVEL_NATIONAL"),
            ("state", "STATE_DRAFT"),
            ("public_notice.working_days", "true"),
        ]
    ),
    st.sampled_from(["=", "!=", ":"]),
)
there = st.sampled_from([f.path for f in fields_of(PLATFORM)]).map(lambda path: f"{path}:*")
bare = words.filter(lambda text: "\n" not in text).map(quoted)
one = texts | numbers | dates | times | lists | choices | there | bare
filters = st.recursive(
    one,
    lambda inner: st.one_of(
        st.builds("NOT ({})".format, inner),
        st.builds("-({})".format, inner),
        st.builds("({})".format, inner),
        st.builds("{} AND {}".format, inner, inner),
        st.builds("{} {}".format, inner, inner),
        st.builds("{} OR {}".format, inner, inner),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    engine = database.writing(f"sqlite:///{tmp_path_factory.mktemp('filter') / 'f.sqlite3'}")
    with engine.begin() as tx:
        TABLE.metadata.create_all(tx)
    yield engine
    engine.dispose()


def found(engine: sa.Engine, records: list[pb.Platform], node: Any) -> set[str]:
    """Return what SQL finds; nothing is kept."""
    rows = [
        dict(zip(TABLE.c.keys(), _columns(
            PLATFORM, Held(r, 1, 1, "create"), standing_of(r, LIFECYCLE), r.SerializeToString(), common_of(r)
        ), strict=True))
        for r in records
    ]  # fmt: skip
    with engine.connect() as tx:
        tx.execute(sa.insert(TABLE), rows)
        return set(tx.execute(sa.select(TABLE.c.name).where(sql(node, TABLE))).scalars())


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(records=st.lists(platforms(), min_size=1, max_size=4), text=filters)
@example(records=[pb.Platform(title="50%_off")], text='title:"%_"')
@example(records=[pb.Platform(title="a[b]?")], text='title = "a[*?"')
@example(records=[pb.Platform(former_titles=["a b"])], text='former_titles:"a"')
def test_sql_and_message_agree(engine: sa.Engine, records: list[pb.Platform], text: str) -> None:
    for number, record in enumerate(records):
        record.name = f"platforms/p{number}"
    node = parse(text, PLATFORM)
    assert node is not None
    passed = {record.name for record in records if matches(node, record)}
    assert found(engine, records, node) == passed


def node(text: str) -> Any:
    return parse(text, PLATFORM)


def test_or_binds_tighter_than_and() -> None:
    assert node("a OR b AND c") == node("(a OR b) AND c") == node("(a OR b) c")
    assert node("a AND b OR c") == node("a (b OR c)")
    assert node("a AND b OR c") != node("(a AND b) OR c")
    assert isinstance(node("a OR b AND c"), Both)
    assert isinstance(node("a OR (b AND c)"), Either)


def test_not_and_minus_bind_tightest() -> None:
    assert node("NOT a OR b") == node("(NOT a) OR b")
    assert node("-a b") == Both((Not(node("a")), node("b")))


def test_a_time_is_exact_to_the_microsecond() -> None:
    for microsecond in range(999_000, 1_000_000, 7):
        text = f"create_time = 2026-03-16T02:00:00.{microsecond:06d}Z"
        assert node(text).value == 1_773_626_400_000_000 + microsecond


def test_a_time_without_zone_is_in_shanghai() -> None:
    midnight = node('create_time = "2026-03-16T00:00:00+08:00"').value
    assert node("create_time = 2026-03-16").value == midnight


def test_an_empty_filter_is_none() -> None:
    assert node("") is None
    assert node("  \n ") is None


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("title = ", 9, "something is missing"),
        ("nothing = 1", 1, "no field nothing"),
        ("title = a )", 11, "not expected"),
        ("a AND", 6, "missing"),
        ("OR a", 1, "not expected"),
        ("staff_count = many", 15, "whole number"),
        ("staff_count = 9223372036854775808", 15, "64 bits"),
        ("level = LEVEL_HIGH", 9, "there are: UNSPECIFIED"),
        ("level < LEVEL_NATIONAL", 9, "no order"),
        ("former_titles = a", 17, "former_titles:a"),
        ("recognition_date > 2026", 20, "a date is wanted"),
        ("create_time > 2026-13-01", 15, "a time is wanted"),
        ("create_time > 2026-01-01T25:00:00Z", 15, "a time is wanted"),
        ("title = a\0", 10, "NUL"),
        (" ".join(["a"] * 101), 1, "100 restrictions"),
        ("(" * 21 + "a" + ")" * 21, 1, "20 brackets"),
        ("title = 'open", 9, "unexpected"),
    ],
)
def test_a_wrong_filter_names_the_place(text: str, place: int, said: str) -> None:
    with pytest.raises(Invalid) as wrong:
        node(text)
    assert said in wrong.value.en
    assert f"character {place} " in wrong.value.en
    assert f"第 {place} 个字符" in wrong.value.zh


@settings(max_examples=300, deadline=None)
@given(st.text(SIGNS + "()=<>:ANDORT,0123456789", max_size=40))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    with contextlib.suppress(Invalid):
        node(text)


def test_an_enum_may_be_written_without_its_prefix() -> None:
    assert parse("state = DRAFT", PLATFORM) == parse("state = STATE_DRAFT", PLATFORM)


@pytest.mark.parametrize("text", ["title = a and kind = b", "not title = a", "title = a or b"])
def test_an_operator_in_small_letters_is_refused_and_not_looked_for(text: str) -> None:
    with pytest.raises(Invalid, match="in capitals"):
        parse(text, PLATFORM)

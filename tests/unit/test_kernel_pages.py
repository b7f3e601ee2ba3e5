"""Keyset pages: any order, any size, everything once."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel import database
from kernel.columns import common_of, fields_of
from kernel.decision import _columns
from kernel.errors import Invalid
from kernel.outcome import Held
from kernel.pages import Tokens, order_of
from kernel.rights import standing_of
from kernel.tables import tables_of
from luoshu.platforms.v1 import platforms_pb2 as pb
from tests.unit.kernel_world import LIFECYCLE, PLATFORM, SECRET, TOY

TABLE = tables_of(TOY).records["platforms"]
FIELDS = {field.path: field for field in fields_of(PLATFORM) if field.sorted}
parts = st.lists(
    st.tuples(st.sampled_from([*FIELDS, "name"]), st.booleans()),
    max_size=4,
    unique_by=lambda part: part[0],
)
records = st.lists(
    st.builds(
        pb.Platform,
        title=st.sampled_from(["", "甲", "乙"]),
        kind=st.sampled_from("ab"),
        staff_count=st.integers(-1, 1),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    engine = database.writing(f"sqlite:///{tmp_path_factory.mktemp('pages') / 'p.sqlite3'}")
    with engine.begin() as tx:
        TABLE.metadata.create_all(tx)
    yield engine
    engine.dispose()


def insert(tx: sa.Connection, records: list[pb.Platform]) -> None:
    for number, record in enumerate(records):
        record.name = f"platforms/p{number:02d}"
        held = Held(record, 1, 1, "create")
        columns = _columns(
            PLATFORM,
            held,
            standing_of(record, LIFECYCLE),
            record.SerializeToString(),
            common_of(record),
        )
        tx.execute(sa.insert(TABLE), dict(zip(TABLE.c.keys(), columns, strict=True)))


def walked(tx: sa.Connection, order: Any, size: int) -> list[str]:
    names, key = list[str](), None
    while True:
        statement = sa.select(TABLE.c.record).order_by(*order.clauses(TABLE)).limit(size)
        if key is not None:
            statement = statement.where(order.after(TABLE, key))
        page = [pb.Platform.FromString(body) for body in tx.execute(statement).scalars()]
        if not page:
            return names
        names += [record.name for record in page]
        key = order.key(page[-1])


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(records=records, parts=parts, size=st.integers(1, 5))
def test_pages_in_any_order_are_the_sorted_list(
    engine: sa.Engine, records: list[pb.Platform], parts: list[tuple[str, bool]], size: int
) -> None:
    text = ", ".join(f"{path} desc" if down else path for path, down in parts)
    with engine.connect() as tx:
        insert(tx, records)
        found = walked(tx, order_of(text, PLATFORM), size)
    assert found == [record.name for record in expected(records, parts)]


def expected(records: list[pb.Platform], parts: list[tuple[str, bool]]) -> list[pb.Platform]:
    """Sort by the last key first, as a stable sort allows; what follows the name decides nothing."""
    paths = [path for path, _ in parts]
    told = parts[: paths.index("name") + 1] if "name" in paths else parts
    last_down = told[-1][1] if told else False
    chosen = list(records)
    chosen.sort(key=lambda record: record.name, reverse=last_down)
    for path, down in reversed([part for part in told if part[0] != "name"]):
        chosen.sort(key=FIELDS[path].value, reverse=down)
    return chosen


@pytest.mark.parametrize("text", ["level", "title up", "title desc desc", "nothing", "abstract"])
def test_an_order_that_costs_a_scan_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="title"):
        order_of(text, PLATFORM)


def test_a_token_is_good_for_its_own_list_and_secret() -> None:
    tokens = Tokens(SECRET)
    token = tokens.make("a list", {"key": ["甲", 3]})
    assert tokens.read(token, "a list") == {"key": ["甲", 3]}
    with pytest.raises(Invalid, match="those of the first page"):
        tokens.read(token, "another list")
    with pytest.raises(Invalid, match="not one that this service gave"):
        Tokens(bytes(32)).read(token, "a list")


def test_every_changed_bit_of_a_token_is_noticed() -> None:
    from base64 import urlsafe_b64decode, urlsafe_b64encode

    tokens = Tokens(SECRET)
    raw = urlsafe_b64decode(tokens.make("a list", {"key": ["x"], "position": 7}))
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Invalid):
            tokens.read(urlsafe_b64encode(changed).decode(), "a list")

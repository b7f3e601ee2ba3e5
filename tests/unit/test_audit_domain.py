"""The leaf, and the search columns of events that are anything."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luoshu.journal.v1.journal_pb2 import Change, EventHead
from services.audit.domain import MAX_LEAF_BYTES, Columns, change, columns, leaf

EMPTY = Columns("", "", "", "", 0, "")


def event(**fields: Any) -> bytes:
    return EventHead(change=Change(**fields)).SerializeToString()


def test_a_leaf_is_prefix_place_and_the_exact_bytes() -> None:
    assert leaf("platforms", 0, 7, b"\x00\xff") == b"luoshu-entry-v1\nplatforms/0/7\n\x00\xff"


def test_a_leaf_is_never_longer_than_a_tile_entry() -> None:
    head = len(leaf("platforms", 0, 7, b""))
    assert len(leaf("platforms", 0, 7, bytes(MAX_LEAF_BYTES - head))) == MAX_LEAF_BYTES
    with pytest.raises(ValueError, match="65536 bytes"):
        leaf("platforms", 0, 7, bytes(MAX_LEAF_BYTES - head + 1))


def test_every_event_of_a_journal_fits_into_a_leaf() -> None:
    assert leaf("s" * 63, 2**31 - 1, 2**63 - 1, bytes(61_440))


@pytest.mark.parametrize(
    ("source", "shard", "position"),
    [("", 0, 1), ("a/b", 0, 1), ("a\nb", 0, 1), ("A", 0, 1), ("a", -1, 1), ("a", 0, 0)],
)
def test_two_places_never_make_one_leaf(source: str, shard: int, position: int) -> None:
    with pytest.raises(ValueError, match="no journal has"):
        leaf(source, shard, position, b"")


def test_the_head_of_an_event_is_found_by_its_columns() -> None:
    head = Change(record="platforms/a", action="submit", actor="li", department="DST")
    head.commit_time.FromMicroseconds(1_755_000_000_000_001)
    head.business_date.year, head.business_date.month, head.business_date.day = 2025, 8, 12
    raw = EventHead(change=head).SerializeToString()
    assert columns(raw + b"\x12\x03abc") == Columns(
        "platforms/a", "submit", "li", "DST", 1_755_000_000_000_001, "2025-08-12"
    )
    assert change(raw) == head


@pytest.mark.parametrize("raw", [b"", b"\xff", b"\x12\x03abc", b"\x0a\x05abc", b"\x0a\x02\x12\xff"])
def test_what_is_no_event_has_empty_columns(raw: bytes) -> None:
    assert columns(raw) == EMPTY
    assert change(raw) is None


def test_odd_values_never_reach_a_column() -> None:
    assert columns(event(actor="a\x00b")).actor == "ab"
    assert len(columns(event(record="字" * 20_000)).record) == 255
    assert columns(event(commit_time={"seconds": 2**62})).commit_time == 0
    assert columns(event(commit_time={"seconds": -1})).commit_time == 0
    assert columns(event(business_date={"year": 2025, "month": 2, "day": 30})).business_date == ""


@given(st.binary(max_size=300))
def test_no_bytes_are_too_odd_to_have_columns(raw: bytes) -> None:
    found = columns(raw)
    assert 0 <= found.commit_time < 2**63
    assert all("\x00" not in text for text in found if isinstance(text, str))

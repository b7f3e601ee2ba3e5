"""PostgreSQL's arrays as we pack them, read back by psycopg."""

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from psycopg.adapt import Transformer
from psycopg.pq import Format

from kernel.arrays import oid_of, packer


@pytest.mark.parametrize(
    ("element", "values"),
    [
        (sa.Text(), ["新材料", "", "a\tb", "新材料"]),
        (sa.Text(), ["某大学"] * 3),
        (sa.Text(), []),
        (sa.LargeBinary(), [b"\0\1", b"", b"\0\1"]),
        (sa.LargeBinary(), [b"\0\1"] * 2),
        (sa.Integer(), [1, -(2**62), 0]),
        (sa.Integer(), [7] * 4),
    ],
)
def test_an_array_says_what_was_packed_whether_its_values_are_alike_or_not(
    element: sa.types.TypeEngine[Any], values: Sequence[Any]
) -> None:
    packed = packer(element)(values)
    read = Transformer().get_loader(oid_of(packed), Format.BINARY)
    assert read.load(bytes(packed)) == values

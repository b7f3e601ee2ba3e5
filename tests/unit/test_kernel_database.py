"""Rows of an SQLite file that are read at once, past SQLAlchemy's transactions."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from kernel.database import Glances, Put, reading, words, writing
from kernel.errors import Silent

THING = sa.Table("thing", sa.MetaData(), sa.Column("name", sa.Text), sa.Column("value", sa.Text))
ASKED = words(
    sa.select(THING.c.value).where(THING.c.name == sa.bindparam("name")), postgres=False
).text


def test_each_read_sees_what_was_committed_last(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/things.sqlite3"
    writer, reader = writing(url), Glances(reading(url))
    THING.metadata.create_all(writer)
    assert reader.row(ASKED, "a") is None
    for value in ("first", "second"):
        with writer.begin() as tx:
            tx.execute(sa.delete(THING))
            tx.execute(sa.insert(THING).values(name="a", value=value))
        assert reader.row(ASKED, "a") == (value,)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 63, 64, 65, 150])
def test_many_rows_are_put_down_each_once(tmp_path: Path, count: int) -> None:
    writer = writing(f"sqlite:///{tmp_path}/things.sqlite3")
    THING.metadata.create_all(writer)
    rows = [(f"n{number}", f"v{number}") for number in range(count)]
    with writer.begin() as tx:
        Put(THING, postgres=False)(tx, rows)
        assert [tuple(row) for row in tx.execute(sa.select(THING))] == rows


def test_a_file_that_cannot_be_opened_is_a_database_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(Silent):
        Glances(reading(f"sqlite:///{tmp_path}/nowhere/things.sqlite3")).row(ASKED, "a")


def test_a_table_that_is_not_there_is_a_fault_and_no_silence(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no such table"):
        Glances(reading(f"sqlite:///{tmp_path}/empty.sqlite3")).row(ASKED, "a")

"""An SQLite file past SQLAlchemy: rows read at once, statements heard and refused as ever, a connection that is kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from kernel.database import Glances, Kept, Put, Statement, fetch, finish, reading, words, writing
from kernel.errors import Silent

THING = sa.Table("thing", sa.MetaData(), sa.Column("name", sa.Text), sa.Column("value", sa.Text))
ASKED = words(
    sa.select(THING.c.value).where(THING.c.name == sa.bindparam("name")), postgres=False
).text

COUNT = Statement("SELECT count(*) FROM thing", ())


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    made = writing(f"sqlite:///{tmp_path}/things.sqlite3")
    THING.metadata.create_all(made)
    yield made
    made.dispose()


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


def test_whoever_listens_hears_every_statement_in_its_order(engine: sa.Engine) -> None:
    heard = list[str]()
    sa.event.listen(engine, "before_cursor_execute", lambda *said: heard.append(said[2]))
    with engine.connect() as tx:
        put = Put(THING, postgres=False).of([("a", "1"), ("b", "2")])
        assert fetch(tx, [*put, COUNT]) == [[], [(2,)]]
    assert heard == ["BEGIN IMMEDIATE", put[0].text, COUNT.text]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (Statement("SELECT nothing FROM nowhere", ()), sa.exc.OperationalError),
        (Statement("INSERT INTO only VALUES (1)", ()), sa.exc.IntegrityError),
        (Statement("SELECT ?", ()), sa.exc.ProgrammingError),
    ],
)
def test_an_error_is_told_as_sqlalchemy_tells_it(
    engine: sa.Engine, said: Statement, error: type[Exception]
) -> None:
    with engine.begin() as tx:
        tx.exec_driver_sql("CREATE TABLE only (one INTEGER UNIQUE)")
        tx.exec_driver_sql("INSERT INTO only VALUES (1)")
    with engine.connect() as tx, pytest.raises(error):
        fetch(tx, [said])


def test_a_connection_is_kept_from_one_transaction_to_the_next(engine: sa.Engine) -> None:
    kept, pool = Kept(engine), _pool(engine)
    put = Put(THING, postgres=False)
    with kept.transaction() as first:
        finish(first, put.of([("a", "1")]))
    assert pool.checkedout() == 1
    with kept.transaction() as second:
        assert fetch(second, [COUNT]) == [[(1,)]]
        second.commit()
    assert second is first
    kept.leave()
    assert pool.checkedout() == 0


def test_a_transaction_that_is_not_ended_gives_its_connection_back(engine: sa.Engine) -> None:
    kept, put = Kept(engine), Put(THING, postgres=False)
    with kept.transaction() as tx:
        put(tx, [("a", "1")])
    with engine.connect() as other:  # the lock is free, and nothing was written
        assert fetch(other, [COUNT]) == [[(0,)]]
    with pytest.raises(sa.exc.DBAPIError), kept.transaction() as tx:
        fetch(tx, [*put.of([("a", "1")]), Statement("SELECT nothing FROM nowhere", ())])
    assert _pool(engine).checkedout() == 0
    with kept.transaction() as tx:
        assert fetch(tx, [COUNT]) == [[(0,)]]


def test_after_a_commit_that_failed_the_next_transaction_begins(engine: sa.Engine) -> None:
    """SQLAlchemy takes a transaction for ended whose COMMIT failed; SQLite may have it still."""
    kept, put = Kept(engine), Put(THING, postgres=False)
    failure = sa.exc.OperationalError(None, None, Exception("disk I/O error"))
    with (
        patch.object(engine.dialect, "do_commit", side_effect=failure),
        pytest.raises(sa.exc.OperationalError),
        kept.transaction() as tx,
    ):
        finish(tx, put.of([("a", "1")]))
    with kept.transaction() as tx:
        assert fetch(tx, [COUNT]) == [[(0,)]]


def _pool(engine: sa.Engine) -> Any:
    return engine.pool

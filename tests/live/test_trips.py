"""Statements that go to PostgreSQL in one trip, past SQLAlchemy; and notices, of which a process passes its own by."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from app import migrate
from app.catalogue import registry
from kernel import database
from kernel.database import Kept, Put, Statement, fetch, finish, send
from kernel.notices import Notices
from kernel.store import Store
from tests.live import engines

THING = sa.Table(
    "thing",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text),
)
KINDS = sa.Table(
    "kinds",
    THING.metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("whole", sa.BigInteger),
    sa.Column("bytes", sa.LargeBinary),
)
COUNT = Statement("SELECT count(*) FROM thing", ())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with engines.a_postgres() as server:
        server.create("platforms")
        migrate.upgrade("platforms", server.url("platforms"))
        yield server.url("platforms")


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    made = database.writing(url)
    THING.metadata.create_all(made)
    yield made
    THING.metadata.drop_all(made)
    made.dispose()


def count(engine: sa.Engine) -> int:
    with engine.connect() as tx:
        return int(tx.execute(sa.select(sa.func.count()).select_from(THING)).scalar_one())


def test_what_is_sent_together_is_committed_together(engine: sa.Engine) -> None:
    put = Put(THING, postgres=True)
    with engine.connect() as tx:
        ((before,),), ((after,),) = fetch(tx, [COUNT, COUNT])
        send(tx, [*put.of([("a", "1")]), *put.of([("b", "2"), ("c", "3")])])
        assert (before, after, count(engine)) == (0, 0, 0)
        tx.commit()
    assert count(engine) == 3


def test_one_bad_statement_of_a_trip_leaves_nothing_and_the_connection_goes_on(
    engine: sa.Engine,
) -> None:
    put = Put(THING, postgres=True)
    for _ in range(3):
        with pytest.raises(sa.exc.IntegrityError), engine.connect() as tx:
            send(tx, [*put.of([("a", "1")]), *put.of([("a", "2")]), *put.of([("b", "3")])])
        assert count(engine) == 0
    with engine.begin() as tx:
        send(tx, [*put.of([("a", "1")]), *put.of([("b", "2")])])
    assert count(engine) == 2


def test_a_trip_that_finishes_has_committed_and_one_that_fails_has_left_nothing(
    engine: sa.Engine,
) -> None:
    put = Put(THING, postgres=True)
    with engine.connect() as tx:
        finish(tx, put.of([("a", "1")]))
        assert count(engine) == 1
        finish(tx, put.of([("b", "2")]))  # the same connection, a transaction of its own
    with pytest.raises(sa.exc.IntegrityError), engine.connect() as tx:
        finish(tx, [*put.of([("c", "3")]), *put.of([("a", "4")])])
    assert count(engine) == 2


def test_a_transaction_of_one_trip_passes_sqlalchemy_by_and_one_that_has_begun_does_not(
    engine: sa.Engine,
) -> None:
    put, begun = Put(THING, postgres=True), list[object]()
    sa.event.listen(engine, "begin", begun.append)
    with engine.connect() as tx:
        finish(tx, put.of([("a", "1")]))
        assert not begun
        assert fetch(tx, [COUNT]) == [[(1,)]]
        finish(tx, put.of([("b", "2")]))
        assert (len(begun), tx.in_transaction(), count(engine)) == (1, False, 2)


def test_where_a_transaction_of_one_trip_fails_whoever_hears_of_it_can_go_on(
    engine: sa.Engine,
) -> None:
    put, kept = Put(THING, postgres=True), Kept(engine)
    with engine.connect() as tx:
        finish(tx, put.of([("a", "1")]))
        with pytest.raises(sa.exc.IntegrityError):
            finish(tx, put.of([("a", "2")]))
        tx.rollback()
        assert fetch(tx, [COUNT]) == [[(1,)]]
    with kept.transaction() as tx, pytest.raises(sa.exc.IntegrityError):
        finish(tx, put.of([("a", "3")]))
    with kept.transaction() as tx:
        finish(tx, put.of([("b", "4")]))
    kept.leave()
    assert count(engine) == 2


def test_a_transaction_of_one_trip_that_cannot_be_committed_is_told_and_leaves_nothing(
    engine: sa.Engine,
) -> None:
    later = "CREATE TABLE later (name text UNIQUE DEFERRABLE INITIALLY DEFERRED)"
    put, read = Put(THING, postgres=True), Statement("SELECT count(*) FROM later", ())
    twice = [Statement("INSERT INTO later VALUES ($1)", ("a",))] * 2
    with engine.connect() as tx:
        finish(tx, [Statement("DROP TABLE IF EXISTS later", ()), Statement(later, ())])
        for again in range(2):  # the first prepares what is run
            with pytest.raises(sa.exc.IntegrityError):
                finish(tx, [*put.of([("a", "1")]), *twice])
            finish(tx, put.of([(f"b{again}", "2")]))
        assert fetch(tx, [COUNT, read]) == [[(2,)], [(0,)]]
        tx.rollback()
        finish(tx, [Statement("DROP TABLE later", ())])


def test_a_link_that_has_forgotten_what_was_prepared_is_let_go_in_silence(
    engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    put, kept = Put(THING, postgres=True), Kept(engine)
    with kept.transaction() as tx:
        finish(tx, put.of([("a", "1")]))
        tx.exec_driver_sql("DEALLOCATE ALL")
        tx.commit()
    with pytest.raises(sa.exc.DBAPIError), kept.transaction() as tx:
        finish(tx, put.of([("b", "2")]))
    with kept.transaction() as tx:
        finish(tx, put.of([("c", "3")]))
    kept.leave()
    assert (count(engine), caplog.records) == (2, [])


def test_a_transaction_of_one_trip_does_not_begin_within_another(engine: sa.Engine) -> None:
    put = Put(THING, postgres=True)
    with engine.connect() as tx:
        link = tx.connection.driver_connection
        assert link is not None
        link.execute("SELECT 1")  # psycopg begins, and SQLAlchemy does not know
        with pytest.raises(sa.exc.ProgrammingError, match="within another"):
            finish(tx, put.of([("a", "1")]))
        link.rollback()
        finish(tx, put.of([("b", "2")]))
    assert count(engine) == 1


def test_a_trip_carries_more_than_the_link_takes_at_once_there_and_back(engine: sa.Engine) -> None:
    rows = [(f"n{number:03}", "长" * 50_000) for number in range(100)]
    with engine.connect() as tx:
        read = Statement("SELECT name, value FROM thing ORDER BY name", ())
        send(tx, Put(THING, postgres=True).of(rows))
        assert fetch(tx, [read, COUNT]) == [rows, [(len(rows),)]]


def test_what_was_found_is_not_kept_with_the_connection(engine: sa.Engine) -> None:
    value = "x" * 40_000_000  # over 32 MiB the C library hands back at once what is freed
    read = Statement("SELECT value FROM thing", ())
    with engine.connect() as tx:
        send(tx, Put(THING, postgres=True).of([("a", value)]))
        fetch(tx, [read])  # the link's own buffer has grown, and stays
        fetch(tx, [COUNT])
        before = resident()
        assert len(fetch(tx, [read])[0][0][0]) == len(value)
        assert resident() - before < len(value) / 2


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("replace", [False, True])
def test_a_row_alone_is_put_down_as_it_is_among_others(engine: sa.Engine, replace: bool) -> None:
    rows = [("洛书\\", 2**62, b"\x00\xff"), ("", -1, b""), ("{}", True, b"\\x00"), ("'", 0, b"'")]
    put, read = Put(KINDS, postgres=True, replace=replace), Statement("SELECT * FROM kinds", ())
    with engine.connect() as tx:
        _, together, _ = fetch(tx, [*put.of(rows), read, Statement("DELETE FROM kinds", ())])
        send(tx, [statement for row in rows for statement in put.of([row])])
        send(tx, put.of(rows[:1]) if replace else [])
        (alone,) = fetch(tx, [read])
    assert sorted(alone) == sorted(together) == sorted(rows)


def test_sql_that_the_server_does_not_take_spoils_its_transaction_only(engine: sa.Engine) -> None:
    wrong = Statement("SELECT nothing FROM thing", ())
    with engine.connect() as tx:
        for _ in range(2):
            with pytest.raises(sa.exc.ProgrammingError):
                fetch(tx, [COUNT, wrong, COUNT])
            tx.rollback()
            assert fetch(tx, [COUNT, COUNT]) == [[(0,)], [(0,)]]


def test_what_a_trip_has_prepared_outlives_a_rollback_after_much_of_sqlalchemys(
    engine: sa.Engine,
) -> None:
    put, often = Put(THING, postgres=True), sa.select(THING.c.value).where(THING.c.name == "a")
    with engine.connect() as tx:
        fetch(tx, [COUNT])
        for _ in range(7):  # psycopg prepares what it has run five times
            tx.execute(often)
        tx.rollback()
        assert fetch(tx, [COUNT]) == [[(0,)]]
        finish(tx, put.of([("a", "1")]))
        tx.execute(often)
        tx.rollback()
        assert fetch(tx, [COUNT]) == [[(1,)]]


def test_a_connection_that_has_forgotten_what_was_prepared_is_replaced(engine: sa.Engine) -> None:
    def forgetful() -> None:
        with engine.connect() as tx:
            fetch(tx, [COUNT])
            tx.rollback()
            tx.exec_driver_sql("DEALLOCATE ALL")
            tx.commit()
            fetch(tx, [COUNT])

    with pytest.raises(sa.exc.DBAPIError):
        forgetful()
    with engine.connect() as tx:
        assert fetch(tx, [COUNT]) == [[(0,)]]


def test_a_value_that_cannot_be_stored_is_the_datas_fault(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.DataError), engine.connect() as tx:
        finish(tx, Put(THING, postgres=True).of([("a", "a\0b")]))
    with pytest.raises(sa.exc.DataError), engine.connect() as tx:
        fetch(tx, [Statement("SELECT count(*) FROM thing WHERE name = $1", ("a\0b",))])


def test_a_readers_trip_opens_no_transaction(engine: sa.Engine, url: str) -> None:
    reader = database.reading(url)
    with reader.connect() as tx:
        assert fetch(tx, [COUNT]) == [[(0,)]]
        with engine.begin() as other:
            send(other, Put(THING, postgres=True).of([("a", "1")]))
        assert fetch(tx, [COUNT]) == [[(1,)]]
        assert tx.connection.driver_connection.info.transaction_status.name == "IDLE"  # type: ignore[union-attr]
    reader.dispose()


def test_a_connection_that_is_cut_in_a_trip_is_told_as_one_and_replaced(engine: sa.Engine) -> None:
    put = Put(THING, postgres=True)

    def cut_off() -> None:
        with engine.connect() as tx:
            (pid,) = tx.exec_driver_sql("SELECT pg_backend_pid()").one()
            with engine.connect() as other:
                other.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
            send(tx, [*put.of([("a", "1")]), *put.of([("b", "2")])])
            tx.commit()

    with pytest.raises(sa.exc.DBAPIError):
        cut_off()
    assert count(engine) == 0


def test_a_trip_whose_server_ends_while_it_waits_ends_too(engine: sa.Engine) -> None:
    lock = Statement("SELECT pg_advisory_xact_lock(7)", ())
    waiting = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    raised = list[Exception]()

    def wait() -> None:
        try:
            with engine.connect() as tx:
                fetch(tx, [COUNT, lock, COUNT])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
            raised.append(error)

    with engine.connect() as tx:
        fetch(tx, [lock])
        waiter = threading.Thread(target=wait, daemon=True)
        waiter.start()
        while not (found := tx.exec_driver_sql(waiting).scalars().all()):
            waiter.join(0.05)
        tx.exec_driver_sql(f"SELECT pg_terminate_backend({found[0]})")
        waiter.join(10)
    assert not waiter.is_alive()
    assert [type(error) for error in raised] == [sa.exc.OperationalError]
    assert count(engine) == 0


def test_a_process_hears_of_others_writes_and_not_of_its_own(url: str) -> None:
    service = registry("platforms")
    assert service is not None
    engine, heard = database.writing(url), threading.Event()
    own, other = Store(service, engine), Store(service, engine)

    def notify(store: Store) -> None:
        with engine.begin() as tx:
            store.notify(tx)

    with Notices(database.reading(url), "platforms", own.sign, heard.set):
        while not heard.wait(0.1):  # it may not listen yet
            notify(other)
        heard.clear()
        notify(own)
        assert not heard.wait(0.5)
        for _ in range(3):  # what comes in the lull after another notice is not lost
            notify(own)
            notify(other)
            assert heard.wait(5)
            heard.clear()
    engine.dispose()


def test_a_statement_that_only_writes_finds_nothing_in_its_trip(engine: sa.Engine) -> None:
    with engine.begin() as tx:
        put = Put(THING, postgres=True).of([("a", "1")])
        ((before,),), written, ((after,),) = fetch(tx, [COUNT, *put, COUNT])
    assert (before, written, after, count(engine)) == (0, (), 1, 1)

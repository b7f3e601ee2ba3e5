"""The two databases, and the few things in which they differ."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.util.concurrency import await_, greenlet_spawn, in_greenlet

from kernel.errors import Silent

SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=5000",
    "foreign_keys=ON",
    "case_sensitive_like=ON",
    "cache_size=-16384",
    "wal_autocheckpoint=4000",
)
AWAY = ("SQLITE_BUSY", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_FULL")
READER = 20_736_005
"""Number of PostgreSQL's advisory lock by which those who write a reader's database take turns."""
POSTGRES_OPTIONS = "-c idle_in_transaction_session_timeout=10s -c lock_timeout=5s"
POSTGRES_LINK = {
    "connect_timeout": 5,  # seconds
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds that what was sent may stay without an acknowledgement
}
"""libpq's settings for a link that is cut without a word: a connection that waits on it ends in about half a minute."""

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""A whole number; on SQLite it may then be the row's own number."""

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that both databases compare byte by byte."""

PIPE = "pipe"
"""Under this name a connection's record keeps its pipeline."""

ASIDE = ThreadPoolExecutor(16, "connects")
"""Threads that nothing else keeps: all of the loop's own may wait for a change, and that one for its connection."""

in_loop = greenlet_spawn
"""Run a function with its arguments in the event loop, which goes on while it waits for PostgreSQL (`kernel.waits`)."""

T = TypeVar("T")
Rows = Sequence[tuple[Any, ...]]


class Statement(NamedTuple):
    """SQL in the database's own words, and its parameters in their order; on SQLite a list of such rows is many."""

    text: str
    parameters: Any


BEGIN, COMMIT = Statement("BEGIN", ()), Statement("COMMIT", ())


class Words(NamedTuple):
    """A statement of SQLAlchemy in the database's own words. `order`: of its parameters."""

    text: str
    order: Sequence[str]

    def of(self, values: Mapping[str, Any] = {}) -> Statement:
        return Statement(self.text, tuple(values[name] for name in self.order))


def writing(url: str) -> sa.Engine:
    """Return an engine whose transactions hold SQLite's write lock from their first statement.

    On PostgreSQL only trips prepare statements: at a rollback psycopg drops all of a connection's where it has prepared one.
    """
    if is_sqlite(url):
        return _sqlite(url, "BEGIN IMMEDIATE")
    said = {**POSTGRES_LINK, "options": POSTGRES_OPTIONS, "prepare_threshold": None}
    return _postgres(url, connect_args=said)


def reading(url: str) -> sa.Engine:
    """Return an engine for reads; on SQLite a transaction of it sees one state throughout."""
    if is_sqlite(url):
        return _sqlite(url, "BEGIN")
    return _postgres(url, connect_args=POSTGRES_LINK, isolation_level="AUTOCOMMIT")


def is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def is_postgres(engine: sa.Engine) -> bool:
    return engine.dialect.name == "postgresql"


def is_away(error: sa.exc.DBAPIError) -> bool:
    """Tell whether the database does not answer. SQLite has the same class of error for SQL that it cannot run."""
    return _cannot(error.orig)


def _cannot(error: BaseException | None) -> bool:
    name = getattr(error, "sqlite_errorname", None)
    return name is None or name.startswith(AWAY)


def take_turn(tx: sa.Connection) -> None:
    """Make this transaction of a reader's database the only one that writes; a cursor's row cannot be locked before it is there.

    On SQLite it is already.
    """
    fetch_in_turn(tx, [])


def fetch_in_turn(tx: sa.Connection, statements: Sequence[Statement]) -> list[Sequence[Any]]:
    """The same, and return what statements find behind it: all in one trip."""
    if not is_postgres(tx.engine):
        return fetch(tx, statements)
    return fetch(tx, [_TURN, *statements])[1:]


_TURN = Statement(f"SELECT pg_advisory_xact_lock({READER})", ())


@contextmanager
def looking(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection to read with. Raises Silent: the database does not answer, or not in time."""
    try:
        with engine.connect() as connection:
            yield connection
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
        if not is_away(error):
            raise
        raise silent() from error
    except sa.exc.TimeoutError as error:  # all connections are in use
        raise silent() from error


def words(statement: sa.ClauseElement, *, postgres: bool) -> Words:
    """Say a statement for those who pass SQLAlchemy by."""
    if postgres:
        from sqlalchemy.dialects.postgresql.psycopg import dialect as postgres_dialect

        dialect: sa.Dialect = postgres_dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
    else:
        dialect = sqlite_dialect()
    said: Any = statement.compile(dialect=dialect)
    return Words(str(said), tuple(said.positiontup or ()))


class Glances:
    """Reads single rows of an SQLite file over one connection, past SQLAlchemy's transactions. Used by one thread."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._connection: Any = None
        self._ask: Any = None

    def row(self, text: str, value: str) -> tuple[Any, ...] | None:
        """Return the row that a statement with one parameter finds. Raises Silent: the file cannot be read."""
        try:
            if self._connection is None:
                self._connection = self._engine.raw_connection()
                self._ask = self._connection.driver_connection.execute
            found: list[tuple[Any, ...]] = self._ask(text, (value,)).fetchall()
            return found[0] if found else None
        except sqlite3.Error as error:
            self.leave()
            if not _cannot(error):
                raise
            raise silent() from error

    def leave(self) -> None:
        """Give the connection back; the next row opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        self.leave()
        self._engine.dispose()


class Kept:
    """One connection of an engine, kept from one transaction to the next: to take one from the pool costs as much as a statement
    or two. Used by one thread at a time.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._connection: sa.Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Yield the connection. Where its transaction was not ended it goes back to the pool, which rolls back or closes it.

        The next transaction then takes another.
        """
        connection, self._connection = self._connection or _aside(self.engine.connect), None
        ended = False
        try:
            yield connection
            ended = not connection.in_transaction()
        finally:
            if ended:
                self._connection = connection
            else:
                if _under_way(connection) or _is_cut(connection):
                    connection.invalidate()
                connection.close()

    def leave(self) -> None:
        """Give the connection back; the next transaction takes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _aside(work: Callable[[], T]) -> T:
    """Do what only a thread can wait for: in the event loop (`kernel.waits`) in one of `ASIDE`."""
    if in_greenlet():
        return await_(asyncio.get_running_loop().run_in_executor(ASIDE, work))
    return work()


def pause(seconds: float) -> None:
    """Wait where this runs: in a thread, or in the event loop (`kernel.waits`)."""
    if in_greenlet():
        await_(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)


def silent() -> Silent:
    """Return what is told where the database does not answer."""
    return Silent(
        "the database does not answer; try again, a change with the same request_id",
        "数据库未响应；请重试，更改须使用同一 request_id",
    )


def _postgres(url: str, **more: Any) -> sa.Engine:
    from kernel import arrays, waits  # psycopg is not loaded where SQLite is all there is

    url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = sa.create_engine(url, hide_parameters=True, **more)
    connect = waits.Connection.connect
    sa.event.listen(engine, "do_connect", lambda _, __, args, said: connect(*args, **said))
    sa.event.listen(engine, "connect", lambda connection, _: arrays.register(connection.adapters))
    return engine


def _sqlite(url: str, begin: str) -> sa.Engine:
    engine = sa.create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver's own BEGIN is the deferred one
        for pragma in SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    beginning = Statement(begin, ())

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        list(_one_by_one(connection, [beginning]))

    @sa.event.listens_for(engine, "checkin")
    def _checkin(connection: Any, _: Any) -> None:
        """A COMMIT that failed may leave its transaction open; SQLAlchemy takes it for ended."""
        if connection is not None and connection.in_transaction:
            connection.rollback()

    return engine


def one_of(column: sa.ColumnElement[Any], *, postgres: bool) -> sa.ColumnElement[bool]:
    """Return `column IN (…)` whose SQL is the same text for any number of values: see `many`."""
    if postgres:
        from kernel.arrays import Array

        return column == sa.func.any(sa.bindparam("many", type_=Array(column.type)))
    values = sa.func.json_each(sa.bindparam("many", type_=sa.Text)).table_valued("value")
    return column.in_(sa.select(values.c.value))


def many(values: Iterable[str] | Iterable[int], *, postgres: bool) -> dict[str, Any]:
    """Return the parameter of `one_of`."""
    return {"many": list(values) if postgres else json.dumps(list(values))}


def one_of_these(said: Words, values: Iterable[str], *, postgres: bool) -> Statement:
    """Return a statement whose only parameter is that of `one_of`."""
    if not postgres:
        return said.of(many(values, postgres=False))
    from kernel.arrays import TEXT_ARRAY

    return said.of({"many": TEXT_ARRAY(list(values))})


def send(tx: sa.Connection, statements: Sequence[Statement]) -> None:
    """Run statements that answer nothing, each after the one before; PostgreSQL gets them in one trip."""
    fetch(tx, statements)


def finish(tx: sa.Connection, statements: Sequence[Statement]) -> None:
    """The same, and commit: PostgreSQL in the same trip."""
    if statements and is_postgres(tx.engine):
        if not tx.in_transaction():
            _in_one_trip(tx, statements, whole=True)
            return
        statements = [*statements, COMMIT]
    send(tx, statements)
    tx.commit()


def fetch(tx: sa.Connection, statements: Sequence[Statement]) -> list[Sequence[Any]]:
    """Return the rows that statements find, each run after the one before; PostgreSQL gets them in one trip.

    One that only writes finds none. Past SQLAlchemy, which takes several times as long as SQLite itself.
    """
    if not statements:
        return []
    if not tx.in_transaction():  # else its commit would not be one
        tx.begin()
    return [*(_in_one_trip if is_postgres(tx.engine) else _one_by_one)(tx, statements)]


def _under_way(tx: sa.Connection) -> bool:
    """Tell whether answers to what has set out are owed: nothing but a trip can be made on such a link."""
    pipe = _its_pipe(tx)
    return pipe is not None and pipe.under_way


def _is_cut(tx: sa.Connection) -> bool:
    """Tell whether a trip has closed its link, which the pool does not hear of."""
    pipe = _its_pipe(tx)
    return pipe is not None and pipe.driver.closed


def _its_pipe(tx: sa.Connection) -> Any:
    """Return the pipe that trips have made for a connection, if one has and the connection is there."""
    return None if tx.invalidated else tx.info.get(PIPE)


def set_out(tx: sa.Connection, statements: Sequence[Statement]) -> None:
    """Run statements that answer nothing, in a transaction of `Kept` that has begun, and go on while PostgreSQL does so. The next
    trip waits for them, and hears of their errors; SQLAlchemy can be used again behind it, or behind `arrive`.
    """
    if is_postgres(tx.engine):
        _in_one_trip(tx, statements, waits=False)
    else:
        send(tx, statements)


def arrive(tx: sa.Connection) -> None:
    """Wait for what has set out."""
    if _under_way(tx):
        _in_one_trip(tx, [])


def _one_by_one(tx: sa.Connection, statements: Sequence[Statement]) -> Iterator[Rows]:
    """Whoever listens to the engine's statements hears of these too. Errors are SQLAlchemy's."""
    driver: Any = tx.connection.driver_connection
    for text, given in statements:
        several = isinstance(given, list)
        tx.dispatch.before_cursor_execute(tx, None, text, given, None, several)
        try:
            run = driver.executemany if several else driver.execute
            yield run(text, given).fetchall()
        except sqlite3.Error as error:
            raise _as_told(error, sqlite3.Error, tx) from error


def _in_one_trip(
    tx: sa.Connection, statements: Sequence[Statement], *, waits: bool = True, whole: bool = False
) -> list[Rows]:
    """Return the rows that statements find; none yet where nobody `waits`. `whole`: they are a transaction of their own, which
    SQLAlchemy need not hear of. Errors are SQLAlchemy's.
    """
    import psycopg

    from kernel import trip

    try:
        if waits:
            return trip.take(_pipe(tx), statements, whole=whole)
        trip.set_out(_pipe(tx), statements)
    except psycopg.Error as error:
        raise _as_told(error, psycopg.Error, tx) from error
    return []


def _pipe(tx: sa.Connection) -> Any:
    pipe = tx.info.get(PIPE)
    if pipe is None:
        from kernel import trip

        driver: Any = tx.connection.driver_connection
        pipe = tx.info[PIPE] = trip.Pipe(driver)
    return pipe


def _as_told(error: Exception, any_of_them: type[Exception], tx: sa.Connection) -> BaseException:
    """Return a driver's error as SQLAlchemy tells it."""
    return sa.exc.DBAPIError.instance(
        None, None, error, any_of_them, hide_parameters=True, dialect=tx.dialect
    )


class Put:
    """Inserts rows of one table, many with one statement; `replace`: by primary key instead of failing."""

    def __init__(self, table: sa.Table, *, postgres: bool, replace: bool = False) -> None:
        self._table, self._postgres = table, postgres

        def said(insert: Any) -> Words:
            if replace:
                insert = insert.on_conflict_do_update(
                    index_elements=list(table.primary_key.columns), set_=dict(insert.excluded)
                )
            return words(insert, postgres=postgres)

        self._row = said((pg_insert if postgres else sqlite_insert)(table))
        if postgres:
            self._rows = said(self._from_arrays())

    def _from_arrays(self) -> Any:
        from kernel.arrays import Array, packer

        names = self._table.c.keys()
        self._packers = [(f"many_{c.name}", packer(c.type)) for c in self._table.c]
        binds = [sa.bindparam(f"many_{c.name}", type_=Array(c.type)) for c in self._table.c]
        return pg_insert(self._table).from_select(names, sa.select(*map(sa.func.unnest, binds)))

    def __call__(self, tx: sa.Connection, rows: Rows) -> None:
        """Write rows, each a tuple in the order of the table's columns."""
        send(tx, self.of(rows))

    def of(self, rows: Rows) -> list[Statement]:
        """Return what writes rows: one statement, none where there are no rows."""
        if not rows:
            return []
        if not self._postgres:
            return [Statement(self._row.text, list(rows))]  # no dictionary a row
        if len(rows) == 1:  # an array of each column takes longer to make than all else
            return [Statement(self._row.text, rows[0])]
        columns = zip(self._packers, zip(*rows, strict=True), strict=True)
        return [self._rows.of({name: pack(c) for (name, pack), c in columns})]

"""The event loop's own questions to PostgreSQL: each name has its own answer, whatever becomes of link, server or caller."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
import uvloop

from app.cluster.postgres import Postgres
from kernel import database
from kernel.arrays import TEXT_ARRAY
from kernel.database import Put, Rows, Statement, send
from kernel.errors import Overloaded, Silent, Stopping
from kernel.front import AT_ONCE
from kernel.reader import MOST, Link, Reader
from kernel.room import Circumstances, Room
from kernel.store import Found
from tests.live import engines
from tests.unit.kernel_world import NO_PACK, OWNER, SECRET, TOY, Clock, creation, schema_at

THING = sa.Table(
    "thing",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text),
)
FIND = "SELECT name, value FROM thing WHERE name = ANY($1)"
LOCKED = "SELECT name, value FROM thing, pg_advisory_xact_lock_shared(7) WHERE name = ANY($1)"
SECONDS = 60.0  # until a test gives up; the machine may be busy
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


class Asked:
    """Asks with `sql`, and keeps what was asked for together."""

    def __init__(self) -> None:
        self.sql, self.groups = FIND, list[list[str]]()

    def __call__(self, names: Iterable[str]) -> list[Statement]:
        self.groups.append(list(names))
        return [Statement(self.sql, (TEXT_ARRAY(self.groups[-1]),))]


def found(rows: Sequence[Rows]) -> Mapping[str, str]:
    return {name: value for each in rows for name, value in each}


def value_of(name: str) -> str:
    return f"of {name}"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with engines.a_postgres() as started:
        started.create("things")
        engine = database.writing(started.url("things"))
        THING.metadata.create_all(engine)
        with engine.begin() as tx:
            rows = [(str(n), value_of(str(n))) for n in range(3 * MOST)]
            send(tx, Put(THING, postgres=True).of([*rows, ("long", "长" * 1_000_000)]))
        engine.dispose()
        yield started


@asynccontextmanager
async def reading(server: Postgres) -> AsyncIterator[tuple[Reader[str], Asked]]:
    asked = Asked()
    reader = Reader(database.reading(server.url("things")), asked, found, name="t")
    yield reader, asked
    await asyncio.to_thread(reader.close)


async def linked(reader: Reader[str]) -> Link:
    """Return the link over which it has answered."""
    assert await reader.ask("1") == value_of("1")
    assert reader._link is not None
    return reader._link


def execute(server: Postgres, sql: str) -> list[Any]:
    with psycopg.connect(server.url("things"), autocommit=True) as connection:
        return connection.execute(sql).fetchall()


def cut_off(server: Postgres, query: str = FIND) -> None:
    """End the backends whose last question was this."""
    execute(
        server,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        f"WHERE pid <> pg_backend_pid() AND query = '{query}'",
    )


@asynccontextmanager
async def held_up(server: Postgres) -> AsyncIterator[None]:
    """Hold up whoever asks with LOCKED."""
    with psycopg.connect(server.url("things")) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(7)")
        yield


async def until(true: Callable[[], object]) -> None:
    while not true():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0.02)


async def under_way(server: Postgres) -> None:
    """Wait until a question is held up."""
    waiting = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    await until(lambda: execute(server, waiting))


def test_each_of_many_names_gets_its_own_answer_and_what_is_not_there_none(
    server: Postgres, play: Any
) -> None:
    async def story() -> None:
        async with reading(server) as (reader, asked):
            names = [str(n) for n in range(3 * MOST)] + ["nobody", "7", "7"]
            answers = await asyncio.gather(*map(reader.ask, names))
            assert answers == [*map(value_of, names[:-3]), None, value_of("7"), value_of("7")]
            sizes = [1, MOST, MOST, MOST, 1] if AT_ONCE else [MOST, MOST, MOST, 2]
            assert [len(group) for group in asked.groups] == sizes

    play(story())


def test_what_queued_meanwhile_is_asked_for_together_and_answered_in_its_order(
    server: Postgres, play: Any
) -> None:
    async def story() -> None:
        async with reading(server) as (reader, asked):
            asked.sql, order = LOCKED, list[str]()

            async def ask(name: str) -> None:
                assert await reader.ask(name) == value_of(name)
                order.append(name)

            async with held_up(server):
                callers = [asyncio.ensure_future(ask("1"))]
                await under_way(server)
                callers += [asyncio.ensure_future(ask(str(n))) for n in range(9, 1, -1)]
                await asyncio.sleep(0)
            await asyncio.gather(*callers)
            assert asked.groups == [["1"], list("98765432")]
            assert order == list("198765432")

    play(story())


def test_a_loop_that_is_always_busy_does_not_put_a_question_off(
    server: Postgres, play: Any
) -> None:
    async def busy() -> None:
        while True:
            time.sleep(0.001)  # noqa: ASYNC251 - the loop has something to do
            await asyncio.sleep(0)

    async def story() -> None:
        async with reading(server) as (reader, _):
            always = asyncio.ensure_future(busy())
            assert await reader.ask("5") == value_of("5")
            always.cancel()

    play(story())


def test_a_question_and_its_answer_may_be_more_than_the_link_takes_at_once(
    server: Postgres, play: Any
) -> None:
    async def story() -> None:
        async with reading(server) as (reader, _):
            names = ["long", *("名" * 30_000 + str(n) for n in range(MOST - 1))]
            value, *rest = await asyncio.gather(*map(reader.ask, names))
            assert (value, rest) == ("长" * 1_000_000, [None] * (MOST - 1))

    play(story())


def test_a_name_with_nul_spoils_its_own_question_only(server: Postgres, play: Any) -> None:
    async def story() -> None:
        async with reading(server) as (reader, _):
            with pytest.raises(psycopg.DataError):
                await reader.ask("1\0")
            assert await reader.ask("1") == value_of("1")

    play(story())


def test_a_question_that_the_server_does_not_take_spoils_no_other(
    server: Postgres, play: Any
) -> None:
    async def story() -> None:
        async with reading(server) as (reader, asked):
            asked.sql = "SELECT nothing FROM thing WHERE name = ANY($1)"
            both = await asyncio.gather(*map(reader.ask, "12"), return_exceptions=True)
            assert [type(one) for one in both] == [psycopg.errors.UndefinedColumn] * 2
            asked.sql = FIND
            assert await reader.ask("1") == value_of("1")

    play(story())


def test_a_caller_who_has_gone_harms_nobody(server: Postgres, play: Any) -> None:
    async def story() -> None:
        async with reading(server) as (reader, asked):
            asked.sql = LOCKED
            async with held_up(server):
                callers = [asyncio.ensure_future(reader.ask(str(n))) for n in range(4)]
                await under_way(server)
                callers += [asyncio.ensure_future(reader.ask(str(n))) for n in range(4, 8)]
                await asyncio.sleep(0)
                for gone in (0, 2, 5):
                    callers[gone].cancel()
            answers = await asyncio.gather(*callers, return_exceptions=True)
            stayed = [answer for answer in answers if isinstance(answer, str)]
            assert stayed == [value_of(name) for name in "13467"]

    play(story())


def test_a_link_that_is_cut_in_a_question_is_told_to_its_callers_and_replaced_for_the_next(
    server: Postgres, play: Any
) -> None:
    async def story() -> None:
        async with reading(server) as (reader, asked):
            await asyncio.gather(
                *map(reader.ask, "567")
            )  # after several more are asked for together
            asked.sql = LOCKED
            async with held_up(server):
                lost = [asyncio.ensure_future(reader.ask(name)) for name in "12"]
                await under_way(server)
                next_ = [asyncio.ensure_future(reader.ask(name)) for name in "34"]
                await asyncio.sleep(0)
                asked.sql = FIND
                await asyncio.to_thread(cut_off, server, LOCKED)
                told = await asyncio.gather(*lost, return_exceptions=True)
            assert [type(one) for one in told] == [Silent, Silent]
            assert await asyncio.gather(*next_) == [value_of("3"), value_of("4")]

    play(story())


def test_a_link_of_whose_end_the_loop_has_not_heard_yet_is_replaced_for_the_next_question(
    server: Postgres, play: Any
) -> None:
    async def story() -> None:
        async with reading(server) as (reader, asked):
            link = await linked(reader)
            cut_off(server)  # and the loop stands still
            with pytest.raises(psycopg.OperationalError):
                await link.ask(asked("1"))
            assert await reader.ask("1") == value_of("1")

    play(story())


def test_a_link_that_is_cut_while_nobody_asks_is_noticed_by_nobody(
    server: Postgres, play: Any
) -> None:
    async def story() -> None:
        async with reading(server) as (reader, _):
            link = await linked(reader)
            socket = link._socket
            await asyncio.to_thread(cut_off, server)
            await until(lambda: link.cut)
            assert not asyncio.get_running_loop().remove_reader(socket)  # else it would spin
            assert await reader.ask("1") == value_of("1")

    play(story())


def test_a_server_that_is_away_is_told_as_silent_and_read_again_once_it_is_back(
    server: Postgres, play: Any
) -> None:
    async def story() -> None:
        async with reading(server) as (reader, _):
            assert await reader.ask("1") == value_of("1")
            await asyncio.to_thread(server.stop)
            for _ in range(2):
                told = await asyncio.gather(*map(reader.ask, "12"), return_exceptions=True)
                assert [type(one) for one in told] == [Silent, Silent]
            await asyncio.to_thread(server.start)
            assert await reader.ask("1") == value_of("1")

    play(story())


def test_a_link_that_has_forgotten_what_was_prepared_is_replaced(
    server: Postgres, play: Any
) -> None:
    async def story() -> None:
        async with reading(server) as (reader, _):
            link = await linked(reader)
            await link.ask([Statement("DEALLOCATE ALL", ())])
            with pytest.raises(Silent):
                await reader.ask("1")
            assert await reader.ask("1") == value_of("1")

    play(story())


def test_more_than_can_be_answered_in_time_is_refused_at_once(server: Postgres, play: Any) -> None:
    async def story() -> None:
        async with reading(server) as (reader, asked):
            reader._gatherer._pace.took(100.0, 1)  # then a group's worth may wait
            asked.sql = LOCKED
            async with held_up(server):
                callers = [asyncio.ensure_future(reader.ask("0"))]
                await under_way(server)
                callers += [asyncio.ensure_future(reader.ask(str(n))) for n in range(1, MOST + 1)]
                await asyncio.sleep(0)
                with pytest.raises(Overloaded):
                    await reader.ask("1")
            assert await asyncio.gather(*callers) == [value_of(str(n)) for n in range(MOST + 1)]

    play(story())


def test_closing_answers_what_is_queued_and_refuses_what_comes_later(
    server: Postgres, play: Any
) -> None:
    async def story() -> None:
        async with reading(server) as (reader, asked):
            asked.sql = LOCKED
            async with held_up(server):
                callers = [asyncio.ensure_future(reader.ask("0"))]
                await under_way(server)
                callers += [asyncio.ensure_future(reader.ask(str(n))) for n in range(1, 9)]
                closing = asyncio.ensure_future(asyncio.to_thread(reader.close))
                await until(lambda: reader._gatherer._closed)
                with pytest.raises(Stopping):
                    await reader.ask("1")
            await closing
            assert [caller.result() for caller in callers] == [value_of(str(n)) for n in range(9)]

    play(story())
    assert not execute(server, f"SELECT pid FROM pg_stat_activity WHERE query = '{LOCKED}'")


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
def test_a_reader_whose_loop_has_ended_closes_too(server: Postgres, loop: Any) -> None:
    async def story() -> Reader[str]:
        asked = Asked()
        reader = Reader(database.reading(server.url("things")), asked, found, name="t")
        assert await reader.ask("1") == value_of("1")
        return reader

    with asyncio.Runner(loop_factory=loop) as runner:
        reader = runner.run(story())
    reader.close()
    still = f"SELECT pid FROM pg_stat_activity WHERE query = '{FIND}'"
    asyncio.run(asyncio.wait_for(until(lambda: not execute(server, still)), SECONDS))


def test_a_room_finds_records_and_asks_for_no_name_that_none_can_have(
    server: Postgres, play: Any
) -> None:
    url = schema_at(engines.new_database(server, "room"))

    async def nobody(_: str) -> None:
        return None

    async def story() -> None:
        room = Room(TOY, Circumstances(url, SECRET, NO_PACK, Clock(), nobody))
        settled = await room.settle(creation())
        names = (settled.name, f"{settled.name}\0", "elsewhere/a", "", "platforms/none")
        first, *others = await asyncio.gather(*map(room.find, names))
        assert first == Found(settled.record, first.readers, 0)
        assert f" {OWNER.department} " in first.readers
        assert others == [None] * 4
        await asyncio.to_thread(room.close)

    play(story())

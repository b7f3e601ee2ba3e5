"""Code that asks PostgreSQL in the event loop: the loop goes on meanwhile, whatever is waited for and however it ends."""

import asyncio
import gc
import os
import signal
import socket
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from app.cluster.postgres import Postgres
from kernel import database, waits
from kernel.arrays import BytesArray, packer
from kernel.database import Kept, Statement, fetch, finish, in_loop, pause
from kernel.errors import Unsettled
from kernel.outcome import Settled
from kernel.room import LIGHT, Circumstances, Room
from kernel.waits import Watch
from kernel.writer import Work
from tests.live import engines
from tests.unit.kernel_world import NO_PACK, SECRET, TOY, Clock, creation, schema_at

BYTES = packer(sa.LargeBinary())


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with engines.a_postgres() as started:
        started.create("things")
        yield started


@pytest.fixture
def kept(server: Postgres) -> Iterator[Kept]:
    engine = database.writing(server.url("things"))
    yield Kept(engine)
    engine.dispose()


@asynccontextmanager
async def goes_on(at_least: int) -> AsyncIterator[None]:
    """Count the loop's turns, 10 ms each: there are so many in the block."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    counting = asyncio.ensure_future(turn())
    yield
    counting.cancel()
    assert turns >= at_least


def asked(kept: Kept, text: str, *given: Any) -> list[Any]:
    """Ask in one trip, and commit."""
    with kept.transaction() as tx:
        rows = fetch(tx, [Statement(text, given)])
        tx.commit()
    return [*rows[0]]


def said(kept: Kept, text: str) -> list[Any]:
    """The same by SQLAlchemy."""
    with kept.transaction() as tx:
        rows = list(tx.execute(sa.text(text)))
        tx.commit()
    return rows


def pid_of(kept: Kept) -> int:
    ((pid,),) = asked(kept, "SELECT pg_backend_pid()")
    return int(pid)


def end(server: Postgres, pid: int) -> None:
    engine = database.writing(server.url("things"))
    with engine.begin() as tx:
        tx.execute(sa.text(f"SELECT pg_terminate_backend({pid}, 10000)"))
    engine.dispose()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("ask", [asked, said])
def test_the_loop_goes_on_while_an_answer_is_waited_for(
    kept: Kept, play: Any, ask: Callable[..., Any]
) -> None:
    async def story() -> None:
        async with goes_on(10):
            for _ in range(2):
                assert len(await in_loop(ask, kept, "SELECT 7 FROM pg_sleep(0.2)")) == 1

    play(story())


def test_the_loop_goes_on_while_a_connection_is_made_and_in_a_pause(play: Any) -> None:
    """Somebody listens, and never says a word."""

    async def story(url: str) -> None:
        engine = database.writing(url + "?connect_timeout=2")
        async with goes_on(50):
            with pytest.raises(sa.exc.OperationalError):
                await in_loop(asked, Kept(engine), "SELECT 1")
            await in_loop(pause, 0.2)

    with socket.create_server(("127.0.0.1", 0)) as nobody:
        play(story(f"postgresql://x@127.0.0.1:{nobody.getsockname()[1]}/x"))


def test_who_connects_needs_none_of_the_threads_that_wait_for_changes(
    server: Postgres, play: Any
) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        async with a_room(server, "alone") as (room, _):
            waiting = [
                asyncio.to_thread(
                    asyncio.run_coroutine_threadsafe(room.settle(creation()), loop).result, 20
                )
                for _ in range(40)
            ]
            assert {type(one) for one in await asyncio.gather(*waiting)} == {Settled}

    play(story())


def test_who_connects_first_elsewhere_holds_up_no_loop(server: Postgres, play: Any) -> None:
    """Of an engine's first connection SQLAlchemy asks this and that, and lets all others wait for it."""
    engine = database.writing(server.url("things"))
    sa.event.listen(engine, "first_connect", lambda *_: time.sleep(0.3))

    async def story() -> None:
        elsewhere = asyncio.ensure_future(asyncio.to_thread(pid_of, Kept(engine)))
        async with goes_on(10):
            await asyncio.sleep(0.02)
            await in_loop(pid_of, Kept(engine))
        await elsewhere

    play(story())
    engine.dispose()


def test_more_than_the_server_takes_in_is_sent_while_the_loop_goes_on(
    kept: Kept, play: Any
) -> None:
    much: list[BytesArray] = [BYTES([b"x" * 1_000_000] * 30)]  # type: ignore[list-item]
    many = "SELECT count(*) FROM unnest($1::bytea[]), pg_sleep(1)"

    async def story() -> None:
        pid = await in_loop(pid_of, kept)
        os.kill(pid, signal.SIGSTOP)
        try:
            sending = asyncio.ensure_future(in_loop(asked, kept, many, *much))
            async with goes_on(10):
                await asyncio.sleep(0.3)
        finally:
            os.kill(pid, signal.SIGCONT)
        began = time.process_time()
        assert await sending == [(30,)]
        assert time.process_time() - began < 0.5  # what can be written no more is not waited for
        assert await in_loop(pid_of, kept) == pid

    play(story())


@pytest.mark.parametrize("ask", [asked, said])
def test_who_waits_when_the_link_is_cut_hears_of_it_and_the_next_has_another(
    server: Postgres, kept: Kept, play: Any, ask: Callable[..., Any]
) -> None:
    async def story() -> None:
        await in_loop(pid_of, kept)
        before = descriptors()
        for _ in range(3):
            pid = await in_loop(pid_of, kept)
            waiting = asyncio.ensure_future(in_loop(ask, kept, "SELECT pg_sleep(60)"))
            await asyncio.sleep(0.05)
            await asyncio.to_thread(end, server, pid)
            with pytest.raises(sa.exc.OperationalError):
                await waiting
            assert await in_loop(pid_of, kept) != pid
        assert descriptors() <= before

    play(story())


@pytest.mark.parametrize("gap", [0.0, 0.2])
@pytest.mark.parametrize("by_trip", [True, False])
def test_a_link_that_is_cut_within_a_transaction_is_told_at_the_next_question(
    server: Postgres, kept: Kept, play: Any, *, by_trip: bool, gap: float
) -> None:
    def ask() -> None:
        with kept.transaction() as tx:
            (((pid,),),) = fetch(tx, [Statement("SELECT pg_backend_pid()", ())])
            end(server, int(pid))
            pause(gap)
            if by_trip:
                fetch(tx, [Statement("SELECT 1", ())])
            else:
                tx.execute(sa.text("SELECT 1"))

    async def story() -> None:
        for _ in range(2):
            with pytest.raises(sa.exc.OperationalError):
                await in_loop(ask)
        assert await in_loop(pid_of, kept) > 0

    play(story())


def test_a_link_that_was_let_go_leaves_nothing_behind(kept: Kept, play: Any) -> None:
    watched = list[weakref.ref[Watch]]()

    class Seen(Watch):
        def __init__(self, socket: int) -> None:
            super().__init__(socket)
            watched.append(weakref.ref(self))

    def let_go() -> None:
        with kept.transaction() as tx:
            fetch(tx, [Statement("SELECT 1", ())])
            tx.invalidate()

    async def story() -> None:
        await in_loop(let_go)
        await asyncio.sleep(0.01)
        gc.collect()
        assert [one() for one in watched] == [None]

    with patch.object(waits, "Watch", Seen):
        play(story())


@pytest.mark.parametrize("ask", [asked, said])
def test_who_is_told_to_end_lets_go_of_the_link(
    kept: Kept, play: Any, ask: Callable[..., Any]
) -> None:
    async def story() -> None:
        pid = await in_loop(pid_of, kept)
        before = descriptors()
        waiting = asyncio.ensure_future(in_loop(ask, kept, "SELECT pg_sleep(60)"))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await in_loop(pid_of, kept) != pid
        assert descriptors() <= before

    play(story())


def test_a_link_is_used_in_the_loop_and_in_threads_in_turn(kept: Kept, play: Any) -> None:
    async def story() -> None:
        pids = set[int]()
        for _ in range(20):
            pids.add(await in_loop(pid_of, kept))
            pids.add(await asyncio.to_thread(pid_of, kept))
            await asyncio.sleep(0)
        assert len(pids) == 1

    play(story())


@pytest.mark.parametrize("ask", [asked, said])
def test_a_link_that_is_cut_while_nobody_asks_keeps_no_loop_busy(
    server: Postgres, kept: Kept, play: Any, ask: Callable[..., Any]
) -> None:
    async def story() -> None:
        await asyncio.to_thread(end, server, await in_loop(pid_of, kept))
        began = time.process_time()
        await asyncio.sleep(1)
        assert time.process_time() - began < 0.5
        with pytest.raises(sa.exc.OperationalError):
            await in_loop(ask, kept, "SELECT 1")
        assert await in_loop(pid_of, kept) > 0

    play(story())


@pytest.mark.parametrize("there", [True, False], ids=["in a thread", "behind its loop"])
def test_a_link_is_left_in_any_thread_and_behind_its_loop(server: Postgres, *, there: bool) -> None:
    before = descriptors()
    engine = database.writing(server.url("things"))
    kept = Kept(engine)

    def leave() -> None:
        kept.leave()
        engine.dispose()

    async def story() -> None:
        await in_loop(pid_of, kept)
        if there:
            await asyncio.to_thread(leave)
            await asyncio.sleep(0)

    asyncio.run(story())
    if not there:
        leave()
    assert descriptors() <= before


def test_what_fails_in_a_trip_is_rolled_back_in_the_loop_too(kept: Kept, play: Any) -> None:
    async def story() -> None:
        def wrong() -> None:
            with kept.transaction() as tx:
                finish(
                    tx, [Statement("CREATE TABLE never (n INT)", ()), Statement("SELECT 1 / 0", ())]
                )

        with pytest.raises(sa.exc.DataError):
            await in_loop(wrong)
        assert await in_loop(asked, kept, "SELECT to_regclass('never')::text") == [(None,)]

    play(story())


# A room on PostgreSQL.


async def nobody(_: str) -> None:
    return None


@asynccontextmanager
async def a_room(server: Postgres, name: str) -> AsyncIterator[tuple[Room, sa.Engine]]:
    url = schema_at(engines.new_database(server, name))
    other = database.writing(url)
    room = Room(TOY, Circumstances(url, SECRET, NO_PACK, Clock(), nobody))
    yield room, other
    await asyncio.to_thread(room.close)
    other.dispose()


def test_while_another_holds_the_head_the_loop_answers_who_reads(
    server: Postgres, play: Any
) -> None:
    async def story() -> None:
        async with a_room(server, "held") as (room, other):
            first = await room.settle(creation())
            with other.begin() as tx:
                tx.execute(sa.text("SELECT * FROM journal_head FOR UPDATE"))
                waiting = [asyncio.ensure_future(room.settle(creation())) for _ in range(3)]
                async with goes_on(10):
                    await asyncio.sleep(0.2)
                    assert await room.find(first.name)
                assert not any(one.done() for one in waiting)
            assert [type(one) for one in await asyncio.gather(*waiting)] == [Settled] * 3

    play(story())


@pytest.mark.parametrize("many", [1, LIGHT, LIGHT + 1, 3 * LIGHT])
def test_few_and_many_are_written_each_with_its_answer(
    server: Postgres, play: Any, many: int
) -> None:
    async def story() -> None:
        async with a_room(server, "few") as (room, _):
            titles = [f"平台 {n}" for n in range(many)]
            works = [
                Work(tuple(creation(t) for t in titles)),
                *(Work((creation(t),)) for t in titles),
            ]
            first, *others = await asyncio.gather(*map(room.write, works))
            assert [type(o) for o in (*first, *(o for one in others for o in one))] == [Settled] * (
                2 * many
            )
            assert await room.head() == 2 * many

    play(story())


def test_effects_run_beside_the_loop(server: Postgres, play: Any) -> None:
    async def story() -> None:
        async with a_room(server, "effects") as (room, _):
            async with goes_on(10):
                await room.in_turn(lambda _: time.sleep(0.3))
            assert isinstance(await room.settle(creation()), Settled)

    play(story())


def test_a_server_that_goes_is_told_and_comes_back_to_the_same_room(
    server: Postgres, play: Any
) -> None:
    async def story() -> None:
        async with a_room(server, "gone") as (room, _):
            await room.settle(creation())
            await asyncio.to_thread(server.stop)
            for _ in range(2):
                told = await asyncio.gather(
                    *(room.settle(creation()) for _ in range(3)), return_exceptions=True
                )
                assert {type(one) for one in told} == {Unsettled}
            await asyncio.to_thread(server.start)
            await asyncio.gather(
                *(room.write(Work((creation(),))) for _ in range(3)), return_exceptions=True
            )
            assert isinstance(await room.settle(creation()), Settled)

    play(story())


def test_closing_answers_what_is_queued(server: Postgres, play: Any) -> None:
    async def story() -> None:
        async with a_room(server, "closing") as (room, other):
            await room.settle(creation())
            with other.begin() as tx:
                tx.execute(sa.text("SELECT * FROM journal_head FOR UPDATE"))
                waiting = [asyncio.ensure_future(room.settle(creation())) for _ in range(9)]
                await asyncio.sleep(0.05)
                closing = asyncio.ensure_future(asyncio.to_thread(room.close))
                await asyncio.sleep(0.05)
            assert [type(one) for one in await asyncio.gather(*waiting)] == [Settled] * 9
            await closing

    play(story())

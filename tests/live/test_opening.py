"""A process that writes alone decides upon what it left, and locks with all that it writes; and where it errs.

What many commands write sets out while those behind them are decided, and is there with them or not at all.
"""

import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from kernel import database, trip
from kernel.errors import Invalid, Reused, UnknownReference, Unsettled
from kernel.outcome import Settled
from kernel.personal import Vault
from kernel.store import Store
from kernel.writer import ALONE, MANY, Work, Writer
from luoshu.platforms.v1 import platforms_pb2 as pb
from tests.live import engines
from tests.unit.kernel_world import (
    NO_PACK,
    OFFICER,
    SECRET,
    TOY,
    Clock,
    S,
    command,
    creation,
    schema_at,
)


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with engines.a_postgres() as server:
        yield server


@pytest.fixture
def engine(server: Any, request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    name = f"t{abs(hash(request.node.name))}"
    server.create(name)
    made = database.writing(schema_at(server.url(name)))
    yield made
    made.dispose()


def writer(engine: sa.Engine) -> Writer:
    return Writer(Store(TOY, engine), engine, NO_PACK, Vault(SECRET), Clock())


def fresh(title: str = "某平台", **more: Any) -> Any:
    return creation(title, fresh=True, **more)


def write(by: Writer, *commands: Any) -> list[Any]:
    (outcomes,) = by.write([Work(commands)])
    assert isinstance(outcomes, list)
    return outcomes


def alone(engine: sa.Engine) -> Writer:
    """Return a writer that takes it that nobody else writes."""
    by = writer(engine)
    for _ in range(ALONE + 1):
        assert [type(o) for o in write(by, fresh())] == [Settled]
    return by


def trips(by: Writer, *commands: Any) -> tuple[int, list[Any]]:
    with patch.object(trip, "take", side_effect=trip.take) as taken:
        outcomes = write(by, *commands)
    return taken.call_count, outcomes


def positions(engine: sa.Engine) -> list[int]:
    """Return the journal's positions, which have no hole and end where the head is."""
    with engine.connect() as tx:
        found = tx.exec_driver_sql("SELECT position FROM journal ORDER BY 1").scalars().all()
        head = tx.exec_driver_sql("SELECT position FROM journal_head").scalar_one()
    assert list(found) == list(range(1, head + 1))
    return list(found)


def test_what_is_new_takes_one_trip_of_a_process_that_writes_alone(engine: sa.Engine) -> None:
    by = writer(engine)
    counts = [trips(by, fresh(), fresh())[0] for _ in range(ALONE + 3)]
    assert counts == [2] * (ALONE + 1) + [1, 1]
    assert positions(engine)[-1] == 2 * len(counts)


def test_what_another_process_wrote_in_between_is_not_written_over(engine: sa.Engine) -> None:
    by, other = alone(engine), writer(engine)
    before = len(positions(engine))
    for n in range(3):
        assert [type(o) for o in write(other, fresh())] == [Settled]
        count, outcomes = trips(by, fresh())
        assert [type(o) for o in outcomes] == [Settled]
        assert count == (
            2 if n else 3
        )  # once it was wrong, and then it expects nothing for a while
    assert len(positions(engine)) == before + 6


def test_a_request_that_another_process_heard_gets_its_first_answer(engine: sa.Engine) -> None:
    by, command = writer(engine), fresh()
    (first,) = write(by, command)
    by = alone(engine)
    (again,) = write(by, command._replace(name="platforms/other"))
    assert (again.name, again.repeated) == (first.name, True)
    assert len(positions(engine)) == 1 + ALONE + 1


def test_a_name_that_is_drawn_again_overwrites_nothing(engine: sa.Engine) -> None:
    first = fresh("甲")
    write(writer(engine), first)
    by = alone(engine)
    works = [Work((fresh("乙")._replace(name=first.name),)), Work((fresh("丙"),))]
    spoilt, (new,) = by.write(works)
    assert isinstance(spoilt, sa.exc.IntegrityError)
    assert isinstance(new, Settled)
    with engine.connect() as tx:
        kept = tx.execute(sa.text("SELECT record FROM platform WHERE name = :n"), {"n": first.name})
        assert pb.Platform.FromString(kept.scalar_one()).title == "甲"
    assert len(positions(engine)) == 1 + ALONE + 2


@pytest.mark.parametrize("title", ["某平台", "refused"])
def test_a_known_request_id_of_another_content_is_refused_as_such(
    engine: sa.Engine, title: str
) -> None:
    command = fresh()
    write(writer(engine), command)
    by = alone(engine)
    (outcome,) = write(by, fresh(title, request_id=command.request_id)._replace(fingerprint=b"g"))
    assert isinstance(outcome, Reused)


def test_a_refusal_has_read_whether_it_was_asked_before(engine: sa.Engine) -> None:
    count, outcomes = trips(alone(engine), fresh(), fresh("refused"))
    assert (count, [type(o) for o in outcomes]) == (2, [Settled, Invalid])


def test_a_head_that_went_back_makes_no_hole(engine: sa.Engine) -> None:
    """As after a server took over that had not got the last commits, behind a link that stood."""
    by = alone(engine)
    with engine.begin() as tx:
        last = positions(engine)[-1]
        tx.exec_driver_sql(f"DELETE FROM journal WHERE position = {last}")
        tx.exec_driver_sql(f"UPDATE journal_head SET position = {last - 1}")
    assert [type(o) for o in write(by, fresh())] == [Settled]
    assert positions(engine)[-1] == last


def test_without_a_head_nothing_is_written(engine: sa.Engine) -> None:
    """As while a backup is put back table by table."""
    by = alone(engine)
    before = positions(engine)
    with engine.begin() as tx:
        ((position, commit_time),) = tx.exec_driver_sql(
            "SELECT position, commit_time FROM journal_head"
        )
        tx.exec_driver_sql("DELETE FROM journal_head")
    with pytest.raises(ValueError, match="expected 1"):
        write(by, fresh())
    with engine.begin() as tx:
        tx.execute(
            sa.insert(by.store.tables.head).values(id=1, position=position, commit_time=commit_time)
        )
    assert positions(engine) == before
    assert [type(o) for o in write(by, fresh())] == [Settled]


def test_after_a_migration_of_a_columns_type_one_change_is_unsettled_and_the_next_is_not(
    engine: sa.Engine,
) -> None:
    by, named = writer(engine), creation("某平台")
    assert [type(o) for o in write(by, named)] == [Settled]
    with engine.begin() as tx:
        tx.exec_driver_sql("ALTER TABLE platform ALTER COLUMN revisions TYPE integer")
    (unsettled,) = by.write([Work((creation("某平台"),))])
    assert isinstance(unsettled, Unsettled)
    assert [type(o) for o in write(by, creation("某平台"))] == [Settled]


def test_a_row_that_the_database_refuses_is_its_callers_alone(engine: sa.Engine) -> None:
    with engine.begin() as tx:
        tx.exec_driver_sql("ALTER TABLE journal ADD CHECK (request_id <> 'bad')")
    by = alone(engine)
    works = [Work((fresh(),)), Work((fresh(request_id="bad"),)), Work((fresh(),))]
    good, bad, other = by.write(works)
    assert isinstance(bad, sa.exc.IntegrityError)
    assert [type(o) for o in (*good, *other)] == [Settled, Settled]  # type: ignore[misc]
    assert len(positions(engine)) == ALONE + 3


def many(**more: Any) -> Work:
    return Work(tuple(fresh(**more) for _ in range(MANY)))


def kinds(outcomes: Any) -> set[type]:
    return {type(outcome) for outcome in outcomes}


@pytest.mark.parametrize("atomic", [False, True])
def test_what_many_write_sets_out_while_those_behind_them_are_decided(
    engine: sa.Engine, atomic: bool
) -> None:
    by, works = alone(engine), [Work(many().commands, atomic) for _ in range(3)]
    with (
        patch.object(trip, "set_out", side_effect=trip.set_out) as out,
        patch.object(trip, "take", side_effect=trip.take) as taken,
    ):
        written = by.write([*works, Work((fresh(),))])
    assert (out.call_count, taken.call_count) == (3, 2)
    assert [kinds(outcomes) for outcomes in written] == [{Settled}] * 4
    assert len(positions(engine)) == ALONE + 1 + 3 * MANY + 1
    assert records(engine) == len(positions(engine))


def records(engine: sa.Engine) -> int:
    with engine.connect() as tx:
        return int(tx.exec_driver_sql("SELECT count(*) FROM platform").scalar_one())


def test_the_messages_of_an_import_set_out_one_by_one(engine: sa.Engine) -> None:
    commands = (*many().commands, *many().commands, fresh("refers to no/one"), fresh())
    ends = (MANY, 2 * MANY, 2 * MANY + 1, 2 * MANY + 2)
    with patch.object(trip, "set_out", side_effect=trip.set_out) as out:
        (outcomes,) = writer(engine).write([Work(commands, ends=ends)])
    assert (out.call_count, kinds(outcomes)) == (2, {Settled})
    assert len(positions(engine)) == records(engine) == len(outcomes) == 2 * MANY


def test_what_has_set_out_can_be_changed_and_read_behind_it(engine: sa.Engine) -> None:
    by, named = writer(engine), [creation("某平台") for _ in range(MANY)]
    (old,) = write(by, creation("旧"))
    first, moved, aside = named[0].name, named[1].name, named[2].name
    submitted = [Work((command("submit", name),)) for name in (first, moved)]
    drawn = [Work((command("recognize", name, OFFICER),)) for name in (first, moved)]
    into = Work((command("merge", first, OFFICER, request=Into(old.name)),))
    with patch.object(trip, "set_out", side_effect=trip.set_out) as out:
        written = by.write([Work(tuple(named)), *submitted, *drawn, many(), into])
    assert out.call_count == 2
    assert [kinds(outcomes) for outcomes in written] == [{Settled}] * 7
    with engine.connect() as tx:
        found = tx.exec_driver_sql("SELECT name, state, revisions FROM platform").all()
    stands = {name: (state, revisions) for name, state, revisions in found}
    assert stands[first] == (S.STATE_MERGED, 4)
    assert stands[moved] == (S.STATE_RECOGNIZED, 3)
    assert stands[aside] == (S.STATE_DRAFT, 1)
    assert stands[old.name] == (S.STATE_DRAFT, 2)
    assert len(positions(engine)) == 1 + 2 * MANY + 2 + 2 + 2


class Into:
    """Asks that a record becomes part of another."""

    def __init__(self, into: str) -> None:
        self.into, self.reason = into, ""


@pytest.mark.parametrize("behind", [False, True])
def test_a_row_that_is_refused_on_its_way_is_its_callers_alone(
    engine: sa.Engine, behind: bool
) -> None:
    """`behind`: something is read before the transaction's end, and hears of it."""
    with engine.begin() as tx:
        tx.exec_driver_sql("ALTER TABLE journal ADD CHECK (request_id <> 'bad')")
    by = writer(engine)
    bad = Work((*many().commands, fresh(request_id="bad")))
    last = Work((fresh("refers to no/one" if behind else "某平台"),))
    good, spoilt, end = by.write([many(), bad, last])
    assert isinstance(spoilt, sa.exc.IntegrityError)
    assert kinds(good) == {Settled}
    assert kinds(end) == ({UnknownReference} if behind else {Settled})
    assert len(positions(engine)) == records(engine) == MANY + (0 if behind else 1)


def test_what_has_set_out_is_gone_where_the_transaction_does_not_end(engine: sa.Engine) -> None:
    by = writer(engine)
    with (
        patch.object(by.store, "save", side_effect=ZeroDivisionError),
        pytest.raises(ZeroDivisionError),
    ):
        by.write([many()])
    assert positions(engine) == []
    (outcomes,) = by.write([many()])
    assert kinds(outcomes) == {Settled}
    assert len(positions(engine)) == records(engine) == MANY


@pytest.mark.parametrize("title", ["某平台", "长" * 15_000])
def test_who_stands_still_behind_what_has_set_out_lets_go_of_the_head(
    server: Any, engine: sa.Engine, title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the texts are long, they are more than the link takes at once."""
    monkeypatch.setattr(database, "POSTGRES_OPTIONS", "-c idle_in_transaction_session_timeout=1s")
    frozen = database.writing(server.url(str(engine.url.database)))
    by, tell = writer(frozen), Writer._tell

    def stand_still(self: Writer, *given: Any) -> int:
        if self is by:
            time.sleep(1.5)
            assert kinds(write(writer(engine), fresh())) == {Settled}
        return tell(self, *given)

    monkeypatch.setattr(Writer, "_tell", stand_still)
    (unsettled,) = by.write([many(title=title)])
    frozen.dispose()
    assert isinstance(unsettled, Unsettled)
    assert len(positions(engine)) == records(engine) == 1


def test_a_link_that_is_cut_under_way_leaves_nothing(engine: sa.Engine) -> None:
    by = writer(engine)
    write(by, fresh())

    def cut(*_: Any) -> None:
        with engine.connect() as other:
            other.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    with patch.object(Writer, "_tell", side_effect=cut):
        (unsettled,) = by.write([many()])
    assert isinstance(unsettled, Unsettled)
    assert len(positions(engine)) == 1
    (outcomes,) = by.write([many()])
    assert kinds(outcomes) == {Settled}
    assert len(positions(engine)) == records(engine) == MANY + 1

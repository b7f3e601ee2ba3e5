"""Before the log signs it reads back what it stored and holds it to the journals that it came from."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.sealing import PAUSE, Sealing
from kernel import metrics
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit import sealing, store
from services.audit.keys import Signer
from services.audit.note import verify_checkpoint
from services.audit.sealing import MOST, Damaged
from tests.service.audit_log import Log, audit_engine

SIGNER = Signer("log.example/henan", bytes(range(32)))


def lines(first: int, last: int, source: str = "platforms") -> list[JournalEntry]:
    return [
        JournalEntry(source=source, position=at, event=b"event %d" % at)
        for at in range(first, last + 1)
    ]


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    return audit_engine(tmp_path / "audit.db")


@pytest.fixture
def log(engine: sa.Engine) -> Log:
    return Log(engine, SIGNER, ("platforms", "funding"))


def signed(engine: sa.Engine) -> list[int]:
    with engine.connect() as connection:
        notes = [note for _, note in store.checkpoints(connection)]
    return [verify_checkpoint(note, SIGNER.verifier).size for note in notes]


def signed_or_none(engine: sa.Engine) -> list[int] | None:
    """The sizes signed; None where a checkpoint cannot be read any more."""
    try:
        return signed(engine)
    except ValueError:
        return None


async def test_several_journals_are_signed_together(engine: sa.Engine, log: Log) -> None:
    log.tell("platforms", lines(1, 4))
    log.tell("funding", lines(1, 2, "funding"))
    log.tell("platforms", lines(5, 6))
    await log.seal()
    assert signed(engine) == [8]


async def test_a_long_tail_is_signed_in_parts(
    engine: sa.Engine, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MOST", 3)
    log.tell("platforms", lines(1, 8))
    await log.seal()
    assert signed(engine) == [3, 6, 8]


def change(log: Log, position: int, event: bytes | None) -> None:
    """The source's journal is altered after the log had it; None: the line is gone."""
    if event is None:
        del log.journals["platforms"][position]
    else:
        line = JournalEntry(source="platforms", position=position, event=event)
        log.journals["platforms"][position] = line


@pytest.mark.parametrize("event", [b"event 5", b"", b"event 4 ", None])
async def test_what_the_journal_does_not_hold_is_not_signed_and_is_named(
    engine: sa.Engine, log: Log, event: bytes | None
) -> None:
    await log.apply("platforms", lines(1, 2))
    log.tell("platforms", lines(3, 6))
    change(log, 4, event)
    with pytest.raises(Damaged, match=r"entry 3: .*platforms, position 4") as caught:
        await log.seal()
    assert caught.value.index == 3
    assert signed(engine) == [2]


async def test_a_journal_restored_to_an_earlier_state_stops_the_signing(
    engine: sa.Engine, log: Log
) -> None:
    log.tell("platforms", lines(1, 6))
    for position in (5, 6):
        change(log, position, None)
    with pytest.raises(Damaged) as caught:
        await log.seal()
    assert caught.value.index == 4
    assert signed(engine) == []


Edit = Callable[[sa.Connection], object]
ZEROS = {"sqlite": f"x'{'00' * 32}'", "postgresql": f"'\\x{'00' * 32}'::bytea"}
TAIL = {
    "its event": (5, 'UPDATE entry SET event = ZEROS WHERE "index" = 5'),
    "its position": (5, 'UPDATE entry SET position = 60 WHERE "index" = 5'),
    "its source": (5, "UPDATE entry SET source = 'funding' WHERE \"index\" = 5"),
    "its shard": (5, 'UPDATE entry SET shard = 1 WHERE "index" = 5'),
    "its hash": (5, 'UPDATE entry SET leaf_hash = ZEROS WHERE "index" = 5'),
    "its row": (5, 'DELETE FROM entry WHERE "index" = 5'),
    "the last row": (7, 'DELETE FROM entry WHERE "index" = 7'),
    "its node": (5, 'UPDATE node SET hash = ZEROS WHERE level = 0 AND "index" = 5'),
    "a node above": (4, 'UPDATE node SET hash = ZEROS WHERE level = 1 AND "index" = 2'),
    "a peak": (None, 'UPDATE node SET hash = ZEROS WHERE level = 2 AND "index" = 0'),
    "a signed node": (None, 'DELETE FROM node WHERE level = 1 AND "index" = 0'),
    "a signed entry": (None, 'DELETE FROM entry WHERE "index" >= 2'),
    "a checkpoint": (None, "UPDATE checkpoint SET text = 'no note'"),
}


@pytest.mark.parametrize("what", TAIL)
async def test_what_was_altered_in_the_tables_before_it_was_signed_is_named(
    engine: sa.Engine, log: Log, what: str
) -> None:
    await log.apply("platforms", lines(1, 3))
    log.tell("platforms", lines(4, 8))
    index, edit = TAIL[what]
    with engine.begin() as tx:
        tx.exec_driver_sql(edit.replace("ZEROS", ZEROS[engine.dialect.name]))
    with pytest.raises(Damaged) as caught:
        await log.seal()
    assert signed_or_none(engine) in ([3], None)
    assert index is None or caught.value.index == index


async def test_of_two_that_sign_the_second_signs_nothing(engine: sa.Engine, log: Log) -> None:
    log.tell("platforms", lines(1, 3))
    unsigned = log.sealer.unsigned()
    assert unsigned is not None
    await log.seal()
    log.sealer.seal(unsigned, {("platforms", at): b"event %d" % at for at in range(1, 4)})
    assert signed(engine) == [3]


async def test_damage_raises_the_alarm_and_its_end_ends_it(engine: sa.Engine, log: Log) -> None:
    look = Sealing(log.lines, log.sealer).look
    alarm = metrics.AUDIT_ALARM.labels("damaged")
    log.tell("platforms", lines(1, 3))
    change(log, 2, b"another")
    assert await look() > 0
    assert await look() > 0
    assert alarm._value.get() == 1
    change(log, 2, b"event 2")
    assert await look() == PAUSE
    assert alarm._value.get() == 0
    assert signed(engine) == [3]


async def test_more_than_one_checkpoint_covers_is_signed_on_at_once(
    engine: sa.Engine, log: Log
) -> None:
    look = Sealing(log.lines, log.sealer).look
    log.tell("platforms", lines(1, MOST + 1))
    assert await look() == 0
    assert await look() == PAUSE
    assert signed(engine) == [MOST, MOST + 1]


async def test_a_source_that_ends_early_once_is_no_alarm(engine: sa.Engine, log: Log) -> None:
    """So does one that is being stopped."""
    ended = list[bool]()

    async def short(source: str, after: int, limit: int) -> list[JournalEntry]:
        found = await log.lines(source, after, limit)
        ended.append(True)
        return found if len(ended) > 1 else found[:1]

    sealing = Sealing(short, log.sealer)
    log.tell("platforms", lines(1, 3))
    assert await sealing.look() > 0
    assert metrics.AUDIT_ALARM.labels("damaged")._value.get() == 0
    assert signed(engine) == []
    assert await sealing.look() == PAUSE
    assert signed(engine) == [3]


async def test_a_silent_source_delays_the_signing_and_is_no_alarm(
    engine: sa.Engine, log: Log
) -> None:
    async def away(_source: str, _after: int, _limit: int) -> list[JournalEntry]:
        raise OSError("away")

    log.tell("platforms", lines(1, 3))
    assert await Sealing(away, log.sealer).look() > 0
    assert metrics.AUDIT_ALARM.labels("damaged")._value.get() == 0
    assert signed(engine) == []

"""What only an operator does: start, stop, another setting, another key; and a rule that somebody sets aside."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.operating import started, stopped
from app.settings import Settings
from kernel import database
from kernel.access_room import AccessRoom
from kernel.access_store import access_tables
from kernel.registry import Resource, Service
from kernel.writer import Work
from luoshu.journal.v1.journal_pb2 import AccessEvent
from tests.unit import kernel_world
from tests.unit.kernel_world import LIFECYCLE, OFFICER, PLATFORM, TOY, Clock, command, creation

SECRET = bytes(32)


@pytest.fixture
def url(tmp_path: Path) -> str:
    url, metadata = f"sqlite:///{tmp_path}/reports.sqlite3", sa.MetaData()
    access_tables(metadata)
    engine = database.writing(url)
    metadata.create_all(engine)
    engine.dispose()
    return url


def opened(url: str, secret: bytes = SECRET) -> AccessRoom:
    return AccessRoom("reports", access_tables(sa.MetaData()), url, secret, Clock())


async def acts(room: AccessRoom) -> list[Any]:
    told = await room.read(room.access.store.told, 0)
    return [AccessEvent.FromString(line.event) for line in told]


async def run(url: str, secret: bytes = SECRET, **said: str) -> list[Any]:
    """Start and stop once; return all that the journal tells by then."""
    room, settings = opened(url, secret), Settings({f"LUOSHU_{k}": v for k, v in said.items()})
    await started(settings, {"reports": room})
    await stopped({"reports": room})
    found = await acts(room)
    room.close()
    return found


def kinds(events: list[Any]) -> list[str]:
    return [event.change.action for event in events]


async def test_a_start_and_a_stop_are_told_by_the_account_of_the_machine(url: str) -> None:
    found = await run(url)
    assert kinds(found) == ["started", "stopped"]
    assert {tuple(event.change.roles) for event in found} == {("operator",)}
    assert kinds(await run(url)) == ["started", "stopped"] * 2  # the same settings, the same key


async def test_another_setting_is_told_with_its_old_and_new_value_but_no_password(url: str) -> None:
    await run(url, LOG_LEVEL="info")
    address = "postgresql://u:geheim@h/d"
    found = await run(url, LOG_LEVEL="debug", REPORTS_DATABASE=address)
    (changed,) = [event for event in found if event.change.action == "settings_changed"]
    assert changed.access.details["LUOSHU_LOG_LEVEL"] == " -> debug"
    assert changed.access.details["LUOSHU_REPORTS_DATABASE"] == " -> postgresql://u:***@h/d"
    assert all(b"geheim" not in event.SerializeToString() for event in found)


async def test_another_key_is_told_without_the_key(url: str) -> None:
    await run(url)
    found = await run(url, bytes(range(32)))
    assert kinds(found)[2:] == ["started", "key_changed", "stopped"]
    assert all(SECRET.hex() not in str(event) for event in found)


def overriding(aside: Mapping[str, str]) -> Service:
    """Return the toy service with a recognition that sets this aside."""
    recognize = (m for m in LIFECYCLE.moves if m.name == "recognize")
    marked = {move: dataclasses.replace(move, overrides=lambda *_: aside) for move in recognize}
    moves = tuple(marked.get(move, move) for move in LIFECYCLE.moves)
    resource = Resource(
        PLATFORM.record, dataclasses.replace(LIFECYCLE, moves=moves), PLATFORM.columns
    )
    return Service("toy", TOY.contract, TOY.event, (resource,))


def test_a_move_that_sets_a_rule_aside_is_told_with_its_reason(tmp_path: Path) -> None:
    service = overriding({"rule": "grade"})
    writer = kernel_world.writer(kernel_world.schema(tmp_path / "toy.db", service), None, service)
    created = creation()
    writer.write([Work((created,))])
    writer.write([Work((command("submit", created.name),))])
    done = command("recognize", created.name, OFFICER, reason="特批")
    writer.write([Work((done,))])
    with writer.engine.connect() as tx:
        (line,) = writer.store.access.told(tx, 0)
    event = AccessEvent.FromString(line.event)
    assert (event.change.action, event.access.attempted) == ("overridden", "recognize")
    assert (event.change.record, event.change.reason) == (created.name, "特批")
    assert event.change.request_id == done.request_id
    assert dict(event.access.details) == {"rule": "grade"}


def test_a_move_that_could_and_did_not_set_a_rule_aside_is_not_told(tmp_path: Path) -> None:
    service = overriding({})
    writer = kernel_world.writer(kernel_world.schema(tmp_path / "toy.db", service), None, service)
    created = creation()
    writer.write([Work((created,))])
    writer.write([Work((command("submit", created.name),))])
    writer.write([Work((command("recognize", created.name, OFFICER),))])
    with writer.engine.connect() as tx:
        assert writer.store.access.told(tx, 0) == []

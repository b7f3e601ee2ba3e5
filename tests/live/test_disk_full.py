"""The disk is full: nobody is told that something was done which was not, and with room again everything goes on."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from app.catalogue import JOURNALS
from app.cluster import kafka as brokers
from kernel import kafka
from services.platforms.store import PLATFORMS
from tests import invariants
from tests.flow.province import APPLICANT
from tests.flow.separate import ClientJournal, Separate, addresses, until
from tests.live import engines
from tests.live.caller import Caller
from tests.live.disks import Disk, a_small_disk
from tests.live.on_postgres import alone_on_postgres
from tests.live.spread.size import measured
from tests.live.spread.topic import demand_topic
from tests.live.syscalls import traced

TRIES = 20
Code = grpc.StatusCode
BACKLOG = 'luoshu_relay_backlog_events{source="platforms"}'


@pytest.fixture
def small() -> Iterator[Disk]:
    with engines.demanded(), a_small_disk(200) as disk:
        yield disk


def answers(caller: Caller) -> set[Code]:
    return {caller.refused() for _ in range(TRIES)}


def read(service: Separate, number: int) -> str:
    return str(service.call("GetPlatform", APPLICANT, name=f"platforms/synced-{number}").name)


def test_a_service_whose_disk_is_full_refuses_reads_on_and_goes_on_with_room(
    small: Disk, tmp_path: Path
) -> None:
    with Separate(("platforms",), small.folder / "data", addresses(["platforms"])) as service:
        caller = Caller(service, ClientJournal(tmp_path / "client.jsonl"))
        caller.create(5)
        with small.full():
            assert answers(caller) == {Code.UNAVAILABLE}
            assert read(service, 5)
        caller.create(5)
        caller.demand(service.database())
    measured("disk full, SQLite", tries=TRIES, answered_ok=0, lost=0, twice=0)


def test_a_service_whose_every_write_finds_no_room_refuses_and_goes_on_with_room(
    tmp_path: Path,
) -> None:
    """The same without a disk of its own: the system calls say so."""
    with Separate(("platforms",), tmp_path, addresses(["platforms"])) as service:
        caller = Caller(service, ClientJournal(tmp_path / "client.jsonl"))
        caller.create(5)
        no_room = "pwrite64:error=ENOSPC"
        with engines.demanded(), traced([service.pid], tmp_path / "trace", no_room):
            assert answers(caller) == {Code.UNAVAILABLE}
            assert read(service, 5)
        caller.create(5)
        caller.demand(service.database())


def test_a_postgresql_whose_disk_is_full_loses_nothing(small: Disk, tmp_path: Path) -> None:
    with alone_on_postgres(home=small.folder) as (service, server):
        caller = Caller(
            service, ClientJournal(tmp_path / "client.jsonl"), lambda: until(server.serves)
        )
        caller.create(5)
        with small.full():
            caller.fill()
        caller.create(5)
        caller.demand(service.database())
    measured("disk full, PostgreSQL", lost=0, twice=0)


def test_while_the_brokers_disk_is_full_every_write_is_accepted_and_afterwards_all_is_relayed(
    small: Disk, tmp_path: Path
) -> None:
    (node,) = brokers.brokers(small.folder)
    try:
        with engines.demanded():
            node.start()
        kafka.make_topics(node.address, list(JOURNALS))
        settings = {**addresses(["platforms"]), "LUOSHU_KAFKA": node.address}
        with Separate(("platforms",), tmp_path, settings) as service:
            caller = Caller(service, ClientJournal(tmp_path / "client.jsonl"))
            caller.create(5)
            with small.full():
                caller.create(TRIES)
                until(
                    lambda: service.metrics().get(BACKLOG, 0) >= TRIES / 2, "the backlog to be seen"
                )
            assert caller.unknown == 0
            assert node.process is not None
            node.stop()
            node.start()
            until(lambda: service.metrics().get(BACKLOG, -1) == 0, "all to be relayed", 120)
            caller.demand(service.database())
            lines = invariants.demand_sound(service.database(), PLATFORMS).lines
            demand_topic(node.address, "platforms", lines)
    finally:
        node.stop()
    measured("disk full, broker", writes=TRIES, refused=0, lost=0)

"""A migration while the service is at work: nobody waits long, nothing is lost, and the release before runs on the new schema."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from app import migrate
from app.cluster.postgres import Postgres
from tests.flow.separate import ClientJournal
from tests.live.caller import Caller
from tests.live.on_postgres import alone_on_postgres
from tests.live.spread.size import measured

HELD = 6.0  # seconds that somebody reads the table: longer than a migration waits for its lock
STEP = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "platforms_next", "{head}", None, None

def upgrade():
    op.add_column("platform", sa.Column("noted", sa.Text, server_default="", nullable=False))
    op.create_index("platform_noted", "platform", ["noted"])

def downgrade():
    op.drop_column("platform", "noted")
"""


def have_next_release(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `migrate` have the next release's step, of which a service that runs knows nothing."""
    step = STEP.format(head=migrate.newest("platforms"))
    shutil.copytree(migrate.FOLDER, folder)
    (folder / "platforms" / "platforms_next.py").write_text(step)
    monkeypatch.setattr(migrate, "FOLDER", folder)


@contextmanager
def read_by_somebody(server: Postgres) -> Iterator[None]:
    """Somebody holds a lock that lets others read and write, and no one change the table; at the end it is waited for."""

    def hold() -> None:
        with psycopg.connect(server.url("platforms")) as connection:
            connection.execute("SELECT count(*) FROM platform")
            time.sleep(HELD)

    reading = threading.Thread(target=hold)
    reading.start()
    time.sleep(1)
    yield
    reading.join()


@contextmanager
def writing(caller: Caller) -> Iterator[list[float]]:
    """A caller goes on while the block runs. Yield how many seconds each call took."""
    ended, seconds = threading.Event(), list[float]()

    def write() -> None:
        while not ended.is_set():
            began = time.monotonic()
            caller.create(1)
            seconds.append(time.monotonic() - began)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield seconds
    finally:
        ended.set()
        thread.join()


def test_a_migration_under_load_stops_nobody_and_the_release_before_runs_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alone_on_postgres() as (service, server):
        caller = Caller(service, ClientJournal(tmp_path / "client.jsonl"))
        caller.create(5)
        have_next_release(tmp_path / "migrations", monkeypatch)
        with writing(caller) as seconds, read_by_somebody(server):
            began = time.monotonic()
            migrate.upgrade("platforms", server.url("platforms"))
            taken = time.monotonic() - began
        assert migrate.is_newest("platforms", server.url("platforms"))
        assert caller.unknown == 0, "a call failed for the migration"
        caller.create(5)
        service.stop()
        service.start()
        caller.create(5)
        caller.demand(service.database())
    measured(
        "migration under load", acknowledged=caller.number, refused=0, migration_seconds=round(taken, 1),
        longest_call_seconds=round(max(seconds), 1),
    )  # fmt: skip

"""The schemas: what the migrations make is what the code expects, from nothing, from an older one, and back."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from app import migrate
from app.catalogue import NAMES, WITH_JOURNALS
from app.settings import Settings
from kernel import database, relay

ADDS_A_COLUMN = """
import sqlalchemy as sa
from alembic import op

revision = "platforms_9999"
down_revision = "{before}"


def upgrade() -> None:
    op.add_column("known_record", sa.Column("added", sa.Integer(), nullable=False, server_default="7"))
    {then}


def downgrade() -> None:
    op.drop_column("known_record", "added")
"""
NEWEST = migrate.newest("platforms")
SECONDS = 1.5  # that making all schemas may take, on a machine that does other things too


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/new folder/database.sqlite3"


@contextmanager
def opened(url: str) -> Iterator[sa.Connection]:
    engine = database.writing(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def younger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for a migration that comes after the ones of today."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.FOLDER, folder)
    monkeypatch.setattr(migrate, "FOLDER", folder)
    return folder / "platforms" / "platforms_9999.py"


def _step(then: str) -> str:
    """Return a migration that comes after the newest of platforms."""
    return ADDS_A_COLUMN.format(then=then, before=migrate.newest("platforms"))


@pytest.mark.parametrize("service", NAMES)
def test_the_migrations_make_exactly_the_tables_that_the_code_has(service: str, url: str) -> None:
    migrate.upgrade(service, url)
    with opened(url) as connection:
        command.check(migrate.config_of(service, connection))  # raises where they differ


@pytest.mark.parametrize("service", WITH_JOURNALS)
def test_a_new_journal_has_its_head_and_it_stands_at_nothing(service: str, url: str) -> None:
    migrate.upgrade(service, url)
    with opened(url) as connection:
        rows = connection.exec_driver_sql("SELECT id, position, commit_time FROM journal_head")
        assert [tuple(row) for row in rows] == [(1, 0, 0)]


@pytest.mark.parametrize("service", NAMES)
def test_every_step_can_be_taken_back(service: str, url: str) -> None:
    migrate.upgrade(service, url)
    with opened(url) as connection:
        command.downgrade(migrate.config_of(service, connection), "base")
    with opened(url) as connection:
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]


@pytest.mark.parametrize("service", NAMES)
def test_the_schema_can_be_printed_for_postgresql(service: str) -> None:
    text = migrate.script(service)
    tables = migrate.metadata_of(service).sorted_tables
    assert [table.name for table in tables if f"CREATE TABLE {table.name} " not in text] == []
    assert ("INSERT INTO journal_head" in text) == (service in WITH_JOURNALS)
    assert text.rstrip().endswith("COMMIT;")


def test_texts_are_compared_byte_by_byte_on_postgresql_too() -> None:
    assert 'name TEXT COLLATE "C" NOT NULL' in migrate.script("platforms")


def test_a_start_on_an_older_schema_brings_it_up_and_keeps_what_is_there(
    url: str, younger: Path
) -> None:
    migrate.ready("platforms", url)
    with opened(url) as connection:
        connection.exec_driver_sql("INSERT INTO known_record VALUES ('calls/x', 'S', 'x', 1)")
    younger.write_text(_step(then=""))
    assert not migrate.is_newest("platforms", url)
    migrate.ready("platforms", url)
    with opened(url) as connection:
        rows = connection.exec_driver_sql("SELECT name, added FROM known_record")
        assert [tuple(row) for row in rows] == [("calls/x", 7)]


def test_a_migration_that_breaks_off_leaves_the_older_schema(url: str, younger: Path) -> None:
    migrate.ready("platforms", url)
    younger.write_text(_step(then='raise OSError("no space")'))
    with pytest.raises(OSError, match="no space"):
        migrate.ready("platforms", url)
    with opened(url) as connection:
        columns = [column["name"] for column in sa.inspect(connection).get_columns("known_record")]
        assert "added" not in columns
    younger.unlink()
    assert migrate.is_newest("platforms", url)


def test_the_release_before_starts_on_a_newer_schema_and_leaves_it(url: str, younger: Path) -> None:
    younger.write_text(_step(then=""))
    migrate.ready("platforms", url)
    younger.unlink()
    assert migrate.is_newer("platforms", url)
    migrate.ready("platforms", url)
    with opened(url) as connection:
        columns = [column["name"] for column in sa.inspect(connection).get_columns("known_record")]
        assert "added" in columns


def test_a_start_changes_nothing_on_the_newest_schema(url: str) -> None:
    migrate.ready("audit", url)
    file = Path(url.removeprefix("sqlite:///"))
    before = file.read_bytes()
    migrate.ready("audit", url)
    assert file.read_bytes() == before


def test_a_start_does_not_alter_a_servers_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "is_newest", lambda service, url: False)
    monkeypatch.setattr(migrate, "is_newer", lambda service, url: False)
    with pytest.raises(migrate.SchemaBehind, match="run: luoshu migrate funding"):
        migrate.ready("funding", "postgresql://nobody@nowhere/funding")


def test_an_sqlite_file_is_its_owners_alone(tmp_path: Path) -> None:
    migrate.ready("platforms", f"sqlite:///{tmp_path}/made/platforms.sqlite3")
    made = list((tmp_path / "made").iterdir())
    assert {path.stat().st_mode & 0o777 for path in made} == {0o600}


def test_a_service_without_migrations_does_not_start(url: str, younger: Path) -> None:
    shutil.rmtree(younger.parent)
    younger.parent.mkdir()
    with pytest.raises(migrate.SchemaBehind, match="run: make generate"):
        migrate.ready("platforms", url)


def test_the_command_brings_up_the_services_that_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    migrate.main(["audit"], Settings({"LUOSHU_DATA_DIR": str(tmp_path)}))
    assert [path.name for path in tmp_path.glob("*.sqlite3")] == ["audit.sqlite3"]
    assert "audit" in capsys.readouterr().out


def test_a_first_start_makes_all_schemas_in_a_moment(tmp_path: Path) -> None:
    began = time.process_time()
    for service in NAMES:
        migrate.ready(service, f"sqlite:///{tmp_path}/{service}.sqlite3")
    assert time.process_time() - began < SECONDS


def test_no_two_of_postgresqls_advisory_locks_have_one_number() -> None:
    numbers = (migrate.TURN, relay.LEAD, relay.LEAD_ACCESS, database.READER)
    assert len(set(numbers)) == len(numbers)

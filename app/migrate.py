"""The databases' schemas: Alembic, one environment, a folder of versions a service."""

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.catalogue import JOURNALS, NAMES, TABLES, registry
from app.settings import ROOT, Settings, SettingsError, load, without_password
from kernel import database
from kernel.access import service_of
from kernel.tables import tables_of

log = structlog.get_logger(__name__)

FOLDER = ROOT / "migrations"
TURN = 20_736_001
"""Number of PostgreSQL's advisory lock by which those who upgrade one database take turns."""
LOCK, LOCK_NOT_AVAILABLE = "2s", "55P03"
POSTGRESQL = ("postgresql", "postgresql+psycopg")
NO_PLACE = (FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError)
ATTEMPTS, PAUSE = 10, 1.0  # seconds between two


class SchemaBehind(RuntimeError):
    """A database is not at the newest schema; the text says what would mend it."""


def metadata_of(service: str) -> sa.MetaData:
    """Return the tables that a service's database should have."""
    journaled = registry(service)
    if journaled is not None:
        metadata = tables_of(journaled).metadata
        for more in TABLES.get(service, ()):
            more(metadata)
        return metadata
    if service == "audit":
        from services.audit import schema as audit

        return audit.metadata
    from services.reports import store as reports

    return reports.METADATA


def config_of(service: str, connection: sa.Connection | None = None, **more: Any) -> Config:
    """Return Alembic's configuration for one service. `more`: of `Config`, such as `output_buffer`."""
    config = Config(**more)
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(versions_of(service)))
    config.set_main_option("file_template", "%%(rev)s")
    config.attributes.update(connection=connection, metadata=metadata_of(service))
    return config


def versions_of(service: str) -> Path:
    return FOLDER / service


def upgrade(service: str, url: str) -> None:
    """Bring a database to the newest schema, all in one transaction; nothing happens where it is there already.

    Who serves meanwhile waits for a table's lock, and so for whoever holds it: at most for `LOCK`, then it is given up, and
    tried again after a while.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _upgrade(service, url)
            break
        except sa.exc.OperationalError as error:
            if attempt == ATTEMPTS or getattr(error.orig, "sqlstate", "") != LOCK_NOT_AVAILABLE:
                raise
            log.warning("migration_waits", service=service, attempt=attempt)
            time.sleep(PAUSE)


def _upgrade(service: str, url: str) -> None:
    with _engine(url) as engine, engine.begin() as connection:
        if database.is_postgres(engine):
            # SQLite's transaction holds its lock from its first statement.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(TURN)))
            connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK}'"))
        command.upgrade(config_of(service, connection), "head")


def script(service: str) -> str:
    """Return the SQL that makes a service's schema on PostgreSQL, for whoever may not let a program do it."""
    text = io.StringIO()
    command.upgrade(config_of(service, output_buffer=text), "head", sql=True)
    return text.getvalue()


def newest(service: str) -> str:
    """Return the newest schema's revision. Raises SchemaBehind: there is none."""
    head = ScriptDirectory.from_config(config_of(service)).get_current_head()
    if head is None:
        raise SchemaBehind(
            f"{service}: no migration makes its tables; run: make generate / "
            f"{service} 没有建表脚本；请运行：make generate"
        )
    return head


def is_newest(service: str, url: str) -> bool:
    """Raises SchemaBehind where the service has no schema at all."""
    with _engine(url) as engine, engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_heads() == (newest(service),)


def is_newer(service: str, url: str) -> bool:
    """Tell whether a release after this one has upgraded a database: migrations only add, so this one runs on it."""
    scripts = ScriptDirectory.from_config(config_of(service))
    known = {script.revision for script in scripts.walk_revisions()}
    with _engine(url) as engine, engine.connect() as connection:
        return not known.issuperset(MigrationContext.configure(connection).get_current_heads())


def ready(service: str, url: str) -> None:
    """Upgrade an SQLite file; of a server's database demand that somebody has. Raises SchemaBehind, SettingsError."""
    with _reachable(service, url):
        _ready(service, url)


@contextmanager
def _reachable(service: str, url: str) -> Iterator[None]:
    """Raises SettingsError where a database cannot be opened; its address may hold a password and is not told."""
    name = f"LUOSHU_{service.upper()}_DATABASE"
    if not _is_address(url):
        raise SettingsError(
            f"{name} is no address of a database: postgresql://USER@HOST/NAME, or empty for SQLite / "
            f"{name} 不是数据库地址：应为 postgresql://用户@主机/库名，留空则用 SQLite"
        )
    try:
        yield
    except (sa.exc.DBAPIError, *NO_PLACE) as error:
        kind = type(getattr(error, "orig", error)).__name__
        raise SettingsError(
            f"{service}: its database cannot be opened ({kind}); see {name} and LUOSHU_DATA_DIR / "
            f"{service} 的数据库无法打开（{kind}）；请检查 {name} 与 LUOSHU_DATA_DIR"
        ) from None


def _is_address(url: str) -> bool:
    try:
        return url.startswith("sqlite:///") or sa.make_url(url).drivername in POSTGRESQL
    except (sa.exc.ArgumentError, ValueError):  # ValueError: a port that is no number
        return False


def _ready(service: str, url: str) -> None:
    if is_newest(service, url):
        return
    if is_newer(service, url):
        log.warning("schema_is_newer", service=service)
        return
    if not database.is_sqlite(url):
        raise SchemaBehind(
            f"{service}: the database is not at the newest schema; run: luoshu migrate {service} / "
            f"{service} 的数据库结构不是最新；请运行：luoshu migrate {service}"
        )
    upgrade(service, url)


@contextmanager
def _engine(url: str) -> Iterator[sa.Engine]:
    """An SQLite file and its folder are made, for their owner alone; the connections are closed behind."""
    if database.is_sqlite(url):
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)  # SQLite gives the journal beside it the same rights
    engine = database.writing(url)
    try:
        yield engine
    finally:
        engine.dispose()


def main(services: Sequence[str] = (), settings: Settings | None = None) -> None:
    """Upgrade the databases of the services named, or of all."""
    settings = settings or load()
    for service in services or NAMES:
        url = settings.database(service)
        with _reachable(service, url):
            upgrade(service, url)
        print(f"{service}: at the newest schema / 已是最新结构 ({without_password(url)})")
    if settings["KAFKA"]:
        _make_topics(settings["KAFKA"], services or NAMES)


def _make_topics(bootstrap: str, services: Sequence[str]) -> None:
    """Make the topics of the services' journals."""
    from kernel import kafka

    journaled = [source for source in JOURNALS if service_of(source) in services]
    brokers = len(bootstrap.split(","))
    for topic in kafka.make_topics(bootstrap, journaled, brokers=brokers):
        print(f"{topic}: made / 已创建")

"""Writes the first migration of every service that has none yet: `python -m app.migrations_generate`."""

import tempfile
from pathlib import Path

from alembic import command

from app.catalogue import NAMES
from app.migrate import config_of, versions_of
from kernel import database

HEAD = '    op.execute("INSERT INTO journal_head (id, position, commit_time) VALUES (1, 0, 0)")\n'


def main() -> None:
    for service in NAMES:
        if not list(versions_of(service).glob("*.py")):
            first(service)


def first(service: str) -> Path:
    """Write a service's first migration from its tables, and return its path."""
    versions_of(service).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        engine = database.writing(f"sqlite:///{folder}/empty.sqlite3")
        with engine.begin() as connection:
            script = command.revision(
                config_of(service, connection),
                message=f"the first tables of {service}",
                autogenerate=True,
                rev_id=f"{service}_0001",
            )
    path = Path(script.path)  # type: ignore[union-attr]
    path = path.rename(versions_of(service) / f"{service}_0001.py")
    path.write_text(_mended(path.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{service}: {path.name}")
    return path


def _mended(text: str) -> str:
    """Make the head's one row, without which nobody can take the lock."""
    if '"journal_head"' not in text.replace("'", '"'):
        return text
    return text.replace("\n\ndef downgrade()", f"{HEAD}\n\ndef downgrade()", 1)


if __name__ == "__main__":
    main()

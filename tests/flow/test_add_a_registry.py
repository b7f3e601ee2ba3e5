"""docs/add-a-registry.md, followed word by word in a copy of the checkout."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-a-registry.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## \d+\. [^`\n]*`([^`\n]+)`\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
FOLDERS = ("proto/luoshu/scenarios/v1/", "services/scenarios/")
NAME = "scenarios/delivery-carts"
PATIENCE = 60  # seconds for a process to come up, or for an event to arrive


def sections() -> dict[str, tuple[str, str]]:
    """Return path → (language, content) of what the page's numbered sections have one write."""
    return {path: BLOCK.findall(text)[0] for path, text in SECTION.findall(PAGE)}


def new_files() -> dict[str, str]:
    return {path: text for path, (kind, text) in sections().items() if kind != "diff"}


def commands() -> list[list[str]]:
    """Return the words of each `luoshu …` line under "Use it"."""
    block = next(text for kind, text in BLOCK.findall(PAGE.split("## Use it")[1]) if kind == "sh")
    return [shlex.split(line) for line in block.splitlines() if line.startswith("luoshu ")]


def exported() -> dict[str, str]:
    line = re.search(r"^export (.*)$", PAGE, re.MULTILINE)
    assert line
    return dict(word.split("=", 1) for word in shlex.split(line[1]))


def change() -> tuple[list[str], list[str]]:
    """Return the lines that the page's diff shows as present, and those that it adds."""
    (lines,) = (text.splitlines() for kind, text in sections().values() if kind == "diff")
    assert {line[0] for line in lines} == {" ", "+"}
    return tuple([line[1:] for line in lines if line[0] == sign] for sign in " +")  # type: ignore[return-value]


@dataclass(frozen=True)
class Copy:
    """A checkout to which the page was done."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of this run's own settings, and the copy's code before the checkout's."""
        own = ("LUOSHU_", "MAKE", "PYTEST")
        kept = {k: v for k, v in os.environ.items() if k != "PYTHON" and not k.startswith(own)}
        path = os.pathsep.join((str(self.root), str(self.root / "sdk")))
        return kept | {"PYTHONPATH": path, "MFLAGS": ""}

    def run(self, *words: str | Path, **more: str) -> str:
        """Run a command in the copy and return what it prints; it must succeed."""
        done = subprocess.run(
            words,
            cwd=self.root,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def python(self, *words: str, **more: str) -> str:
        return self.run(sys.executable, *words, **more)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The checkout with the page's files and line, and what `make generate` makes of them."""
    root = tmp_path_factory.mktemp("checkout")
    copied = Copy(root)
    for path in tracked():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, root / path)
    for path, content in new_files().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    add_the_line(root / "app" / "catalogue.py")
    # The interpreter that runs the tests has what `make setup` would install.
    copied.run("make", "-o", ".venv/.ready-dev", f"PYTHON_BIN={sys.executable}", "generate")
    return copied


def tracked() -> list[str]:
    """Return the checkout's files, those that are not committed yet too."""
    listed = ("git", "-c", "safe.directory=*", "ls-files", "-zco", "--exclude-standard")
    out = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for path in out.split("\0") if path and (ROOT / path).is_file()]


def add_the_line(catalogue: Path) -> None:
    present, added = ("".join(f"{line}\n" for line in lines) for lines in change())
    text = catalogue.read_text(encoding="utf-8")
    assert text.count(present) == 1
    catalogue.write_text(text.replace(present, present + added), encoding="utf-8")


@dataclass(frozen=True)
class Served:
    """The copy's services at work. `settings`: the environment of a command that talks to them."""

    copy: Copy
    settings: dict[str, str]

    def luoshu(self, *words: str) -> str:
        return self.copy.python("-m", "app.cli", *words, **self.settings)

    def until(self, expected: Sequence[str], *words: str) -> str:
        """Repeat a command until all that is expected stands in what it prints."""
        end = time.monotonic() + PATIENCE
        while not all(word in (out := self.luoshu(*words)) for word in expected):
            assert time.monotonic() < end, f"{expected} not in {out}"
            time.sleep(0.2)
        return out


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(scope="module")
def served(copy: Copy) -> Iterator[Served]:
    """`luoshu serve` in the copy: all services, the new one among them."""
    address = free_address()
    own = {
        "LUOSHU_DATA_DIR": str(copy.root / "data"),
        "LUOSHU_LISTEN": address,
        "LUOSHU_METRICS_LISTEN": free_address(),
        "LUOSHU_AUDIT_HTTP_LISTEN": free_address(),
        "LUOSHU_LOG_FORMAT": "json",
    }
    log = (copy.root / "serve.log").open("w")
    words = (sys.executable, "-m", "app.cli", "serve")
    with subprocess.Popen(words, cwd=copy.root, env=copy.environment | own, stderr=log) as process:
        try:
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(PATIENCE)
            yield Served(copy, {"LUOSHU_ADDRESS": address, **exported()})
        finally:
            process.terminate()
    assert process.returncode == 0


def test_the_page_asks_for_one_folder_one_proto_and_one_line() -> None:
    files = new_files()
    assert [path for path in files if not path.startswith(FOLDERS)] == []
    assert len([path for path in files if path.endswith(".proto")]) == 1
    assert {Path(path).parent for path in files if path.endswith(".py")} == {Path(FOLDERS[1])}
    assert len(change()[1]) == 1


def test_what_the_page_writes_and_what_is_generated_pass_the_checks(copy: Copy) -> None:
    ours = ["services/scenarios", "migrations/scenarios", "app/catalogue.py"]
    copy.python("-m", "ruff", "check", *ours)
    copy.python("-m", "ruff", "format", "--check", *ours)
    copy.run(Path(sys.executable).with_name("buf"), "lint")
    copy.python("tools/generate.py", "--check")


def test_the_generated_migration_makes_exactly_the_registrys_tables(copy: Copy) -> None:
    tests = "tests/unit/test_migrations.py"
    out = copy.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "scenarios", tests)
    assert re.search(r"\b4 passed", out), out


def test_no_other_service_gets_another_port(copy: Copy) -> None:
    show = "from app.settings import table\nprint(*[f'{s.name}={s.default}' for s in table()], sep='\\n')"
    before, after = Copy(ROOT).python("-c", show), copy.python("-c", show)
    new = set(after.splitlines()) - set(before.splitlines())
    assert set(before.splitlines()) <= set(after.splitlines())
    assert all(line.startswith("SCENARIOS_") for line in new)
    addresses = [line.split("=")[1] for line in after.splitlines() if "_LISTEN=" in line]
    alone = addresses[2:]  # the first two are those of all services in one process
    assert len(alone) == len(set(alone))


def test_the_printed_pages_tell_of_the_new_registry(copy: Copy) -> None:
    copy.python("-m", "app.docs")
    for page, said in (
        ("lifecycles", "`publish`"),
        ("api", "PublishScenario"),
        ("settings", "SCENARIOS_"),
    ):
        assert said in (copy.root / "docs" / f"{page}.md").read_text(encoding="utf-8")


def test_a_file_of_the_new_registry_is_mapped_by_the_fields_names(copy: Copy) -> None:
    show = """
from app.importing.headers import headings
from luoshu.client.contract import kinds
print(*headings(kinds()["scenarios"], "en"))
"""
    fields = "key id effective_date title open_until supplier"
    assert copy.python("-c", show).split() == fields.split()


def test_the_rules_refuse_in_both_languages(served: Served) -> None:
    served.luoshu("create", "scenarios", "--id", "no-day", "--field", "title=x")
    words = (sys.executable, "-m", "app.cli", "publish", "scenarios/no-day")
    environment = served.copy.environment | served.settings
    done = subprocess.run(
        words, env=environment, cwd=served.copy.root, capture_output=True, check=False
    )
    assert done.returncode != 0
    assert "open_until is empty" in done.stderr.decode()
    assert "未填写征集截止日期" in done.stderr.decode()


def test_the_pages_commands_do_what_the_page_says(served: Served) -> None:
    create, publish, match, list_, get, audit = (words[1:] for words in commands())
    assert "DRAFT" in served.luoshu(*create)
    assert "PUBLISHED" in served.luoshu(*publish)
    assert "宇通客车" in served.luoshu(*match)
    assert [found["name"] for found in json.loads(served.luoshu(*list_, "-o", "json"))] == [NAME]
    assert json.loads(served.luoshu(*get, "-o", "json"))["state"] == "STATE_DRAFT"
    entries = json.loads(served.until(["match"], *audit, "-o", "json"))
    assert [entry["change"]["action"] for entry in entries] == ["match", "publish", "create"]
    assert "publish" in served.luoshu("lifecycle", "scenarios")
    assert watched(served, 3) == ["create", "publish", "match"]
    assert_no_consumer_is_disturbed(served)


def watched(served: Served, count: int) -> list[str]:
    """Return the actions of the first changes that `luoshu watch` tells."""
    words = (sys.executable, "-m", "app.cli", "watch", NAME, "--after", "0", "-o", "json")
    environment = served.copy.environment | served.settings
    with subprocess.Popen(
        words, cwd=served.copy.root, env=environment, stdout=subprocess.PIPE
    ) as told:
        assert told.stdout
        lines = [json.loads(told.stdout.readline()) for _ in range(count)]
        told.terminate()
    return [line["change"]["action"] for line in lines]


def assert_no_consumer_is_disturbed(served: Served) -> None:
    """Reports do not know the new journal, and go on with the ones that they know."""
    log = (served.copy.root / "serve.log").read_text(encoding="utf-8")
    assert "consumer_stalled" not in log
    assert "Traceback" not in log

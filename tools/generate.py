"""Turns the contract under proto/ into Python under sdk/, or with --check says where sdk/ differs.

The generated files are checked in, so that a department installs the SDK without a compiler.
"""

import argparse
import filecmp
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.docs.contract import Contract, read

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
SDK = ROOT / "sdk"
PACKAGES = ("buf", "luoshu")
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi", "comments.json")
READS = ("Get", "List", "Create", "Update", "BatchCreate", "Import", "Watch")
EVERY_CALL = {"name", "etag", "request_id", "validate_only", "effective_date"}
"""Fields of every action, of which the command line has its own words."""


def main() -> int:
    """Writes sdk/, or compares it with what the contract gives; 1 when they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        compile_contract(fresh)
        changes = list(differences(fresh, SDK))
        if check:
            return report(changes)
        for change in changes:
            take_over(change, fresh, SDK)
    return 0


def compile_contract(into: Path) -> None:
    """Compiles our packages with stubs and services; of the vendored files only buf.validate.

    google.* comes with googleapis-common-protos: generating it too would register each file twice.
    """
    ours = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "luoshu").rglob("*.proto"))
    protoc(into, ["python", "grpc_python", "mypy", "mypy_grpc"], ours)
    protoc(into, ["python", "mypy"], ["buf/validate/validate.proto"])
    target = into / "luoshu" / "client" / "comments.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(as_text(dict(sentences(read(PROTO)))), encoding="utf-8")


def as_text(content: dict[str, str]) -> str:
    """JSON with a line a name, in the order of the names, so that differences can be read."""
    return json.dumps(content, ensure_ascii=False, indent=0, sort_keys=True) + "\n"


def sentences(contract: Contract) -> Iterator[tuple[str, str]]:
    """First sentences of the actions' calls, and of what they and new records hold: help of the command line shows them."""
    messages = {f".{f.package}.{m.name}": m for f in contract.files for m in f.message_type}
    wanted: list[str] = []
    for file in contract.files:
        for service in file.service:
            for call in service.method:
                if call.name.startswith("Create"):
                    wanted.append(call.input_type)
                if not call.name.startswith(READS):
                    name = f"{file.package}.{service.name}.{call.name}"
                    yield name, first_sentence(contract.comment(name))
                    wanted.append(call.input_type)
    for message in reached(wanted, messages):
        own = (f for f in messages[message].field if f.name not in EVERY_CALL)
        for field in own:
            name = f"{message[1:]}.{field.name}"
            yield name, first_sentence(contract.comment(name))


def reached(wanted: list[str], messages: dict[str, Any]) -> Iterator[str]:
    """Messages that are named, and those within them, each once."""
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in messages and name not in seen:
            seen.add(name)
            wanted += [field.type_name for field in messages[name].field]
            yield name


def first_sentence(comment: str) -> str:
    """Text up to the first full stop that ends a sentence; what a colon introduces stays with it."""
    return " ".join(comment.split()).split(". ", 1)[0].rstrip(".")


def protoc(into: Path, plugins: list[str], sources: list[str]) -> None:
    """Runs the compiler of grpcio-tools with the mypy-protobuf plugins of the same environment."""
    beside = Path(sys.executable).parent
    subprocess.run(
        [
            sys.executable,
            *("-m", "grpc_tools.protoc"),
            *(f"-I{folder}" for folder in (PROTO, PROTO / "third_party")),
            *(f"--plugin={beside / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")),
            *(f"--{plugin}_out={into}" for plugin in plugins),
            *("--mypy_opt=quiet", "--mypy_grpc_opt=quiet"),
            *sources,
        ],
        check=True,
    )


def generated(folder: Path) -> set[Path]:
    """Generated files of our packages below a folder, as paths relative to it."""
    return {
        path.relative_to(folder)
        for package in PACKAGES
        for path in (folder / package).rglob("*")
        if path.name.endswith(SUFFIXES)
    }


def differences(fresh: Path, present: Path) -> Iterator[Path]:
    """Files that are missing, left over or different, in the order of their names."""
    new, old = generated(fresh), generated(present)
    for path in sorted(new | old):
        both = path in new and path in old
        if not (both and filecmp.cmp(fresh / path, present / path, shallow=False)):
            yield path


def take_over(path: Path, fresh: Path, present: Path) -> None:
    """Makes one present file what the fresh one is; unchanged files keep their time stamps."""
    if not (fresh / path).exists():
        (present / path).unlink()
        return
    (present / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(fresh / path, present / path)


def report(changes: list[Path]) -> int:
    """Names the files that differ from the contract; 1 when there are some."""
    for path in changes:
        print(f"sdk/{path} is not what proto/ gives", file=sys.stderr)
    if changes:
        print("run: make generate   请运行：make generate", file=sys.stderr)
    return int(bool(changes))


if __name__ == "__main__":
    sys.exit(main())

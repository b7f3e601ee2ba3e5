"""Makes the peers' programs, once: `build/bench` then holds them. Needs Go; modules are pinned by go.sum."""

import os
import shutil
import subprocess
from pathlib import Path

from app.settings import ROOT

HERE = Path(__file__).parent
BUILT = ROOT / "build" / "bench"
DESCRIPTOR = BUILT / "peer.binpb"
POCKETBASE = "github.com/pocketbase/pocketbase/examples/base@v0.36.8"
PROTOC_GEN_GO = "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12"
PROTOC_GEN_GO_GRPC = "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.0"


def program(name: str) -> Path:
    """Return the path of `service` or `load`, built if it is not there or older than its source."""
    out, source = BUILT / name, HERE / name / "main.go"
    if not out.exists() or out.stat().st_mtime < source.stat().st_mtime:
        _generate()
        _go("build", "-o", str(out), f"./{name}", folder=_module())
    return out


def pocketbase() -> Path:
    """Return PocketBase's own example server, as it comes."""
    out = BUILT / "base"
    if not out.exists():
        _go("install", POCKETBASE, GOBIN=str(BUILT), CGO_ENABLED="0")
    return out


def _module() -> Path:
    """Return a copy of the Go module with its generated code: nothing is written beside the source."""
    folder = BUILT / "module"
    shutil.copytree(
        HERE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    return folder


def _generate() -> None:
    BUILT.mkdir(parents=True, exist_ok=True)
    for plugin in (PROTOC_GEN_GO, PROTOC_GEN_GO_GRPC):
        if not (BUILT / plugin.split("@")[0].rsplit("/", 1)[1]).exists():
            _go("install", plugin, GOBIN=str(BUILT))
    from grpc_tools import protoc

    code = _module() / "peerpb"
    code.mkdir(exist_ok=True)
    asked = [
        "protoc", f"-I{HERE}", f"--descriptor_set_out={DESCRIPTOR}",
        f"--go_out={code}", "--go_opt=paths=source_relative",
        f"--go-grpc_out={code}", "--go-grpc_opt=paths=source_relative", "peer.proto",
    ]  # fmt: skip
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{BUILT}{os.pathsep}{before}"
    try:
        if protoc.main(asked):
            raise RuntimeError("protoc refused peer.proto")
    finally:
        os.environ["PATH"] = before


def _go(*arguments: str, folder: Path | None = None, **more: str) -> None:
    subprocess.run(
        (ROOT / "tools" / "go", *arguments),
        cwd=folder or BUILT,
        check=True,
        env={**os.environ, **more},
    )

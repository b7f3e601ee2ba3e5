"""The contract with its comments, as the compiler of the protos sees it."""

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

# Numbers of fields in descriptor.proto, of which a place in a file is made.
MESSAGES, ENUMS, SERVICES = 4, 5, 6
FIELDS, INNER_MESSAGES, INNER_ENUMS = 2, 3, 4
VALUES = METHODS = 2

Path_ = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Contract:
    """Our packages' files in the order of their names, and the comment of everything by its full name."""

    files: tuple[FileDescriptorProto, ...]
    comments: dict[str, str]

    def comment(self, name: str) -> str:
        """Return what stands above it, line by line; empty where nothing does."""
        return self.comments.get(name, "")


def read(folder: Path) -> Contract:
    """Compile the protos below a folder. Raises CalledProcessError where they do not compile."""
    sources = sorted(str(path.relative_to(folder)) for path in (folder / "luoshu").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as into:
        out = Path(into) / "contract.binpb"
        subprocess.run(  # noqa: S603 - fixed arguments
            [
                *(sys.executable, "-m", "grpc_tools.protoc"),
                *(f"-I{folder}", f"-I{folder / 'third_party'}"),
                *("--include_source_info", f"--descriptor_set_out={out}", *sources),
            ],
            check=True,
        )
        files = FileDescriptorSet.FromString(out.read_bytes()).file
    comments = {name: text for file in files for name, text in _comments(file)}
    return Contract(tuple(files), comments)


def _comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    said = {tuple(at.path): at.leading_comments for at in file.source_code_info.location}
    for path, name in _places(file):
        text = "\n".join(line.removeprefix(" ") for line in said.get(path, "").splitlines())
        if text:
            yield name, text


def _places(file: FileDescriptorProto) -> Iterator[tuple[Path_, str]]:
    package = file.package
    for n, message in enumerate(file.message_type):
        yield from _of_message(message, (MESSAGES, n), f"{package}.{message.name}")
    for n, enum in enumerate(file.enum_type):
        yield from _of_enum(enum, (ENUMS, n), f"{package}.{enum.name}")
    for n, service in enumerate(file.service):
        yield from _named(service.method, (SERVICES, n), METHODS, f"{package}.{service.name}")


def _of_message(message: DescriptorProto, path: Path_, name: str) -> Iterator[tuple[Path_, str]]:
    yield from _named(message.field, path, FIELDS, name)
    for n, inner in enumerate(message.nested_type):
        yield from _of_message(inner, (*path, INNER_MESSAGES, n), f"{name}.{inner.name}")
    for n, enum in enumerate(message.enum_type):
        yield from _of_enum(enum, (*path, INNER_ENUMS, n), f"{name}.{enum.name}")


def _of_enum(enum: EnumDescriptorProto, path: Path_, name: str) -> Iterator[tuple[Path_, str]]:
    yield from _named(enum.value, path, VALUES, name)


def _named(
    items: Iterable[Any], path: Path_, number: int, name: str
) -> Iterator[tuple[Path_, str]]:
    """Yield a thing and the named things in it."""
    yield path, name
    for n, item in enumerate(items):
        yield (*path, number, n), f"{name}.{item.name}"

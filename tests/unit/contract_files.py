"""The contract as protoc sees it, comments and all."""

import functools
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2

PROTO = Path(__file__).parents[2] / "proto"


@dataclass(frozen=True)
class Element:
    """One thing that the contract declares. `kind`: message, field, enum, value, service or rpc."""

    kind: str
    path: str
    comment: str
    proto: Any

    def __str__(self) -> str:
        return self.path


@functools.cache
def files() -> tuple[descriptor_pb2.FileDescriptorProto, ...]:
    """Compile the contract with its source information. Takes about a second."""
    ours = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "luoshu").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "contract.binpb"
        subprocess.run(
            [
                sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"-I{PROTO / 'third_party'}",
                "--include_source_info", f"--descriptor_set_out={out}", *ours,
            ],
            check=True,
        )  # fmt: skip
        return tuple(descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file)


@functools.cache
def elements() -> tuple[Element, ...]:
    return tuple(element for file in files() for element in _elements(file))


def _elements(file: descriptor_pb2.FileDescriptorProto) -> Iterator[Element]:
    comments = {tuple(at.path): at.leading_comments for at in file.source_code_info.location}
    for index, message in enumerate(file.message_type):
        yield from _message(message, (4, index), file.package, comments)
    for index, enum in enumerate(file.enum_type):
        yield from _enum(enum, (5, index), file.package, comments)
    for index, service in enumerate(file.service):
        path = f"{file.package}.{service.name}"
        yield Element("service", path, comments.get((6, index), ""), service)
        for at, rpc in enumerate(service.method):
            comment = comments.get((6, index, 2, at), "")
            yield Element("rpc", f"{path}.{rpc.name}", comment, rpc)


def _message(
    message: Any, at: tuple[int, ...], outer: str, comments: dict[Any, str]
) -> Iterator[Element]:
    path = f"{outer}.{message.name}"
    if message.options.map_entry:
        return
    yield Element("message", path, comments.get(at, ""), message)
    for index, field in enumerate(message.field):
        comment = comments.get((*at, 2, index), "")
        yield Element("field", f"{path}.{field.name}", comment, field)
    for index, inner in enumerate(message.nested_type):
        yield from _message(inner, (*at, 3, index), path, comments)
    for index, enum in enumerate(message.enum_type):
        yield from _enum(enum, (*at, 4, index), path, comments)


def _enum(
    enum: Any, at: tuple[int, ...], outer: str, comments: dict[Any, str]
) -> Iterator[Element]:
    path = f"{outer}.{enum.name}"
    yield Element("enum", path, comments.get(at, ""), enum)
    for index, value in enumerate(enum.value):
        comment = comments.get((*at, 2, index), "")
        yield Element("value", f"{path}.{value.name}", comment, value)

"""The contract as data: which kinds of record there are, and which call acts on which, found in the
generated descriptors.
"""

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import grpc
from google.api import resource_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

COMMON = {"Get", "Create", "Update"}


@dataclass(frozen=True)
class Kind:
    """One kind of record.

    `noun`: `Platform`. `collection`: `platforms`, as in `platforms/songshan-laboratory`.
    """

    noun: str
    collection: str
    record: type[Message]
    service: ServiceDescriptor

    @cached_property
    def plural(self) -> str:
        """`Platforms`, as in `ListPlatforms`."""
        return next(
            (
                name.removeprefix("List")
                for name in self.service.methods_by_name
                if name.startswith("List") and name[4:].lower() == self.collection
            ),
            f"{self.noun}s",
        )

    @cached_property
    def package(self) -> str:
        """`platforms`: the service's name, as in its topic and in its code's folder."""
        return str(self.service.file.package.split(".")[1])

    @cached_property
    def actions(self) -> Mapping[str, MethodDescriptor]:
        """The lifecycle's actions in the contract's order: `request-completion` and the call that
        does it.
        """
        found = {}
        for method in self.service.methods:
            verb = method.name.removesuffix(self.noun)
            acts = method.output_type.full_name == self.record.DESCRIPTOR.full_name
            if acts and verb and verb != method.name and verb not in COMMON:
                found[kebab(verb)] = method
        return found

    def method(self, name: str) -> MethodDescriptor:
        """Return the call `ListPlatforms` of this kind's service. Raises KeyError."""
        return self.service.methods_by_name[name]


def kebab(name: str) -> str:
    """Return `request-completion` for `RequestCompletion`."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


@cache
def kinds() -> Mapping[str, Kind]:
    """Return every kind of record by its collection."""
    return {kind.collection: kind for service in services() for kind in _of(service)}


@cache
def services() -> tuple[ServiceDescriptor, ...]:
    """Return every gRPC service of the packages `luoshu.<name>.v1`."""
    import luoshu

    files = sorted(file for part in luoshu.__path__ for file in Path(part).glob("*/v1/*_pb2.py"))
    codes = [
        importlib.import_module(f"luoshu.{file.parts[-3]}.v1.{file.stem}")
        for file in files
        if file.stem == f"{file.parts[-3]}_pb2"
    ]
    return tuple(s for code in codes for s in code.DESCRIPTOR.services_by_name.values())


@cache
def comments() -> Mapping[str, str]:
    """Return what the contract says of the actions' calls, of what they ask for, and of records' fields, by full name.

    Descriptors have no comments at run time: `make generate` writes their first sentences.
    """
    text = Path(__file__).with_name("comments.json").read_text("utf-8")
    found: Mapping[str, str] = json.loads(text)
    return found


def request_of(method: MethodDescriptor) -> type[Message]:
    """Return the class of a call's request."""
    return GetMessageClass(method.input_type)


def caller(channel: grpc.Channel, method: MethodDescriptor) -> Callable[..., Any]:
    """Return the function that calls `method` over a channel, as a generated stub would have it."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    makers: dict[tuple[bool, bool], Callable[..., Any]] = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    make = makers[method.client_streaming, method.server_streaming]
    answer = GetMessageClass(method.output_type)
    return make(  # type: ignore[no-any-return]
        path,
        request_serializer=request_of(method).SerializeToString,
        response_deserializer=answer.FromString,
    )


def _of(service: ServiceDescriptor) -> Iterator[Kind]:
    for method in service.methods:
        noun = method.name.removeprefix("Get")
        if (
            method.name == f"Get{method.output_type.name}"
            and "name" in method.output_type.fields_by_name
        ):
            record = GetMessageClass(method.output_type)
            yield Kind(noun, _collection(method.output_type), record, service)


def plural_of(word: str) -> str:
    """Return `entries` for `entry`, `platforms` for `platform`."""
    return f"{word.removesuffix('y')}ies" if word.endswith("y") else f"{word}s"


def _collection(record: Descriptor) -> str:
    options: Any = record.GetOptions()
    resource = options.Extensions[resource_pb2.resource]
    pattern = resource.pattern[0] if resource.pattern else plural_of(record.name.lower())
    return pattern.split("/", 1)[0]

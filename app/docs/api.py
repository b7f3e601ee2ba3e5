"""docs/api.md: services, their RPCs, their records."""

from collections.abc import Iterator
from typing import Any

from google.api import field_behavior_pb2, resource_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from app.catalogue import REGISTRIES
from app.docs.contract import Contract
from app.docs.text import codes, table

COMMON = frozenset({"name", "etag", "request_id", "validate_only", "effective_date"})
"""Fields of requests that the page tells once."""
OWN = 20
"""From which number on a field is a record's own; below are those that every record has."""
ABOUT = """# API

Services, RPCs and records of the contract under `proto/`. An RPC that changes a record takes `request_id` (a repeat gets the
first answer; a new UUID a change, [AIP-155](https://google.aip.dev/155), for a service's ids are one space for all its callers),
`validate_only` and `effective_date` (from 1900 on; of an imported row from 1800 on), and on a record that exists `name` and
`etag` too; *asks for* names the other fields. Who may do what, and when, is in [lifecycles.md](lifecycles.md), the refusals are
in [errors.md](errors.md).
"""


def page(contract: Contract) -> str:
    """Return the page."""
    parts = [ABOUT]
    for file in contract.files:
        parts += [_service(contract, file, service) for service in file.service]
        parts += [_record(contract, file, message) for message in _records(file)]
    parts.append(_common(contract))
    return "\n".join(parts)


def _service(contract: Contract, file: FileDescriptorProto, service: ServiceDescriptorProto) -> str:
    name = f"{file.package}.{service.name}"
    messages = {f".{file.package}.{message.name}": message for message in file.message_type}
    rows = [
        (
            f"`{method.name}`",
            contract.comment(f"{name}.{method.name}"),
            _own(messages.get(method.input_type)),
            _answer(method),
        )
        for method in service.method
    ]
    heading = f"## {service.name}\n\n`{name}`\n\n{contract.comment(name)}\n\n"
    return heading + table(("RPC", "What it does", "Asks for", "Answer"), rows)


def _own(request: DescriptorProto | None) -> str:
    fields = request.field if request else ()
    return codes(field.name for field in fields if field.name not in COMMON)


def _answer(method: MethodDescriptorProto) -> str:
    stream = "stream of " if method.server_streaming else ""
    both = " (both ways)" if method.client_streaming and method.server_streaming else ""
    return f"{stream}`{_short(method.output_type)}`{both}"


def _records(file: FileDescriptorProto) -> Iterator[DescriptorProto]:
    resource: Any = resource_pb2.resource
    return (message for message in file.message_type if message.options.HasExtension(resource))


def _record(contract: Contract, file: FileDescriptorProto, message: DescriptorProto) -> str:
    common = any(field.name == "allowed_actions" for field in message.field)
    first = OWN if common else 0
    fields = [field for field in message.field if field.number >= first]
    name = f"{file.package}.{message.name}"
    beside = " It has [what every record has](#what-every-record-has), and:" if common else ""
    heading = f"### {message.name}\n\n{contract.comment(name)}{beside}\n\n"
    return heading + _fields(contract, name, fields)


def _common(contract: Contract) -> str:
    record = REGISTRIES[0].resources[0].record.DESCRIPTOR
    file = next(file for file in contract.files if file.package == record.file.package)
    message = next(message for message in file.message_type if message.name == record.name)
    fields = [field for field in message.field if field.number < OWN]
    printed = _fields(contract, record.full_name, fields)
    noun = record.name.lower()
    printed = printed.replace(f"`{noun}s/…`", "`<collection>/…`").replace(f"`{record.name}.", "`")
    return f"## What every record has\n\n{printed}"


def _fields(contract: Contract, name: str, fields: list[FieldDescriptorProto]) -> str:
    rows = [
        (str(f.number), f"`{f.name}`", _type(f), contract.comment(f"{name}.{f.name}") + _marks(f))
        for f in fields
    ]
    return table(("No.", "Field", "Type", "What it is"), rows)


def _type(field: FieldDescriptorProto) -> str:
    kind = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    many = "list of " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
    return f"{many}`{_short(field.type_name) if field.type_name else kind}`"


def _marks(field: FieldDescriptorProto) -> str:
    behaviour: Any = field_behavior_pb2.field_behavior
    marks: list[Any] = list(field.options.Extensions[behaviour])
    said = {
        field_behavior_pb2.OUTPUT_ONLY: "Written by the service.",
        field_behavior_pb2.REQUIRED: "Required.",
    }
    return "".join(f" *{said[mark]}*" for mark in marks if mark in said)


def _short(name: str) -> str:
    """`.luoshu.platforms.v1.Platform` → `Platform`; a foreign name stays whole."""
    name = name.removeprefix(".")
    return (
        ".".join(part for part in name.split(".") if part[0].isupper())
        if name.startswith("luoshu.")
        else name
    )

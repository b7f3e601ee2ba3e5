"""What a service declares: its contract, its event, its records, their lifecycles, the columns to search by."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor

from kernel.book import Book
from kernel.lifecycle import Lifecycle


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the record that lists filter by: a path such as `title` or `origin.foreign_id`.

    Strings, enums, whole numbers, booleans, `google.type.Date`, timestamps, and repeated strings (for `:`).
    `sorted`: lists may be ordered by it, which costs an index. `sought`: rules ask for records by it (`Case.find`), likewise.
    """

    path: str
    sorted: bool = False
    sought: bool = False


@dataclass(frozen=True, eq=False)  # there is one of each, and caches are keyed by it
class Resource:
    """One kind of record. `path_title`: the field that names it to a person."""

    record: Any
    lifecycle: Lifecycle
    columns: tuple[Column, ...] = ()
    title: str = "title"

    @cached_property
    def noun(self) -> str:
        """`Platform`: as in `CreatePlatform`."""
        return str(self.record.DESCRIPTOR.name)

    @cached_property
    def singular(self) -> str:
        """`platform`: as in the event's field."""
        return self.noun.lower()

    @cached_property
    def plural(self) -> str:
        """`Platforms`: as in `ListPlatforms`."""
        return f"{self.noun}s"

    @cached_property
    def collection(self) -> str:
        """`platforms`: as in `platforms/some-id`."""
        return f"{self.singular}s"

    def with_actions(self, body: bytes, actions: tuple[str, ...]) -> bytes:
        """Return a record's bytes with its `allowed_actions`: what is written behind a message is merged into it."""
        return body + texts(self._actions, actions)

    @cached_property
    def _actions(self) -> int:
        return int(self.record.DESCRIPTOR.fields_by_name["allowed_actions"].number)


@dataclass(frozen=True, eq=False)
class Service:
    """One journal and what it tells of.

    `contract`: the gRPC service. `event`: the message that its journal holds. `book`: how its records stand for money.
    """

    name: str
    contract: ServiceDescriptor
    event: Any
    resources: tuple[Resource, ...]
    book: Book | None = None

    @cached_property
    def by_collection(self) -> Mapping[str, Resource]:
        return {resource.collection: resource for resource in self.resources}

    def event_of(self, resource: Resource, change: Any, body: bytes) -> bytes:
        """Return the bytes of `event(change=change, <record>=…)` of a record that is bytes already: it is written down once."""
        number = self._numbers
        head = delimited(number["change"], change.SerializeToString())
        return head + delimited(number[resource.singular], body)

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {field.name: field.number for field in self.event.DESCRIPTOR.fields}

    def resource_of(self, name: str) -> Resource:
        """Return the kind of record that `name` is of. Raises KeyError."""
        return self.by_collection[name.split("/", 1)[0]]


def rpc_name(action: str, noun: str) -> str:
    """`request_completion`, `Platform` → `RequestCompletionPlatform`."""
    return "".join(word.title() for word in action.split("_")) + noun


LENGTH_DELIMITED = 2
"""Protobuf's wire type of texts and messages."""


@lru_cache(maxsize=4096)
def texts(number: int, values: tuple[str, ...]) -> bytes:
    """Return a repeated field of few texts that come again and again."""
    return b"".join(delimited(number, value.encode()) for value in values)


def delimited(number: int, content: bytes) -> bytes:
    """Return a field of a message as protobuf writes it: tag, length, bytes."""
    return varint(number << 3 | LENGTH_DELIMITED) + varint(len(content)) + content


@lru_cache(maxsize=4096)
def varint(number: int) -> bytes:
    """Return a number as protobuf writes it: seven bits a byte, the lowest first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)

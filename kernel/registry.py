"""What a service declares: its contract, its event, its records, their lifecycles, the columns to search by."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor

from kernel.lifecycle import Lifecycle


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the record that lists filter by: a path such as `title` or `origin.foreign_id`.

    Strings, enums, whole numbers, booleans, `google.type.Date`, timestamps, and repeated strings (for `:`).
    `sorted`: lists may be ordered by it, which costs an index.
    """

    path: str
    sorted: bool = False


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


@dataclass(frozen=True, eq=False)
class Service:
    """One journal and what it tells of. `contract`: the gRPC service. `event`: the message that its journal holds."""

    name: str
    contract: ServiceDescriptor
    event: Any
    resources: tuple[Resource, ...]

    @cached_property
    def by_collection(self) -> Mapping[str, Resource]:
        return {resource.collection: resource for resource in self.resources}

    def resource_of(self, name: str) -> Resource:
        """Return the kind of record that `name` is of. Raises KeyError."""
        return self.by_collection[name.split("/", 1)[0]]


def rpc_name(action: str, noun: str) -> str:
    """`request_completion`, `Platform` → `RequestCompletionPlatform`."""
    return "".join(word.title() for word in action.split("_")) + noun

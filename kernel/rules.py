"""What the contract's rules say of a message: protovalidate's word, as problems in both languages."""

from collections.abc import Callable
from typing import Any

import protovalidate
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet as Files
from protobuf import Registry
from protobuf.wkt import FileDescriptorSet

from kernel.errors import Problem
from kernel.violations import problems, room

PARTS = 500
"""Elements of lists in a message up to which everything wrong with it is told; of a larger one, the first. A finding keeps
the interpreter for 0.1 ms: a message of 4 MB made for it would stop the server for two minutes."""


class Rules:
    """Checks messages, each kind from its first on with rules that are compiled.

    A message is handed to protovalidate written down, as one of the library that it is made for: one of protobuf's it would
    ask for every field through the interpreter, which takes twice as long, longer than anything else that a change is asked.
    """

    def __init__(self) -> None:
        self._validator = protovalidate.Validator()
        self._files = Files()
        self._registry = Registry()
        self._readers = dict[Descriptor, Callable[[bytes], Any]]()

    def expect(self, kind: Descriptor) -> None:
        """Say that messages of a kind will come: what is expected together is made ready together, by the first of them."""
        self._add(kind.file)

    def first(self, message: Any) -> list[Problem]:
        """Return what is found wrong first, if anything is."""
        return problems(self._found(message, fail_fast=True), message)

    def broken(self, message: Any) -> list[Problem]:
        """Return what is wrong with a message: everything, or of a large one the first."""
        first = self._found(message, fail_fast=True)
        if first and room(message, PARTS) > 0:
            return problems(self._found(message, fail_fast=False), message)
        return problems(first, message) if first else []

    def _found(self, message: Any, *, fail_fast: bool) -> Any:
        kind = message.DESCRIPTOR
        read = self._readers.get(kind) or self._reader(kind)
        try:
            theirs = read(message.SerializeToString())
        except (ValueError, RecursionError):  # protobuf keeps what it cannot read of fields unknown
            theirs = message
        return self._validator.collect_violations(theirs, fail_fast=fail_fast)

    def _reader(self, kind: Descriptor) -> Callable[[bytes], Any]:
        if self._registry.message(kind.full_name) is None:
            self._add(kind.file)
            self._registry = FileDescriptorSet.from_binary(
                self._files.SerializeToString()
            ).to_registry()
        found = self._registry.message(kind.full_name)
        assert found is not None  # noqa: S101 - its file was just read
        self._readers[kind] = found.type.from_binary
        return self._readers[kind]

    def _add(self, file: FileDescriptor) -> None:
        """Add a file, behind those that it needs."""
        if any(known.name == file.name for known in self._files.file):
            return
        for needed in file.dependencies:
            self._add(needed)
        self._files.file.add().MergeFromString(file.serialized_pb)

"""What the contract's rules say of a message: protovalidate's word, as problems in both languages."""

import threading
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
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
SMALL = 16 * 1024
"""Bytes up to which a message is read a second time. A larger one could be made to hold the loop up for more than 10 ms: what
is read has an object for each of its messages, where protobuf makes those only that are asked for.
"""
READS = find_spec("protobuf_ext") is not None
"""Whether protovalidate's own library is compiled here: read in Python a message takes four times as long as it is asked."""


class Rules:
    """Checks messages, each kind from its first on with rules that are compiled.

    A message is handed to protovalidate written down, as one of the library that it is made for: one of protobuf's it would
    ask for every field through the interpreter, which takes twice as long, longer than anything else that a change is asked.
    """

    def __init__(self) -> None:
        self._validator = protovalidate.Validator()
        self._making = threading.Lock()
        self._files = Files()
        self._registry = Registry()
        self._readers = dict[Descriptor, Callable[[bytes], Any]]()

    def expect(self, kind: Descriptor) -> None:
        """Say that messages of a kind will come: what is expected together is made ready together, by the first of them."""
        self._add(kind.file)

    def first(self, message: Any) -> list[Problem]:
        """Return what is found wrong first, if anything is."""
        return problems(self._first(self._theirs(message)), message)

    def broken(self, message: Any) -> list[Problem]:
        """Return what is wrong with a message: everything, or of a large one the first."""
        theirs = self._theirs(message)
        found = self._first(theirs)
        if found and room(message, PARTS) > 0:
            found = self._validator.collect_violations(theirs)
        return problems(found, message)

    def _first(self, theirs: Any) -> Any:
        return self._validator.collect_violations(theirs, fail_fast=True)

    def _theirs(self, message: Any) -> Any:
        """Return a message as one of protovalidate's own library, where that is the shorter way."""
        written = message.SerializeToString()
        if len(written) > SMALL or not READS:
            return message
        kind = message.DESCRIPTOR
        read = self._readers.get(kind) or self._reader(kind)
        try:
            return read(written)
        except (ValueError, RecursionError):  # protobuf keeps what it cannot read of fields unknown
            return message

    def _reader(self, kind: Descriptor) -> Callable[[bytes], Any]:
        with self._making:
            if self._registry.message(kind.full_name) is None:
                self._add(kind.file)
                files = FileDescriptorSet.from_binary(self._files.SerializeToString())
                self._registry = files.to_registry()
            found = self._registry.message(kind.full_name)
            assert found is not None  # noqa: S101 - its file was just read
            read = partial(found.type.from_binary, ignore_unknown_fields=True)
            read(b"")  # completes the type, which two threads may not do at once
            self._readers[kind] = read
        return read

    def _add(self, file: FileDescriptor) -> None:
        """Add a file, behind those that it needs."""
        if any(known.name == file.name for known in self._files.file):
            return
        for needed in file.dependencies:
            self._add(needed)
        self._files.file.add().MergeFromString(file.serialized_pb)

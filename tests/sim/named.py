"""Faults that no simulated run can show, each with the named check that catches it: how the engines are asked to behave."""

import inspect
import textwrap
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from kernel import database, kafka
from services.audit import merkle

FULL = 2  # PRAGMA synchronous
SIZES = range(1, 18)


@dataclass(frozen=True)
class Named:
    """`check` passes on the code as it is, and raises AssertionError with the fault planted."""

    name: str
    plant: Callable[[], AbstractContextManager[Any]]
    check: Callable[[], None]


def commits_reach_the_disk() -> None:
    """A commit on SQLite is synced: in WAL mode only FULL syncs the log at each."""
    with TemporaryDirectory() as folder:
        engine = database.writing(f"sqlite:///{Path(folder) / 'any'}")
        with engine.connect() as tx:
            found = tx.exec_driver_sql("PRAGMA synchronous").scalar_one()
        engine.dispose()
    assert found == FULL, f"synchronous is {found}"


class _Consumer:
    """Takes what a KafkaConsumer is configured with."""

    said: dict[str, Any]

    def __init__(self, **said: Any) -> None:
        type(self).said = said

    def assign(self, _partitions: Any) -> None: ...

    def close(self) -> None: ...


def _asked() -> dict[str, Any]:
    """Return what the bus asks of its consumer."""
    with patch.object(kafka, "KafkaConsumer", _Consumer):
        topic = kafka.Topic("127.0.0.1:1", "platforms")
        topic.open()
        topic.close()
    return _Consumer.said


def the_broker_keeps_no_offsets() -> None:
    """The cursor lies with its effects; an offset that the client commits by itself could be ahead of them."""
    said = _asked()
    assert said["enable_auto_commit"] is False, "offsets are committed without their effects"
    assert said["group_id"] is None, "a group keeps offsets at the broker"


def a_lost_offset_is_an_error() -> None:
    """Where an offset is gone the consumer stops, rather than go on at the end and miss what lies between."""
    said = _asked()
    assert said["auto_offset_reset"] == "none", f"resets to {said['auto_offset_reset']}"


def _leaf(number: int) -> bytes:
    return merkle.leaf_hash(f"entry {number}".encode())


def _log(size: int) -> tuple[merkle.Tree, Callable[[int, int], bytes]]:
    tree, added = merkle.extend(merkle.Tree(), [_leaf(n) for n in range(size)])
    nodes = {(node.level, node.place): node.hash for node in added}
    return tree, lambda level, place: nodes[level, place]


def every_proof_step_counts() -> None:
    """No hash of a proof can be left out or altered: each decides."""
    for last in SIZES:
        tree, nodes = _log(last)
        for first in range(1, last):
            old, proof = _log(first)[0].root, merkle.consistency_proof(first, last, nodes)
            assert merkle.consistency_holds(first, last, old, tree.root, proof)
            for forged in _forged(proof):
                held = merkle.consistency_holds(first, last, old, tree.root, forged)
                assert not held, f"{first} to {last}: a forged proof holds"
            held = merkle.consistency_holds(first, last, bytes(32), tree.root, proof)
            assert not held, f"{first} to {last}: a proof holds for another beginning"
        for index in range(last):
            proof = merkle.inclusion_proof(index, last, nodes)
            assert merkle.inclusion_holds(index, last, _leaf(index), proof, tree.root)
            for forged in _forged(proof):
                held = merkle.inclusion_holds(index, last, _leaf(index), forged, tree.root)
                assert not held, f"entry {index} of {last}: a forged proof holds"


def _forged(proof: list[bytes]) -> list[list[bytes]]:
    """Each hash once altered, once left out; and one too many."""
    altered = [[*proof[:n], bytes(32), *proof[n + 1 :]] for n in range(len(proof))]
    shorter = [[*proof[:n], *proof[n + 1 :]] for n in range(len(proof))]
    return [*altered, *shorter, [*proof, bytes(32)]]


_climb = merkle._climb


def _old_root_unchecked(first: int, last: int, hashes: Any, digest: Any) -> Any:
    """As a verifier that computes the new root only, and takes the old one on trust."""
    found = _climb(first, last, hashes, digest)
    return _Anything(found) if found else None


class _Anything(tuple):  # type: ignore[type-arg]
    """Equal to every pair with the same second part."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple) and self[1] == other[1]

    __hash__ = tuple.__hash__


def mutated(owner: Any, name: str, old: str, new: str) -> AbstractContextManager[Any]:
    """Return a patch that puts other words into the source of a function."""
    function = getattr(owner, name)
    source, scope = textwrap.dedent(inspect.getsource(function)), dict[str, Any]()
    assert source.count(old) == 1, f"{name} has no {old}"
    exec(source.replace(old, new), function.__globals__, scope)
    return patch.object(owner, name, scope[name])


def _normal() -> AbstractContextManager[Any]:
    pragmas = [p.replace("synchronous=FULL", "synchronous=NORMAL") for p in database.SQLITE_PRAGMAS]
    return patch.object(database, "SQLITE_PRAGMAS", tuple(pragmas))


NAMED: tuple[Named, ...] = (
    Named("synchronous=NORMAL", _normal, commits_reach_the_disk),
    Named(
        "auto-commit on",
        lambda: mutated(kafka.Topic, "open", "enable_auto_commit=False", "enable_auto_commit=True"),
        the_broker_keeps_no_offsets,
    ),
    Named(
        "reset to latest",
        lambda: mutated(kafka.Topic, "open", '"none"', '"latest"'),
        a_lost_offset_is_an_error,
    ),
    Named(
        "a verifier that takes the old root on trust",
        lambda: patch.object(merkle, "_climb", _old_root_unchecked),
        every_proof_step_counts,
    ),
    Named(
        "a verifier that skips the last step",
        lambda: mutated(merkle, "inclusion_holds", "last == 0 and here == root", "last == 0"),
        every_proof_step_counts,
    ),
)

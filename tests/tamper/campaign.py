"""Random edits of a larger log: `python -m tests.tamper --rows 256 --edits 100000`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random

from services.audit.keys import Signer, generate
from services.audit.suites import ED25519
from tests.tamper import edits
from tests.tamper.edits import Edit, Stored

SOUND_EVERY = 200
"""Edits after which the untouched log is checked again: it must not be called bad."""


@dataclass
class Found:
    """`missed`: what was not found, or named wrongly."""

    edits: int = 0
    missed: list[str] = field(default_factory=list)
    checked_sound: int = 0
    false_alarms: int = 0


def campaign(
    rows: int,
    edits_: int,
    seed: int,
    progress: Callable[[int], None] | None = None,
    signer: Signer = edits.SIGNER,
) -> Found:
    """Make so many random edits of a signer's log, one at a time, and check each."""
    log, found = edits.stored(rows, signer), Found()
    for edit in _random(log, Random(seed), edits_):
        if found.edits % SOUND_EVERY == 0:
            found.checked_sound += 1
            found.false_alarms += not log.check().sound
            if progress:
                progress(found.edits)
        found.edits += 1
        if said := edit.missed():
            found.missed.append(said)
    return found


def _random(log: Stored, chance: Random, count: int) -> Iterator[Edit]:
    kinds: list[Callable[[Stored, Random], Edit]] = [
        *[_flipped_field] * 8,
        *[_flipped_node] * 4,
        *[_flipped_note] * 2,
        _deleted,
        _swapped,
        lambda log, c: edits.truncation(log, c.randrange(len(log.entries))),
        lambda log, c: edits.rollback(log, c.randrange(len(log.notes) - 1)),
        _rewritten,
        lambda log, c: edits.replaced_key(log, _forger(log, c)),
    ]
    for _ in range(count):
        yield chance.choice(kinds)(log, chance)


def _flipped_field(log: Stored, chance: Random) -> Edit:
    index = chance.randrange(len(log.entries))
    entry = log.entries[index]
    name = chance.choice(("event", "leaf_hash")) if entry.leaf_hash else "event"
    raw = getattr(entry, name)
    edited = edits.edited(entry, name, edits.flip(raw, chance.randrange(8 * len(raw))))
    return Edit(f"{name} of {index}", edits.with_entry(log, index, edited), index)


def _flipped_node(log: Stored, chance: Random) -> Edit:
    level, place = chance.choice(list(log.nodes))
    edited = edits.flip(log.nodes[level, place], chance.randrange(256))
    nodes = {**log.nodes, (level, place): edited}
    return Edit(f"node {level}/{place}", replace(log, nodes=nodes), place << level)


def _flipped_note(log: Stored, chance: Random) -> Edit:
    found = list(edits.note_flips(log, chance.randrange(len(log.notes))))
    return chance.choice(found)


def _deleted(log: Stored, chance: Random) -> Edit:
    return edits.deletion(log, chance.randrange(len(log.entries)), moved_up=chance.random() < 0.5)


def _swapped(log: Stored, chance: Random) -> Edit:
    one, other = sorted(chance.sample(range(len(log.entries)), 2))
    return edits.swap(log, one, other, whole=chance.random() < 0.5)


def _rewritten(log: Stored, chance: Random) -> Edit:
    signer = chance.choice((log.signer, _forger(log, chance)))
    return edits.rewritten(log, chance.randrange(len(log.entries)), chance.randbytes(20), signer)


def _forger(log: Stored, chance: Random) -> Signer:
    """Return another key under the log's name; one of SM2 is from the system's randomness."""
    if log.signer.kind == ED25519:
        return Signer(log.signer.name, chance.randbytes(32))
    return generate(log.signer.name, log.signer.kind)

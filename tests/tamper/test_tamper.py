"""Every edit of 64 stored entries is found, the first bad entry is named, and nothing else is called bad."""

from collections.abc import Iterable

import pytest

from services.audit import merkle
from services.audit.keys import Signer
from services.audit.report import Kind
from tests.tamper import edits
from tests.tamper.campaign import campaign

ROWS = 64
LEAST = 90_000
"""Flips that make up the whole; see `test_the_flips_are_as_many_as_promised`."""
LOG = edits.stored(ROWS)
FORGER = Signer(edits.SIGNER.name, bytes(32))
PLACES = sorted(LOG.nodes)


def demand(found: Iterable[edits.Edit]) -> None:
    missed = [said for edit in found if (said := edit.missed())]
    assert not missed, f"{len(missed)} missed, such as: {missed[0]}"


def test_the_log_itself_is_sound() -> None:
    assert LOG.check().findings == ()
    assert len(LOG.entries) == ROWS


def test_the_flips_are_as_many_as_promised() -> None:
    bits = [8 * len(e.event) + 8 * len(e.leaf_hash) for e in LOG.entries]
    assert sum(bits) + 256 * len(LOG.nodes) + sum(8 * len(n) for n in LOG.notes) > LEAST


@pytest.mark.parametrize("index", range(ROWS))
def test_every_flipped_bit_of_an_entry_is_found(index: int) -> None:
    demand(edits.entry_flips(LOG, index))


@pytest.mark.parametrize("part", range(16))
def test_every_flipped_bit_of_a_hash_of_the_tree_is_found(part: int) -> None:
    for level, place in PLACES[part::16]:
        demand(edits.node_flips(LOG, level, place))


@pytest.mark.parametrize("number", range(len(LOG.notes)))
def test_every_flipped_bit_of_a_checkpoint_is_found(number: int) -> None:
    demand(edits.note_flips(LOG, number))


def test_every_deletion_is_found() -> None:
    demand(edits.deletion(LOG, at, moved_up=up) for at in range(ROWS) for up in (False, True))


@pytest.mark.parametrize("whole", [False, True], ids=["events", "rows"])
def test_every_swap_is_found(whole: bool) -> None:
    pairs = [(a, b) for a in range(ROWS) for b in range(a + 1, ROWS)]
    demand(edits.swap(LOG, a, b, whole=whole) for a, b in pairs)


def test_every_truncation_is_found() -> None:
    demand(edits.truncation(LOG, size) for size in range(ROWS))


def test_every_rollback_is_found_by_what_a_witness_kept() -> None:
    demand(edits.rollback(LOG, number) for number in range(len(LOG.notes) - 1))


@pytest.mark.parametrize("signer", [FORGER, edits.SIGNER], ids=["another key", "the log's own key"])
def test_every_rewritten_log_is_found(signer: Signer) -> None:
    demand(edits.rewritten(LOG, at, b"another", signer) for at in range(ROWS))


def test_a_replaced_key_is_found() -> None:
    kinds = {f.kind for f in LOG.check(FORGER.verifier.encoded()).findings}
    assert kinds == {Kind.CHECKPOINT}
    demand([edits.replaced_key(LOG, FORGER)])


def nodes(level: int, place: int) -> bytes:
    return LOG.nodes[level, place]


@pytest.mark.parametrize("index", range(ROWS))
def test_every_forged_field_of_an_inclusion_proof_is_refused(index: int) -> None:
    for size in range(index + 1, ROWS + 1, 7):
        proof = merkle.inclusion_proof(index, size, nodes)
        leaf, root = nodes(0, index), merkle.load(size, nodes).root
        assert merkle.inclusion_holds(index, size, leaf, proof, root)
        held = [
            merkle.inclusion_holds(other, size, leaf, proof, root)
            for other in range(-1, size + 2)
            if other != index
        ]
        held += [merkle.inclusion_holds(index, size, x, proof, root) for x in edits.flips_of(leaf)]
        held += [merkle.inclusion_holds(index, size, leaf, proof, x) for x in edits.flips_of(root)]
        for at, step in enumerate(proof):
            forged = [
                [*proof[:at], *more, *proof[at + 1 :]] for more in ([], [step, step], [step[:-1]])
            ]
            held += [merkle.inclusion_holds(index, size, leaf, p, root) for p in forged]
            for bit in range(0, 256, 5):
                bad = [*proof[:at], edits.flip(step, bit), *proof[at + 1 :]]
                held.append(merkle.inclusion_holds(index, size, leaf, bad, root))
        assert not any(held)


@pytest.mark.parametrize("first", range(1, ROWS + 1, 3))
def test_every_forged_field_of_a_consistency_proof_is_refused(first: int) -> None:
    old = merkle.load(first, nodes).root
    for last in range(first, ROWS + 1, 5):
        proof, root = merkle.consistency_proof(first, last, nodes), merkle.load(last, nodes).root
        assert merkle.consistency_holds(first, last, old, root, proof)
        held = [merkle.consistency_holds(first, last, x, root, proof) for x in edits.flips_of(old)]
        held += [merkle.consistency_holds(first, last, old, x, proof) for x in edits.flips_of(root)]
        for at, step in enumerate(proof):
            held.append(
                merkle.consistency_holds(first, last, old, root, [*proof[:at], *proof[at + 1 :]])
            )
            for bit in range(0, 256, 5):
                bad = [*proof[:at], edits.flip(step, bit), *proof[at + 1 :]]
                held.append(merkle.consistency_holds(first, last, old, root, bad))
        assert not any(held)


def test_a_random_campaign_finds_all_of_it() -> None:
    found = campaign(rows=100, edits_=400, seed=1)
    assert found.missed == []
    assert found.false_alarms == 0
    assert found.edits == 400

"""The suites of logs: SM3 and SM2 by the standards' own examples, keys that tell which suite they are of."""

import sys

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from services.audit import merkle
from services.audit.keys import Malformed, Signer, Verifier, generate, parse_signer, parse_verifier
from services.audit.note import Forged, sign_checkpoint, verify_checkpoint
from services.audit.suites import SHA_ED25519, SM2, SM3_SM2, Suite, sm_3
from tests.service.sm_keys import PRIVATE, PUBLIC, SIGNER

MESSAGE = b"message digest"
SIGNATURE = bytes.fromhex(
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)
"""GB/T 32918.5, Annex A.2."""
ROOT = bytes(range(32))
BOTH = pytest.mark.parametrize("suite", [SHA_ED25519, SM3_SM2], ids=lambda suite: suite.name)


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_the_examples_of_gb_t_32905_have_their_hashes(message: bytes, digest: str) -> None:
    assert sm_3(message).hex() == digest


@given(st.binary(max_size=300))
def test_sm3_is_what_another_library_computes(message: bytes) -> None:
    other = hashes.Hash(hashes.SM3())
    other.update(message)
    assert sm_3(message) == other.finalize()


def test_the_signature_of_gb_t_32918_is_accepted() -> None:
    assert SM3_SM2.accepts(PUBLIC, MESSAGE, SIGNATURE)
    assert not SM3_SM2.accepts(PUBLIC, b"another message", SIGNATURE)


def test_every_flipped_bit_of_that_signature_is_refused() -> None:
    for bit in range(8 * len(SIGNATURE)):
        at, mask = divmod(bit, 8)
        bad = SIGNATURE[:at] + bytes([SIGNATURE[at] ^ 1 << mask]) + SIGNATURE[at + 1 :]
        assert not SM3_SM2.accepts(PUBLIC, MESSAGE, bad)


@pytest.mark.parametrize("bad", [b"", SIGNATURE[:-1], SIGNATURE + b"\0", bytes(64), b"\xff" * 64])
def test_another_form_of_a_signature_is_refused(bad: bytes) -> None:
    assert not SM3_SM2.accepts(PUBLIC, MESSAGE, bad)


def test_a_key_that_is_no_point_of_the_curve_accepts_nothing() -> None:
    for public in (bytes(64), b"\x01" * 64, PUBLIC[32:] + PUBLIC[:32]):
        assert not SM3_SM2.accepts(public, MESSAGE, SIGNATURE)


def test_the_standards_own_key_signs() -> None:
    made = SM3_SM2.sign(PRIVATE + PUBLIC, MESSAGE)
    assert len(made) == 64
    assert SM3_SM2.accepts(PUBLIC, MESSAGE, made)


@BOTH
def test_a_key_comes_back_from_its_text_and_tells_its_suite(suite: Suite) -> None:
    made = generate("log.example/henan", suite.kind)
    assert parse_signer(made.encoded()) == made
    assert parse_verifier(made.verifier.encoded()) == made.verifier
    assert made.verifier.suite is suite


def test_an_sm2_key_has_the_type_that_signed_note_keeps_for_such() -> None:
    assert SM2 == b"\xff" + b"luoshu.sm2-sm3.v1"
    name, key_hash, encoded = SIGNER.verifier.encoded().split("+", 2)
    assert (name, len(key_hash)) == ("log.example/henan/sm", 8)
    assert encoded.startswith("/2x1b3NodS5zbTItc20zLnYx")  # ff, luoshu.sm2-sm3.v1


def test_a_key_of_an_unknown_type_is_refused() -> None:
    other = Verifier("log.example/henan", PUBLIC, b"\xffanother.v1")
    with pytest.raises(Malformed, match="no type that is known here"):
        parse_verifier(other.encoded())


@BOTH
def test_a_checkpoint_is_good_by_its_own_key_only(suite: Suite) -> None:
    signer, other = generate("log.example/a", suite.kind), generate("log.example/a", suite.kind)
    note = sign_checkpoint(7, ROOT, signer)
    assert verify_checkpoint(note, signer.verifier).size == 7
    with pytest.raises(Forged):
        verify_checkpoint(note, other.verifier)
    with pytest.raises(Forged):
        verify_checkpoint(note.replace("\n7\n", "\n8\n"), signer.verifier)


def test_a_secret_that_does_not_belong_to_its_public_key_is_refused() -> None:
    mixed = Signer(SIGNER.name, PUBLIC[:32] + PUBLIC, SM2)
    with pytest.raises(Malformed, match="does not belong"):
        parse_signer(mixed.encoded())


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    with pytest.raises(Malformed, match=r"luoshu\[sm\]"):
        parse_verifier(SIGNER.verifier.encoded())


def test_a_tree_of_sm3_is_the_trees_rules_with_another_hash() -> None:
    leaves = [sm_3(b"\x00leaf %d" % at) for at in range(3)]
    by_hand = sm_3(b"\x01" + sm_3(b"\x01" + leaves[0] + leaves[1]) + leaves[2])
    assert merkle.leaf_hash(b"leaf 0", sm_3) == leaves[0]
    assert merkle.extend(merkle.Tree(digest=sm_3), leaves)[0].root == by_hand
    assert merkle.Tree(digest=sm_3).root == sm_3(b"")


@pytest.mark.parametrize("size", [1, 2, 7, 8, 33])
def test_proofs_of_one_hash_hold_by_it_and_not_by_the_other(size: int) -> None:
    leaves = [merkle.leaf_hash(b"%d" % at, sm_3) for at in range(size)]
    tree, added = merkle.extend(merkle.Tree(digest=sm_3), leaves)
    held = {(node.level, node.place): node.hash for node in added}

    def nodes(level: int, place: int) -> bytes:
        return held[level, place]

    for index in range(size):
        proof = merkle.inclusion_proof(index, size, nodes, sm_3)
        said = (index, size, leaves[index], proof, tree.root)
        assert merkle.inclusion_holds(*said, sm_3)
        assert merkle.inclusion_holds(*said) is (size == 1)  # a lone leaf needs no hash
    for first in range(1, size):
        proof = merkle.consistency_proof(first, size, nodes, sm_3)
        said = (first, size, merkle.load(first, nodes, sm_3).root, tree.root, proof)  # type: ignore[assignment]
        assert merkle.consistency_holds(*said, sm_3)
        assert not merkle.consistency_holds(*said)

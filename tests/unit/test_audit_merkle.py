"""The Merkle tree against RFC 6962's recursive definitions and the reference log's vectors."""

from collections.abc import Callable
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.merkle import (
    EMPTY_ROOT,
    Nodes,
    Tree,
    consistency_holds,
    consistency_proof,
    extend,
    inclusion_holds,
    inclusion_proof,
    leaf_hash,
    load,
    node_hash,
)

SIZES = 66
LEAVES = [leaf_hash(b"leaf %d" % number) for number in range(SIZES)]

VECTOR_LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
VECTOR_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def split(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def naive_root(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    middle = split(len(hashes))
    return node_hash(naive_root(hashes[:middle]), naive_root(hashes[middle:]))


def naive_path(index: int, hashes: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(hashes) == 1:
        return []
    middle = split(len(hashes))
    left, right = hashes[:middle], hashes[middle:]
    if index < middle:
        return [*naive_path(index, left), naive_root(right)]
    return [*naive_path(index - middle, right), naive_root(left)]


def naive_subproof(first: int, hashes: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if first == len(hashes):
        return [] if whole else [naive_root(hashes)]
    middle = split(len(hashes))
    left, right = hashes[:middle], hashes[middle:]
    if first <= middle:
        return [*naive_subproof(first, left, whole), naive_root(right)]
    return [*naive_subproof(first - middle, right, False), naive_root(left)]


TREE, ADDED = extend(Tree(), LEAVES)
STORED = {(node.level, node.place): node.hash for node in ADDED}
ROOTS = [naive_root(LEAVES[:size]) for size in range(SIZES + 1)]


def nodes(level: int, place: int) -> bytes:
    return STORED[level, place]


def test_roots_are_those_of_the_reference_log() -> None:
    tree = Tree()
    for content, root in zip(VECTOR_LEAVES, VECTOR_ROOTS, strict=True):
        tree, _ = extend(tree, [leaf_hash(bytes.fromhex(content))])
        assert tree.root.hex() == root


def test_inclusion_path_is_that_of_the_reference_log() -> None:
    _, added = extend(Tree(), [leaf_hash(bytes.fromhex(leaf)) for leaf in VECTOR_LEAVES])
    stored = {(node.level, node.place): node.hash for node in added}
    path = inclusion_proof(0, 8, lambda level, place: stored[level, place])
    assert [digest.hex() for digest in path] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Tree().root == EMPTY_ROOT == sha256(b"").digest()


def test_roots_of_every_size_follow_the_definition() -> None:
    assert [load(size, nodes).root for size in range(SIZES + 1)] == ROOTS
    assert load(SIZES, nodes) == TREE


def test_every_complete_subtree_is_stored_once() -> None:
    assert len(ADDED) == len(STORED)
    for (level, place), digest in STORED.items():
        assert digest == naive_root(LEAVES[place << level : (place + 1) << level])


def test_every_inclusion_proof_follows_the_definition_and_holds() -> None:
    for size in range(1, SIZES + 1):
        for index in range(size):
            proof = inclusion_proof(index, size, nodes)
            assert proof == naive_path(index, LEAVES[:size])
            assert inclusion_holds(index, size, LEAVES[index], proof, ROOTS[size])


def test_every_consistency_proof_follows_the_definition_and_holds() -> None:
    for last in range(1, SIZES + 1):
        for first in range(1, last + 1):
            proof = consistency_proof(first, last, nodes)
            assert proof == naive_subproof(first, LEAVES[:last], True)
            assert consistency_holds(first, last, ROOTS[first], ROOTS[last], proof)


def broken(proof: list[bytes]) -> list[list[bytes]]:
    """Each hash altered, each left out, each said twice, one more at either end, two exchanged."""
    worse = [[*proof, LEAVES[0]], [LEAVES[0], *proof]]
    for at, digest in enumerate(proof):
        worse.append([*proof[:at], bytes([digest[0] ^ 1]) + digest[1:], *proof[at + 1 :]])
        worse.append([*proof[:at], *proof[at + 1 :]])
        worse.append([*proof[:at], digest, *proof[at:]])
        if at:
            worse.append([*proof[: at - 1], digest, proof[at - 1], *proof[at + 1 :]])
    return worse


def test_no_altered_inclusion_proof_holds() -> None:
    for size in range(1, 34):
        for index in range(size):
            proof = inclusion_proof(index, size, nodes)
            for worse in broken(proof):
                assert not inclusion_holds(index, size, LEAVES[index], worse, ROOTS[size])
            assert not inclusion_holds(index, size, LEAVES[index], proof, ROOTS[size + 1])
            assert not inclusion_holds(index, size, LEAVES[index + 1], proof, ROOTS[size])


def test_no_altered_consistency_proof_holds() -> None:
    for last in range(1, 34):
        for first in range(1, last + 1):
            proof = consistency_proof(first, last, nodes)
            for worse in broken(proof):
                assert not consistency_holds(first, last, ROOTS[first], ROOTS[last], worse)
            assert not consistency_holds(first, last, ROOTS[first + 1], ROOTS[last], proof)
            assert not consistency_holds(first, last, ROOTS[first], ROOTS[last + 1], proof)


def test_a_proof_of_one_place_holds_at_no_other() -> None:
    for size in range(2, 20):
        for index in range(size):
            proof = inclusion_proof(index, size, nodes)
            holds = [
                at
                for at in range(-1, size + 1)
                if inclusion_holds(at, size, LEAVES[index], proof, ROOTS[size])
            ]
            assert holds == [index]


def test_hashes_of_another_length_never_hold() -> None:
    left, right = LEAVES[0], LEAVES[1]
    assert not inclusion_holds(0, 2, left + right, [b""], ROOTS[2])
    assert not inclusion_holds(0, 2, left[:-1], [left[-1:] + right], ROOTS[2])


def test_nothing_begins_everything_by_its_own_root_only() -> None:
    assert consistency_holds(0, 5, EMPTY_ROOT, ROOTS[5], [])
    assert not consistency_holds(0, 5, ROOTS[1], ROOTS[5], [])
    assert not consistency_holds(0, 5, EMPTY_ROOT, ROOTS[5], [ROOTS[1]])
    assert not consistency_holds(6, 5, ROOTS[6], ROOTS[5], [])
    assert not consistency_holds(3, 5, ROOTS[3], ROOTS[5], [])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 3)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="is not in a tree"):
        inclusion_proof(index, size, nodes)


@pytest.mark.parametrize(("first", "last"), [(0, 3), (4, 3), (-1, 3)])
def test_a_larger_tree_begins_no_smaller_one(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="does not begin"):
        consistency_proof(first, last, nodes)


def reads_of(work: Callable[[Nodes], object]) -> int:
    reads: list[tuple[int, int]] = []

    def count(level: int, place: int) -> bytes:
        reads.append((level, place))
        return b""

    work(count)
    return len(reads)


@given(st.integers(1, 10**12), st.data())
def test_a_proof_reads_two_nodes_a_level_at_most(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    bound = 2 * size.bit_length() + 1
    assert reads_of(lambda read: inclusion_proof(index, size, read)) <= bound
    assert reads_of(lambda read: consistency_proof(index + 1, size, read)) <= bound


@given(st.lists(st.integers(0, 40), max_size=8), st.data())
def test_a_tree_grown_in_batches_is_the_tree_grown_at_once(
    batches: list[int], data: st.DataObject
) -> None:
    total = sum(batches)
    leaves = [leaf_hash(number.to_bytes(4, "big")) for number in range(total)]
    tree, stored, sizes = Tree(), dict[tuple[int, int], bytes](), list[tuple[int, bytes]]()
    for batch in batches:
        tree, added = extend(tree, leaves[tree.size : tree.size + batch])
        stored.update({(node.level, node.place): node.hash for node in added})
        sizes.append((tree.size, tree.root))
    assert tree == extend(Tree(), leaves)[0]
    for size, root in sizes:
        if size:
            proof = consistency_proof(size, total, lambda level, place: stored[level, place])
            assert consistency_holds(size, total, root, tree.root, proof)
            index = data.draw(st.integers(0, size - 1))
            path = inclusion_proof(index, size, lambda level, place: stored[level, place])
            assert inclusion_holds(index, size, leaves[index], path, root)

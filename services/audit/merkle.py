"""The Merkle tree of RFC 6962: append, roots, proofs, and the verifiers of RFC 9162.

A tree is kept as the hashes of its complete subtrees: node (level, index) covers the leaves
`index << level` up to `(index + 1) << level`. A complete subtree never changes, so hashes are only
ever added, and any root or proof of any size is O(log n) look-ups `nodes(level, index) -> hash`.

`digest`: the hash, SHA-256 unless said otherwise.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.audit.suites import Digest, sha_256

HASH_BYTES = 32
EMPTY_ROOT = sha_256(b"")


class Node(NamedTuple):
    """Hash of the complete subtree at a place of a level; level 0 holds the leaf hashes."""

    level: int
    place: int
    hash: bytes


Nodes = Callable[[int, int], bytes]


def leaf_hash(leaf: bytes, digest: Digest = sha_256) -> bytes:
    """Return the hash of a leaf's bytes (RFC 6962, section 2.1)."""
    return digest(b"\x00" + leaf)


def node_hash(left: bytes, right: bytes, digest: Digest = sha_256) -> bytes:
    """Return the hash of a node from its children's hashes (RFC 6962, section 2.1)."""
    return digest(b"\x01" + left + right)


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree of `size` leaves, as the roots of its complete subtrees, the largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()
    digest: Digest = sha_256

    @property
    def root(self) -> bytes:
        """Root hash; of the empty tree, the hash of nothing."""
        return _fold(self.peaks, self.digest) if self.peaks else self.digest(b"")


def load(size: int, nodes: Nodes, digest: Digest = sha_256) -> Tree:
    """Return the tree of the first `size` leaves."""
    return Tree(size, tuple(nodes(level, index) for level, index in subtrees(0, size)), digest)


def extend(tree: Tree, leaf_hashes: Iterable[bytes]) -> tuple[Tree, list[Node]]:
    """Append leaves: return the larger tree and the nodes that it has more, leaves included."""
    peaks, size, added = list(tree.peaks), tree.size, list[Node]()
    for here in leaf_hashes:
        level, index = 0, size
        added.append(Node(level, index, here))
        while index & 1:  # the right half of a pair completes its parent
            here = node_hash(peaks.pop(), here, tree.digest)
            level, index = level + 1, index >> 1
            added.append(Node(level, index, here))
        peaks.append(here)
        size += 1
    return Tree(size, tuple(peaks), tree.digest), added


def inclusion_proof(index: int, size: int, nodes: Nodes, digest: Digest = sha_256) -> list[bytes]:
    """Return the audit path of a leaf (RFC 6962, section 2.1.1), from the leaf up.

    Raises:
        ValueError: not 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    start, end, path = 0, size, list[bytes]()
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range(middle, end, nodes, digest))
            end = middle
        else:
            path.append(_range(start, middle, nodes, digest))
            start = middle
    return path[::-1]


def consistency_proof(first: int, last: int, nodes: Nodes, digest: Digest = sha_256) -> list[bytes]:
    """Return the proof that `first` leaves begin the `last` (RFC 6962, section 2.1.2).

    Raises:
        ValueError: not 0 < first <= last.
    """
    if not 0 < first <= last:
        raise ValueError(f"a tree of {first} does not begin a tree of {last}")
    start, end, path = 0, last, list[bytes]()
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(_range(middle, end, nodes, digest))
            end = middle
        else:
            path.append(_range(start, middle, nodes, digest))
            start = middle
    if start:  # otherwise it is the old root itself, which the verifier has
        path.append(_range(start, end, nodes, digest))
    return path[::-1]


def inclusion_holds(
    index: int,
    size: int,
    leaf: bytes,
    proof: Sequence[bytes],
    root: bytes,
    digest: Digest = sha_256,
) -> bool:
    """Tell whether the proof leads from a leaf's hash to the root (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes([leaf, *proof]):
        return False
    place, last, here = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            here = node_hash(sibling, here, digest)
            place, last = _skip_lone(place, last)
        else:
            here = node_hash(here, sibling, digest)
        place, last = place >> 1, last >> 1
    return last == 0 and here == root


def consistency_holds(
    first: int,
    last: int,
    first_root: bytes,
    last_root: bytes,
    proof: Sequence[bytes],
    digest: Digest = sha_256,
) -> bool:
    """Tell whether the proof leads from one root to the other (RFC 9162, section 2.1.4.2).

    Equal sizes need equal roots and no proof; nothing is a beginning of everything only by its
    own root and no proof.
    """
    if not 0 <= first <= last or not _are_hashes(proof):
        return False
    if first in (0, last):
        return not proof and first_root == (last_root if first == last else digest(b""))
    if not proof:
        return False
    hashes = iter(proof if first & (first - 1) else (first_root, *proof))
    return _climb(first, last, hashes, digest) == (first_root, last_root)


def _climb(
    first: int, last: int, hashes: Iterator[bytes], digest: Digest
) -> tuple[bytes, bytes] | None:
    """Return both roots that the proof computes; None when its length is wrong."""
    place, end = first - 1, last - 1
    while place & 1:
        place, end = place >> 1, end >> 1
    old = new = next(hashes)
    for sibling in hashes:
        if end == 0:
            return None
        if place & 1 or place == end:
            old, new = node_hash(sibling, old, digest), node_hash(sibling, new, digest)
            place, end = _skip_lone(place, end)
        else:
            new = node_hash(new, sibling, digest)
        place, end = place >> 1, end >> 1
    return (old, new) if end == 0 else None


def _are_hashes(proof: Sequence[bytes]) -> bool:
    """Refuse other lengths: 31 + 33 bytes would hash like 32 + 32."""
    return all(len(step) == HASH_BYTES for step in proof)


def _skip_lone(place: int, last: int) -> tuple[int, int]:
    """Pass the levels at which the last node has no sibling, and so no hash in the proof."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def _split(size: int) -> int:
    """Return the largest power of two below `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def _range(start: int, end: int, nodes: Nodes, digest: Digest) -> bytes:
    return _fold([nodes(level, index) for level, index in subtrees(start, end)], digest)


def subtrees(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the (level, index) of the complete subtrees of a range that RFC 6962 splits off."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _fold(peaks: Sequence[bytes], digest: Digest) -> bytes:
    here = peaks[-1]
    for left in reversed(peaks[:-1]):
        here = node_hash(left, here, digest)
    return here

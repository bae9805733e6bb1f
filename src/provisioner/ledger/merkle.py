"""The Merkle tree of RFC 9162 (section 2.1) over SHA-256: hashes, a frontier that grows, proofs and their checks.

A node `(level, position)` covers the `2**level` leaves from `position * 2**level` on. Only nodes over complete
subtrees have such a name; once written they never change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

HASH_SIZE = 32

EMPTY_ROOT = sha256(b"").digest()

NodeReader = Callable[[int, int], bytes]
"""Given level and position, return the hash of that complete subtree."""


def leaf_hash(leaf: bytes) -> bytes:
    """Return SHA-256(0x00 || leaf)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


class Node(NamedTuple):
    """The hash of one complete subtree; level 0 is a leaf hash."""

    level: int
    position: int
    hash: bytes


@dataclass(frozen=True)
class Frontier:
    """All that is needed to grow a tree of `size` leaves: the roots of its complete subtrees, left to right."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """The root hash of the whole tree."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def frontier_nodes(size: int) -> tuple[tuple[int, int], ...]:
    """Return (level, position) of each hash of the frontier of `size` leaves, left to right: one for each bit set."""
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    return tuple((level, (size >> level) - 1) for level in levels)


def extend(frontier: Frontier, leaf_hashes: Iterable[bytes]) -> tuple[Frontier, list[Node]]:
    """Return the frontier after those leaves, and every node that became complete, leaf hashes included."""
    size, stack, made = frontier.size, list(frontier.hashes), []
    for current in leaf_hashes:
        made.append(Node(0, size, current))
        level, digest = 0, current
        while size >> level & 1:
            digest = node_hash(stack.pop(), digest)
            level += 1
            made.append(Node(level, size >> level, digest))
        stack.append(digest)
        size += 1
    return Frontier(size, tuple(stack)), made


def inclusion_proof(index: int, size: int, node: NodeReader) -> list[bytes]:
    """Return PATH(index, D_size) of section 2.1.3.1; raises ValueError unless 0 <= index < size."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    proof: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            proof.append(_range_hash(middle, stop, node))
            stop = middle
        else:
            proof.append(_range_hash(start, middle, node))
            start = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, node: NodeReader) -> list[bytes]:
    """Return PROOF(old, D_new) of section 2.1.4.1, empty when old == new; raises ValueError unless 0 < old <= new."""
    if not 0 < old <= new:
        raise ValueError(f"no proof from a tree of {old} to one of {new}")
    proof: list[bytes] = []
    start, stop = 0, new
    while old != stop:
        middle = start + _split(stop - start)
        if old <= middle:
            proof.append(_range_hash(middle, stop, node))
            stop = middle
        else:
            proof.append(_range_hash(start, middle, node))
            start = middle
    if start:
        proof.append(_range_hash(start, stop, node))
    return proof[::-1]


def includes(digest: bytes, index: int, size: int, *, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether leaf hash `digest` is at `index` of the tree (`size`, `root`): section 2.1.3.2."""
    if not 0 <= index < size or not _hashes([digest, *proof]):
        return False
    place, last = index, size - 1
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            digest = node_hash(sibling, digest)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and digest == root


def extends(old: tuple[int, bytes], new: tuple[int, bytes], *, proof: Sequence[bytes]) -> bool:
    """Whether the tree `new` (size, root) only adds leaves to the tree `old`: section 2.1.4.2.

    A tree extends itself by the empty proof. Nothing is proven about an empty old tree: that is False.
    """
    if old[0] == new[0]:
        return not proof and old[0] > 0 and old[1] == new[1]
    if not 0 < old[0] < new[0] or not proof or not _hashes([old[1], *proof]):
        return False
    steps = [old[1], *proof] if old[0] & (old[0] - 1) == 0 else list(proof)
    place, last = old[0] - 1, new[0] - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_root = new_root = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old_root, new_root = node_hash(step, old_root), node_hash(step, new_root)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new_root = node_hash(new_root, step)
        place, last = place >> 1, last >> 1
    return last == 0 and old_root == old[1] and new_root == new[1]


def _hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == HASH_SIZE for value in values)


def _split(count: int) -> int:
    """Return the largest power of two below `count`."""
    return int(1 << ((count - 1).bit_length() - 1))


def _range_hash(start: int, stop: int, node: NodeReader) -> bytes:
    """Return MTH(D[start:stop]); the range is one that occurs in a proof, so it splits into complete subtrees."""
    count = stop - start
    if count & (count - 1) == 0:
        return node(count.bit_length() - 1, start // count)
    middle = start + _split(count)
    return node_hash(_range_hash(start, middle, node), _range_hash(middle, stop, node))

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.ledger import merkle
from provisioner.ledger.merkle import EMPTY_ROOT, Frontier, NodeReader

# The leaves and roots that implementations of RFC 6962 test themselves with, size 1 to 8.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LARGEST = 257


def oracle(leaves: list[bytes]) -> bytes:
    """MTH(D[n]) of RFC 9162 section 2.1.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + oracle(leaves[:k]) + oracle(leaves[k:])).digest()


def grow(leaves: list[bytes]) -> tuple[Frontier, NodeReader]:
    frontier, nodes = merkle.extend(Frontier(), [merkle.leaf_hash(leaf) for leaf in leaves])
    known = {(node.level, node.position): node.hash for node in nodes}
    return frontier, lambda level, position: known[level, position]


def numbered(size: int) -> list[bytes]:
    return [number.to_bytes(2, "big") for number in range(size)]


def test_known_roots() -> None:
    assert [grow(LEAVES[: size + 1])[0].root.hex() for size in range(8)] == ROOTS
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_roots_agree_with_the_definition() -> None:
    frontier = Frontier()
    for size in range(LARGEST + 1):
        assert frontier.root == oracle(numbered(size))
        assert len(merkle.frontier_nodes(size)) == len(frontier.hashes)
        frontier, _ = merkle.extend(frontier, [merkle.leaf_hash(size.to_bytes(2, "big"))])


def test_frontier_nodes_are_where_the_frontier_is() -> None:
    _, node = grow(numbered(LARGEST))
    for size in range(LARGEST + 1):
        hashes = tuple(node(level, position) for level, position in merkle.frontier_nodes(size))
        assert Frontier(size, hashes).root == oracle(numbered(size))


@given(st.lists(st.binary(max_size=4), max_size=40), st.lists(st.binary(max_size=4), max_size=40))
def test_growing_in_two_steps_is_growing_in_one(first: list[bytes], second: list[bytes]) -> None:
    frontier, before = merkle.extend(Frontier(), map(merkle.leaf_hash, first))
    frontier, after = merkle.extend(frontier, map(merkle.leaf_hash, second))
    whole, nodes = merkle.extend(Frontier(), map(merkle.leaf_hash, first + second))
    assert (frontier, sorted(before + after)) == (whole, sorted(nodes))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 31, 64, 100, LARGEST])
def test_inclusion_holds_for_its_leaf_and_no_other(size: int) -> None:
    frontier, node = grow(numbered(size))
    for index in range(size):
        proof = merkle.inclusion_proof(index, size, node)
        digest = node(0, index)
        assert merkle.includes(digest, index, size, proof=proof, root=frontier.root)
        assert len(proof) <= size.bit_length()
        assert not merkle.includes(digest, (index + 1) % size, size, proof=proof, root=frontier.root) or size == 1
        assert not merkle.includes(merkle.leaf_hash(b"other"), index, size, proof=proof, root=frontier.root)
        assert not merkle.includes(digest, index, size, proof=[*proof, digest], root=frontier.root)
        assert not merkle.includes(digest, index, size, proof=proof[1:], root=frontier.root) or not proof
    assert not merkle.includes(node(0, 0), size, size, proof=[], root=frontier.root)


@pytest.mark.parametrize("new", [1, 2, 3, 7, 8, 9, 31, 64, 65, 100])
def test_consistency_holds_for_a_prefix_and_nothing_else(new: int) -> None:
    frontier, node = grow(numbered(new))
    for old in range(1, new + 1):
        proof = merkle.consistency_proof(old, new, node)
        root = oracle(numbered(old))
        assert merkle.extends((old, root), (new, frontier.root), proof=proof)
        assert not merkle.extends((old, merkle.leaf_hash(b"fork")), (new, frontier.root), proof=proof)
        assert not merkle.extends((old, root), (new, merkle.leaf_hash(b"fork")), proof=proof)
        assert not merkle.extends((old, root), (new, frontier.root), proof=[*proof, root])
        assert not proof or not merkle.extends((old, root), (new, frontier.root), proof=proof[:-1])


def test_no_proof_from_nothing_or_backwards() -> None:
    frontier, node = grow(numbered(3))
    assert not merkle.extends((0, EMPTY_ROOT), (3, frontier.root), proof=[])
    assert not merkle.extends((3, frontier.root), (2, frontier.root), proof=[])
    assert not merkle.includes(b"", 0, 1, proof=[], root=b"")
    for old, new in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="no proof"):
            merkle.consistency_proof(old, new, node)
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_proof(3, 3, node)

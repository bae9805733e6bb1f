from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.errors import LedgerError
from provisioner.ledger import merkle
from provisioner.ledger.checkpoint import Checkpoint
from provisioner.ledger.prover import Prover

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZE = 100
HASHES = [merkle.leaf_hash(bytes([number])) for number in range(SIZE)]


class Nodes:
    """A cache that counts how often it is asked."""

    def __init__(self) -> None:
        _, made = merkle.extend(merkle.Frontier(), HASHES)
        self.known = {(node.level, node.position): node.hash for node in made}
        self.bytes = [bytes([number]) for number in range(SIZE)]
        self.questions = 0

    def leaves(self, start: int | None = None, stop: int | None = None) -> Iterator[tuple[object, object]]:
        yield from list(enumerate(self.bytes))[start:stop]

    def nodes(self, names: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        self.questions += 1
        return {name: self.known[name] for name in names if name in self.known}


def head(size: int) -> Checkpoint:
    return Checkpoint("provisioner/demo", size, merkle.extend(merkle.Frontier(), HASHES[:size])[0].root, "")


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


@pytest.mark.parametrize("size", [1, 2, 64, 99, SIZE])
def test_every_entry_and_every_older_head_is_proved(nodes: Nodes, size: int) -> None:
    prover, new = Prover(nodes, head(size)), head(size)
    for index in range(size):
        path = prover.inclusion(index, HASHES[index])
        assert merkle.includes(HASHES[index], index, size, proof=path, root=new.root)
    for old in range(1, size + 1):
        assert merkle.extends((old, head(old).root), (size, new.root), proof=prover.consistency(head(old)))


def test_a_batch_is_prepared_in_one_question(nodes: Nodes) -> None:
    prover = Prover(nodes, head(SIZE))
    prover.prepare(range(SIZE))
    assert nodes.questions == 1
    for index in range(SIZE):
        prover.inclusion(index, HASHES[index])
    assert nodes.questions == 1


def test_another_entry_or_another_head_is_not_proved(nodes: Nodes) -> None:
    prover = Prover(nodes, head(SIZE))
    with pytest.raises(LedgerError, match="entry 7 cannot be proved") as caught:
        prover.inclusion(7, HASHES[8])
    assert "audit.verify" in caught.value.hint
    for old in (Checkpoint("provisioner/demo", 7, bytes(32), ""), Checkpoint("", 0, merkle.EMPTY_ROOT, "")):
        with pytest.raises(LedgerError, match="cannot be proved to lead"):
            prover.consistency(old)
    with pytest.raises(LedgerError, match="cannot be proved to lead"):
        Prover(nodes, head(50)).consistency(head(51))


@pytest.mark.parametrize("damage", ["wrong", "missing"])
def test_where_the_cache_does_not_give_the_root_the_entries_do(nodes: Nodes, damage: str) -> None:
    if damage == "wrong":
        nodes.known[3, 1] = bytes(32)
    else:
        del nodes.known[3, 1]
    prover = Prover(nodes, head(SIZE))
    for index in range(16):
        path = prover.inclusion(index, HASHES[index])
        assert merkle.includes(HASHES[index], index, SIZE, proof=path, root=head(SIZE).root)
    assert prover.stale
    assert merkle.extends((8, head(8).root), (SIZE, head(SIZE).root), proof=prover.consistency(head(8)))
    assert not Prover(nodes, head(8)).stale


@pytest.mark.parametrize("spoiled", [(), ((3, 1),), ((0, 12),), ((2, 2), (4, 4), (6, 0))])
def test_growth_is_proved_from_any_size(nodes: Nodes, spoiled: tuple[tuple[int, int], ...]) -> None:
    """From 13 entries: their own root hangs on (3, 0), (2, 2) and (0, 12)."""
    for name in spoiled:
        nodes.known[name] = bytes(32)
    for old in (1, 13, 64, SIZE):
        path = Prover(nodes, head(SIZE)).growth(old)
        assert merkle.extends((old, head(old).root), (SIZE, head(SIZE).root), proof=path)
    nodes.bytes[3] = b"another"
    nodes.known[3, 0] = bytes(32)
    with pytest.raises(LedgerError, match="the first 13 entries cannot be proved"):
        Prover(nodes, head(SIZE)).growth(13)


def test_entries_that_were_changed_prove_nothing(nodes: Nodes) -> None:
    """Negative control: the bytes are derived anew, and give another root."""
    nodes.known[3, 1] = bytes(32)
    nodes.bytes[9] = b"another"
    with pytest.raises(LedgerError, match="entry 0 cannot be proved"):
        Prover(nodes, head(SIZE)).inclusion(0, HASHES[0])


def test_a_cache_that_cannot_be_read_is_none(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> dict[tuple[int, int], bytes]:
        raise LedgerError("no such table: nodes")

    monkeypatch.setattr(nodes, "nodes", fail)
    prover = Prover(nodes, head(SIZE))
    assert merkle.extends((8, head(8).root), (SIZE, head(SIZE).root), proof=prover.consistency(head(8)))
    assert prover.stale

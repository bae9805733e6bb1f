from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from provisioner.ledger import merkle
from provisioner.ledger.checkpoint import Checkpoint, Signer, sign_checkpoint
from provisioner.ledger.keys import write_durably
from provisioner.model.witnessing import Submission
from provisioner.serving.memory import Memory
from provisioner.serving.witness import Witness

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


@dataclass
class Tree:
    """A log of made-up entries: any prefix of it, and the proof from one to another."""

    signer: Signer = field(default_factory=lambda: Signer("provisioner/demo", bytes(range(32))))
    fork_at: int | None = None
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    frontiers: list[merkle.Frontier] = field(default_factory=lambda: [merkle.Frontier()])

    def grow(self, size: int) -> merkle.Frontier:
        while len(self.frontiers) <= size:
            index = len(self.frontiers) - 1
            forked = self.fork_at is not None and index >= self.fork_at
            leaf = merkle.leaf_hash(f"{'other' if forked else 'entry'} {index}".encode())
            frontier, made = merkle.extend(self.frontiers[-1], [leaf])
            self.frontiers.append(frontier)
            self.nodes |= {(node.level, node.position): node.hash for node in made}
        return self.frontiers[size]

    def checkpoint(self, size: int) -> Checkpoint:
        return sign_checkpoint(size, self.grow(size).root, signer=self.signer)

    def submission(self, old: int, new: int) -> Submission:
        signed = self.checkpoint(new)
        proof = merkle.consistency_proof(old, new, lambda *name: self.nodes[name]) if 0 < old < new else []
        return Submission(old, tuple(proof), signed.note)

    def body(self, old: int, new: int) -> bytes:
        return self.submission(old, new).render()


class Ticking:
    """A clock that goes on by a second each time it is read."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def open_witness(folder: Path) -> Witness:
    """A witness in `folder`, made anew there if need be, that knows the log `provisioner/demo`."""
    memory = Memory(folder, write=write_durably)
    if not (folder / "witness.key").exists():
        memory.make_key("w1.example")
        memory.trust(Tree().signer.verifier)
    return Witness(memory, now=Ticking())


@pytest.fixture
def tree() -> Tree:
    return Tree()


@pytest.fixture
def fork() -> Tree:
    """Another history of the same log, signed with its own key: the same up to entry 4."""
    return Tree(fork_at=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "witness"


@pytest.fixture
def witness(folder: Path) -> Witness:
    return open_witness(folder)

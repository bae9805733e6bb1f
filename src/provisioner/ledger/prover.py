"""The prover: inclusion and consistency proofs from the nodes that the writer cached, each checked before it is given.

The cache is evidence of nothing: where a proof from it does not lead to the signed root, the nodes are derived from the
entries; where that does not either, there is no proof.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol

from provisioner.errors import LedgerError
from provisioner.ledger import merkle
from provisioner.ledger.head import HINT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from provisioner.ledger.checkpoint import Checkpoint

    Name = tuple[int, int]
    Make = Callable[[merkle.NodeReader], list[bytes]]
    Holds = Callable[[list[bytes]], bool]

_QUERY = 300
"""Names in one question to the database."""

_KEPT = 20_000
"""Hashes kept before they are forgotten: memory does not grow with the log."""


_BATCH = 1000
"""Leaves hashed at a time."""


class Tree(Protocol):
    """Where the bytes of one log and its cached nodes come from. Nothing that it returns is trusted."""

    def leaves(self, start: int | None = None, stop: int | None = None) -> Iterator[tuple[object, object]]:
        """Yield (index, leaf) of the rows in order of index."""

    def nodes(self, names: Sequence[Name]) -> dict[Name, bytes]:
        """Return the cached hashes of the nodes (level, position) that there are."""


class Prover:
    """Proofs against one checkpoint. `stale` says that the cache did not give one of them: it was derived."""

    def __init__(self, source: Tree, checkpoint: Checkpoint) -> None:
        """Nothing is read yet; `checkpoint` is one whose signature the caller has verified."""
        self._source = source
        self._checkpoint = checkpoint
        self._known: dict[Name, bytes] = {}
        self._sure: set[Name] = set()
        self.stale = False

    def prepare(self, indices: Iterable[int]) -> None:
        """Read at once what the inclusion proofs of these indices need: many proofs in few questions."""
        size = self._checkpoint.size
        self._fetch(lambda node: [merkle.inclusion_proof(index, size, node) for index in indices])

    def inclusion(self, index: int, leaf_hash: bytes) -> tuple[bytes, ...]:
        """Return the path of the entry at `index` (below the checkpoint's size) whose leaf hash this is.

        Raises LedgerError when nothing leads to the signed root: the entries are not what was signed.
        """
        size, root = self._checkpoint.size, self._checkpoint.root
        path = self._proof(
            lambda node: merkle.inclusion_proof(index, size, node),
            lambda path: merkle.includes(leaf_hash, index, size, proof=path, root=root),
        )
        if path is None:
            raise LedgerError(f"entry {index} cannot be proved: the entries are not those that were signed", hint=HINT)
        return path

    def consistency(self, older: Checkpoint) -> tuple[bytes, ...]:
        """Return the path from an older checkpoint of the same log; raises LedgerError where there is none."""
        old, new = (older.size, older.root), (self._checkpoint.size, self._checkpoint.root)
        path = None
        if 0 < old[0] <= new[0]:
            path = self._proof(
                lambda node: merkle.consistency_proof(old[0], new[0], node),
                lambda path: merkle.extends(old, new, proof=path),
            )
        if path is None:
            raise LedgerError(
                f"the checkpoint of {old[0]} entries cannot be proved to lead to the one of {new[0]}", hint=HINT
            )
        return path

    def growth(self, old: int) -> tuple[bytes, ...]:
        """Return the path from the first `old` entries (0 < old <= the checkpoint's size), whatever their root is.

        Raises LedgerError when the entries are not what was signed.
        """
        size, root, names = self._checkpoint.size, self._checkpoint.root, merkle.frontier_nodes(old)

        def with_root(node: merkle.NodeReader) -> list[bytes]:
            head = merkle.Frontier(old, tuple(node(*name) for name in names)).root
            return [head, *merkle.consistency_proof(old, size, node)]

        found = self._proof(with_root, lambda made: merkle.extends((old, made[0]), (size, root), proof=made[1:]))
        if found is None:
            raise LedgerError(f"the first {old} entries cannot be proved to lead to the {size} signed", hint=HINT)
        return found[1:]

    def _proof(self, make: Make, holds: Holds) -> tuple[bytes, ...] | None:
        """Return what `make` makes of the cached nodes, or of derived ones, once it holds; None if neither does."""
        self._fetch(make)
        path = make(self._node)
        if not holds(path):
            self._derive(make)
            path = make(self._node)
            if not holds(path):
                return None
            self.stale = True
        return tuple(path)

    def _node(self, level: int, position: int) -> bytes:
        return self._known.get((level, position), b"")

    def _fetch(self, prove: Callable[[merkle.NodeReader], object]) -> None:
        """Read the nodes that a proof asks for and that are not known yet."""
        wanted = _wanted(prove)
        missing = iter([name for name in wanted if name not in self._known])
        if len(self._known) > _KEPT:
            self._known = {name: self._known[name] for name in wanted if name in self._known}
            self._sure &= self._known.keys()
        while names := list(islice(missing, _QUERY)):
            try:
                found = self._source.nodes(names)
            except LedgerError:  # no cache: an error of the database itself, the entries meet too
                return
            self._known |= {name: digest for name, digest in found.items() if isinstance(digest, bytes)}

    def _derive(self, prove: Callable[[merkle.NodeReader], object]) -> None:
        """Derive the nodes that a proof asks for from the entries, each once."""
        for name in _wanted(prove):
            if name not in self._sure:
                self._known[name] = _derived(self._source, *name)
                self._sure.add(name)


def _wanted(prove: Callable[[merkle.NodeReader], object]) -> list[Name]:
    """Return the names of the nodes that a proof asks for."""
    wanted: dict[Name, None] = {}

    def note(level: int, position: int) -> bytes:
        wanted[level, position] = None
        return b""

    prove(note)
    return list(wanted)


def _derived(tree: Tree, level: int, position: int) -> bytes:
    """Return the hash of a complete subtree from its leaves, in batches: a tree may be larger than memory."""
    frontier, batch = merkle.Frontier(), list[bytes]()
    for _, leaf in tree.leaves(position << level, (position + 1) << level):
        batch.append(merkle.leaf_hash(leaf if isinstance(leaf, bytes) else b""))
        if len(batch) == _BATCH:
            frontier, _ = merkle.extend(frontier, batch)
            batch.clear()
    frontier, _ = merkle.extend(frontier, batch)
    return frontier.root

"""The prover: inclusion and consistency proofs from the nodes that the writer cached, each checked before it is given.

The cache is evidence of nothing: a proof from it that does not lead to the signed root is refused, never repaired.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol

from provisioner.errors import LedgerError
from provisioner.ledger import merkle
from provisioner.ledger.head import HINT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from provisioner.ledger.checkpoint import Checkpoint

Name = tuple[int, int]

_QUERY = 300
"""Names in one question to the database."""

_KEPT = 20_000
"""Hashes kept before they are forgotten: memory does not grow with the log."""


class Nodes(Protocol):
    """Where cached nodes come from: a book."""

    def nodes(self, names: Sequence[Name]) -> dict[Name, bytes]:
        """Return the hashes of the nodes (level, position) that there are."""


class Prover:
    """Proofs against one checkpoint."""

    def __init__(self, source: Nodes, checkpoint: Checkpoint) -> None:
        """Nothing is read yet; `checkpoint` is one whose signature the caller has verified."""
        self._source = source
        self._checkpoint = checkpoint
        self._known: dict[Name, bytes] = {}

    def prepare(self, indices: Iterable[int]) -> None:
        """Read at once what the inclusion proofs of these indices need: many proofs in few questions."""
        size = self._checkpoint.size
        self._fetch(lambda node: [merkle.inclusion_proof(index, size, node) for index in indices])

    def inclusion(self, index: int, leaf_hash: bytes) -> tuple[bytes, ...]:
        """Return the path of the entry at `index` (below the checkpoint's size) whose leaf hash this is.

        Raises LedgerError when it does not lead to the signed root: the entry or the cache is not what was signed.
        """
        size, root = self._checkpoint.size, self._checkpoint.root
        self._fetch(lambda node: [merkle.inclusion_proof(index, size, node)])
        path = merkle.inclusion_proof(index, size, self._node)
        if not merkle.includes(leaf_hash, index, size, proof=path, root=root):
            raise LedgerError(f"entry {index} cannot be proved: its bytes or the cached tree changed", hint=HINT)
        return tuple(path)

    def consistency(self, older: Checkpoint) -> tuple[bytes, ...]:
        """Return the path from an older checkpoint of the same log; raises LedgerError where there is none."""
        old, new = (older.size, older.root), (self._checkpoint.size, self._checkpoint.root)
        path: list[bytes] = []
        if 0 < old[0] <= new[0]:
            self._fetch(lambda node: [merkle.consistency_proof(old[0], new[0], node)])
            path = merkle.consistency_proof(old[0], new[0], self._node)
        if not merkle.extends(old, new, proof=path):
            raise LedgerError(
                f"the checkpoint of {old[0]} entries cannot be proved to lead to the one of {new[0]}", hint=HINT
            )
        return tuple(path)

    def _node(self, level: int, position: int) -> bytes:
        return self._known.get((level, position), b"")

    def _fetch(self, prove: Callable[[merkle.NodeReader], object]) -> None:
        """Read the nodes that a proof asks for and that are not known yet."""
        wanted: dict[Name, None] = {}

        def note(level: int, position: int) -> bytes:
            wanted[level, position] = None
            return b""

        prove(note)
        missing = iter([name for name in wanted if name not in self._known])
        if len(self._known) > _KEPT:
            self._known = {name: self._known[name] for name in wanted if name in self._known}
        while names := list(islice(missing, _QUERY)):
            found = self._source.nodes(names)
            self._known |= {name: digest for name, digest in found.items() if isinstance(digest, bytes)}

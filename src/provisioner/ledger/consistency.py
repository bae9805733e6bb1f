"""That a log only grew: consistency proofs (RFC 9162, section 2.1.4) between two of its signed heads, checked here."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from provisioner.errors import LedgerError
from provisioner.ledger import merkle
from provisioner.ledger.head import HINT
from provisioner.ledger.merkle import Frontier
from provisioner.ledger.prover import Prover

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioner.ledger.checkpoint import Checkpoint

BATCH = 1000


class Tree(Protocol):
    """Where the bytes of one log and its cached nodes come from. Nothing that it returns is trusted."""

    def leaves(self, start: int | None = None, stop: int | None = None) -> Iterator[tuple[object, object]]:
        """Yield (index, leaf) of the rows in order of index."""

    def nodes(self, names: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """Return the cached hashes of the nodes (level, position) that there are."""


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """The proof, as hashes, that the tree of `new` entries holds the first `old` ones unchanged.

    `stale` says that the cached nodes did not give it: it was made from the entries.
    """

    old: int
    new: int
    proof: tuple[bytes, ...]
    stale: bool = False

    @property
    def sentence(self) -> str:
        """What was proved, for people."""
        hashes = f"{len(self.proof)} hash{'' if len(self.proof) == 1 else 'es'}"
        return f"consistency proof of {hashes} from {self.old} to {self.new} entries"

    def document(self) -> dict[str, object]:
        """Return the proof for programs: sizes, and the hashes in base64 as C2SP notes have them."""
        return {"old": self.old, "new": self.new, "proof": [b64encode(digest).decode() for digest in self.proof]}


def prove_consistency(tree: Tree, old: Checkpoint, new: Checkpoint) -> Consistency:
    """Return the proof from the head `old` to the head `new`, once it has been checked; no signature is looked at.

    Raises LedgerError when neither the cached nodes nor the entries give one, and for a head of no entries or a `new`
    that is smaller than `old`, between which there is none.
    """
    if not 0 < old.size <= new.size:
        raise LedgerError(f"there is no proof from a tree of {old.size} entries to one of {new.size}", hint=HINT)
    try:
        return Consistency(old=old.size, new=new.size, proof=Prover(tree, new).consistency(old))
    except LedgerError:
        proof = tuple(merkle.consistency_proof(old.size, new.size, partial(_derived, tree)))
    if not merkle.extends((old.size, old.root), (new.size, new.root), proof=proof):
        why = f"the log of {new.size} entries does not extend the one of {old.size} that was signed"
        raise LedgerError(why, hint=HINT)
    return Consistency(old=old.size, new=new.size, proof=proof, stale=True)


def _derived(tree: Tree, level: int, position: int) -> bytes:
    """Return the hash of a complete subtree from its leaves, in batches: a tree may be larger than memory."""
    frontier, batch = Frontier(), list[bytes]()
    for _, leaf in tree.leaves(position << level, (position + 1) << level):
        batch.append(merkle.leaf_hash(leaf if isinstance(leaf, bytes) else b""))
        if len(batch) == BATCH:
            frontier, _ = merkle.extend(frontier, batch)
            batch.clear()
    frontier, _ = merkle.extend(frontier, batch)
    return frontier.root

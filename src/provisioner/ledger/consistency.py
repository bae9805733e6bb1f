"""That a log only grew: consistency proofs (RFC 9162, section 2.1.4) between two of its signed heads, checked here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger.head import HINT
from provisioner.ledger.prover import Prover
from provisioner.model.encoding import to_base64

if TYPE_CHECKING:
    from provisioner.ledger.checkpoint import Checkpoint
    from provisioner.ledger.prover import Tree


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
        return {"old": self.old, "new": self.new, "proof": [to_base64(digest) for digest in self.proof]}


def prove_consistency(tree: Tree, old: Checkpoint, new: Checkpoint) -> Consistency:
    """Return the proof from the head `old` to the head `new`, once it has been checked; no signature is looked at.

    Raises LedgerError when neither the cached nodes nor the entries give one, and for a head of no entries or a `new`
    that is smaller than `old`, between which there is none.
    """
    if not 0 < old.size <= new.size:
        raise LedgerError(f"there is no proof from a tree of {old.size} entries to one of {new.size}", hint=HINT)
    prover = Prover(tree, new)
    try:
        proof = prover.consistency(old)
    except LedgerError as error:
        why = f"the log of {new.size} entries does not extend the one of {old.size} that was signed"
        raise LedgerError(why, hint=HINT) from error
    return Consistency(old=old.size, new=new.size, proof=proof, stale=prover.stale)

"""What a writer may build on: the tree that its own key has signed, checked against the tables.

The newest published checkpoint lies outside the database. Above it, a pending note, signed in the transaction that
appended, covers what this log's key wrote and could not publish yet, after a crash for instance. Entries covered by
neither were written by somebody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from provisioner.errors import LedgerError
from provisioner.ledger import merkle
from provisioner.ledger.checkpoint import (
    Checkpoint,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    sign_checkpoint,
    verify_checkpoint,
    with_signatures,
)
from provisioner.ledger.merkle import Frontier
from provisioner.ledger.names import pending_origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioner.ledger.checkpoint import Signer
    from provisioner.ledger.store import Transaction

BATCH = 10_000

HINT = "audit.verify names the first bad entry; keep a copy of the state folder before anything else"


class Head(NamedTuple):
    """The tree as it was last written, and the pending note that covers it."""

    frontier: Frontier
    note: str


def signed_head(frontier: Frontier, *, signers: Sequence[Signer]) -> Checkpoint:
    """Return the checkpoint of the tree, one signature line for each of the signers, one at least."""
    first, *others = (sign_checkpoint(frontier.size, frontier.root, signer=signer) for signer in signers)
    lines = [line for other in others for line in parse_note(other.note).signatures]
    return Checkpoint(first.origin, first.size, first.root, with_signatures(first.note, lines))


def pending_note(frontier: Frontier, *, signers: Sequence[Signer]) -> str:
    """Return the signed note for `frontier`, under the log's pending origin."""
    return signed_head(frontier, signers=[signer.renamed(pending_origin(signer.name)) for signer in signers]).note


def is_signed(checkpoint: Checkpoint, keys: Sequence[VerifierKey]) -> bool:
    """Whether one of these keys signed the checkpoint, as one of its own log."""
    return any(checkpoint.origin == key.name and verify_checkpoint(checkpoint, key) for key in keys)


def trusted_frontier(tables: Transaction, latest: Checkpoint | None, *, keys: Sequence[VerifierKey]) -> Frontier:
    """Return the frontier of the whole log once every entry in it is known to be one of these keys'.

    `latest` is the newest published checkpoint, None if there is none. Raises LedgerError when the tables hold less
    than was signed, something else than was signed, or more than was signed.
    """
    size = tables.size()
    base = _published_frontier(tables, latest, keys=keys) if latest else Frontier()
    if size < base.size:
        raise LedgerError(f"the log holds {size} entries, but {base.size} were signed and published", hint=HINT)
    if size == base.size:
        return base
    frontier = base
    for batch in _leaf_hashes(tables, base.size, size):
        frontier, _ = merkle.extend(frontier, batch)
    covered = _pending_size(tables.pending(), frontier, keys=keys)
    if covered > size:
        raise LedgerError(f"the log holds {size} entries, but {covered} were written: not signing", hint=HINT)
    if covered < size:
        first = max(base.size, covered)
        raise LedgerError(f"entries {first} to {size - 1} were not written with this log's key: not signing", hint=HINT)
    return frontier


def _published_frontier(tables: Transaction, latest: Checkpoint, *, keys: Sequence[VerifierKey]) -> Frontier:
    if not is_signed(latest, keys):
        raise LedgerError(f"the newest checkpoint was not signed by the key of {keys[0].name}: not signing", hint=HINT)
    if tables.size() < latest.size:
        return Frontier(latest.size)
    frontier = _cached_frontier(tables, latest.size)
    if frontier.root != latest.root:
        frontier = _rebuilt_frontier(tables, latest.size)
    if frontier.root != latest.root:
        raise LedgerError(f"the first {latest.size} entries are not those that were signed: not signing", hint=HINT)
    return frontier


def _cached_frontier(tables: Transaction, size: int) -> Frontier:
    names = merkle.frontier_nodes(size)
    cached = tables.nodes(names)
    hashes = (cached.get(name) for name in names)
    return Frontier(size, tuple(digest if isinstance(digest, bytes) else b"" for digest in hashes))


def _rebuilt_frontier(tables: Transaction, size: int) -> Frontier:
    """Fill the cache anew from the leaves: it may be wrong, it is evidence of nothing."""
    tables.forget_nodes()
    frontier = Frontier()
    for batch in _leaf_hashes(tables, 0, tables.size()):
        frontier, nodes = merkle.extend(frontier, batch)
        tables.add_nodes(nodes)
    return _cached_frontier(tables, size)


def _leaf_hashes(tables: Transaction, start: int, stop: int) -> Iterator[list[bytes]]:
    """Yield the leaf hashes of [start, stop) in batches; raises LedgerError at an entry that is missing."""
    for first in range(start, stop, BATCH):
        batch: list[bytes] = []
        for index, leaf in tables.leaves(first, min(stop, first + BATCH)):
            if index != first + len(batch) or not isinstance(leaf, bytes):
                break
            batch.append(merkle.leaf_hash(leaf))
        if len(batch) != min(stop, first + BATCH) - first:
            raise LedgerError(f"entry {first + len(batch)} is missing: not signing", hint=HINT)
        yield batch


def _pending_size(note: str | None, frontier: Frontier, *, keys: Sequence[VerifierKey]) -> int:
    """Return how many entries the pending note covers; none if it is another key's or says another root."""
    try:
        pending = parse_checkpoint(note or "")
    except LedgerError:
        return 0
    signed = is_signed(pending, [VerifierKey(pending_origin(key.name), key.public) for key in keys])
    if not signed or (pending.size == frontier.size and pending.root != frontier.root):
        return 0
    return pending.size

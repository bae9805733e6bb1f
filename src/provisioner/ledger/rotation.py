"""Which key a writer signs with, and the end of a change of key that a crash cut short.

A change of key has two transactions. The first keeps the new key as `next.key` and appends the `key` entry, under a
pending note of both keys. The second, which is also what every writer does that finds `next.key`, publishes the
checkpoint that holds the entry, signed by both keys, and puts the new key's files in place. Whether the first came to
be, the newest `key` entry decides: if it does not name the key in `next.key`, that key is discarded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger import head, keys, published
from provisioner.ledger.entry import KEY, parse_entry
from provisioner.ledger.history import KeyHistory, read_history
from provisioner.ledger.keys import KeyFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from provisioner.ledger.checkpoint import Checkpoint, Signer, VerifierKey
    from provisioner.ledger.entry import Entry
    from provisioner.ledger.merkle import Frontier
    from provisioner.ledger.store import Transaction

_MARK = f'"kind":"{KEY}"'.encode()


def key_entries(rows: Iterable[tuple[object, object]]) -> Iterator[Entry]:
    """Yield the `key` entries among rows of the table; raises LedgerError at one that is not canonical."""
    for index, leaf in rows:
        if not isinstance(leaf, bytes) or _MARK not in leaf:
            continue
        try:
            entry = parse_entry(leaf)
        except LedgerError as error:
            raise LedgerError(f"entry {index}: {error}", hint=head.HINT) from error
        if entry.kind == KEY:
            yield entry


def take_over(
    tables: Transaction, origin: str, *, key_folder: Path, checkpoint_folder: Path
) -> tuple[Frontier, Signer]:
    """Return the tree of a log that has entries, and the key in force, once both are known to be this log's.

    Finishes or discards a change of key that was cut short. Raises LedgerError, with nothing signed, when entries are
    not this log's key's (see `head.trusted_frontier`), or a file of the key is missing, exposed, another log's, an
    older copy, or without its public half.
    """
    latest = published.latest(checkpoint_folder)
    signer, following = keys.load_signer(key_folder, origin), keys.staged(key_folder, origin)
    able = [one for one in (signer, following) if one]
    verifiers = [one.verifier for one in able]
    if latest and not head.is_signed(latest, verifiers):
        _refuse_old(read_history(key_entries(tables.leaves()), origin=origin), signer, folder=key_folder)
        latest = _newest_signed(checkpoint_folder, latest, verifiers)
    frontier = head.trusted_frontier(tables, latest, keys=verifiers)
    if following:
        history = read_history(key_entries(tables.leaves()), origin=origin)
        if history.newest.key == following.verifier:
            if latest is None or latest.size < frontier.size:
                _publish(checkpoint_folder, frontier, history, signers=able)
            keys.adopt(key_folder, following)
            return frontier, following
        keys.discard_staged(key_folder)
    since = max(latest.size - 1, 0) if latest else 0
    if any(entry.body.get("key") != signer.verifier.render() for entry in _newest(tables, since)):
        _refuse_old(read_history(key_entries(tables.leaves()), origin=origin), signer, folder=key_folder)
    keys.check_public_half(key_folder, signer.verifier)
    return frontier, signer


def _newest_signed(folder: Path, latest: Checkpoint, verifiers: Sequence[VerifierKey]) -> Checkpoint:
    """Return what `latest` should hold, where it is an older copy, of a key that was replaced since; else `latest`.

    Nothing is overlooked: the older copy is also in its numbered file, and one larger is what these keys signed.
    """
    signed = [one for one in published.after(folder, latest) if head.is_signed(one, verifiers)]
    return signed[-1] if signed else latest


def _newest(tables: Transaction, since: int) -> list[Entry]:
    """Return the newest `key` entry from index `since` on, if there is one.

    The key that signed the newest checkpoint can have been followed only by the last entry under it, or above it.
    """
    return list(key_entries(tables.leaves(since)))[-1:]


def _publish(folder: Path, frontier: Frontier, history: KeyHistory, *, signers: Iterable[Signer]) -> Checkpoint:
    tenures = [(signer, history.of_key(signer.verifier)) for signer in signers]
    able = [signer for signer, tenure in tenures if tenure and tenure.may_sign(frontier.size)]
    checkpoint = head.signed_head(frontier, signers=able)
    published.publish(folder, checkpoint, at=history.newest.since)
    return checkpoint


def judged(found: KeyFile, history: KeyHistory, *, folder: Path) -> KeyFile:
    """Given the private key file in `folder`, return it as what it is to this log: its key may be an old one, or none.

    The state is then `retired`, `revoked`, or FOREIGN.
    """
    if found.signer is None:
        return found
    key, newest, path = found.signer.verifier, history.newest, folder / keys.SIGNING_KEY
    tenure = history.of_key(key)
    if tenure == newest:
        return found
    hint = f"put the newest back, from a newer backup: {newest.key.id.hex()}, fingerprint {newest.key.fingerprint}"
    if tenure is None:
        why = f"{path}: the key {key.id.hex()} was never one of {history.origin}"
        return KeyFile(state=keys.FOREIGN, problem=why, hint=hint)
    why = f"{path}: this is the key {key.id.hex()} of {history.origin}, {tenure.state} by entry {tenure.ended}"
    return KeyFile(state=tenure.state, problem=f"{why}: it is an older copy and signs nothing more", hint=hint)


def _refuse_old(history: KeyHistory, signer: Signer, *, folder: Path) -> None:
    """Raise LedgerError if the key found in `folder` is not the newest of the log."""
    found = judged(KeyFile(state=keys.PRESENT, signer=signer), history, folder=folder)
    if found.problem:
        raise LedgerError(found.problem, hint=found.hint)

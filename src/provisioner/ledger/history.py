"""The keys of a log, one after another: from its `key` entries to who may sign which size. Pure.

Entry 0 brings the first key. Each later `key` entry brings the next, vouched for by a signed note of the key before it
(`rotation_text`), so the chain verifies from entries alone. The key of entry k signs trees of more than k entries,
until the next `key` entry at m; the tree of m + 1 entries, the first that holds the new key, may be signed by either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger.checkpoint import VerifierKey, parse_note, parse_verifier_key, verify_checkpoint, verify_note
from provisioner.ledger.entry import KEY
from provisioner.ledger.names import rotation_origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from provisioner.ledger.checkpoint import Checkpoint, Signer
    from provisioner.ledger.entry import Entry

ROTATION = "rotation"
"""Reason of a planned change of key."""

COMPROMISE = "compromise"
"""Reason of a change because the key before is, or may be, in other hands."""

REASONS = (ROTATION, COMPROMISE)

IN_FORCE, RETIRED, REVOKED = "in force", "retired", "revoked"


@dataclass(frozen=True, kw_only=True)
class Tenure:
    """One key's time: brought by the entry `index` at `since`, followed at `until` by the key of entry `ended`.

    `reason` says why it was followed; `ended`, `until` are None and `reason` is empty while it is in force.
    """

    index: int
    key: VerifierKey
    since: datetime
    ended: int | None = None
    until: datetime | None = None
    reason: str = ""

    @property
    def state(self) -> str:
        """`in force`, `retired` or `revoked`."""
        if self.ended is None:
            return IN_FORCE
        return REVOKED if self.reason == COMPROMISE else RETIRED

    def may_sign(self, size: int) -> bool:
        """Whether a tree of `size` entries is this key's to sign."""
        return self.index < size and (self.ended is None or size <= self.ended + 1)


@dataclass(frozen=True)
class KeyHistory:
    """The keys of the log `origin`, oldest first; at least one."""

    origin: str
    tenures: tuple[Tenure, ...]

    @property
    def newest(self) -> Tenure:
        """The key in force."""
        return self.tenures[-1]

    def of_key(self, key: VerifierKey) -> Tenure | None:
        """Return the tenure of a key, None if it never was one of this log."""
        return next((tenure for tenure in self.tenures if tenure.key == key), None)

    def of_fingerprint(self, fingerprint: str) -> Tenure | None:
        """Return the tenure of the key with this fingerprint (hex), None if it never was one of this log."""
        wanted = fingerprint.lower()
        return next((tenure for tenure in self.tenures if tenure.key.fingerprint == wanted), None)

    def misfit(self, checkpoint: Checkpoint) -> str:
        """Say why nobody who might signed this checkpoint, empty if somebody did. No tree is compared with it."""
        what = f"the checkpoint of {checkpoint.size} entries"
        if checkpoint.origin != self.origin:
            return f"{what} is one of {checkpoint.origin}, not of {self.origin}"
        signed = [tenure for tenure in self.tenures if verify_checkpoint(checkpoint, tenure.key)]
        if any(tenure.may_sign(checkpoint.size) for tenure in signed):
            return ""
        if not signed:
            return f"{what} was not signed by the key of {self.origin}"
        found = signed[-1]
        if checkpoint.size <= found.index:
            return f"{what} was signed by the key {found.key.id.hex()}, which entry {found.index} brought only later"
        return f"{what} was signed by the key {found.key.id.hex()}, {found.state} by entry {found.ended}"


def rotation_text(origin: str, index: int, key: VerifierKey) -> str:
    """Return what the key before signs, under the name `rotation_origin`: entry `index` of `origin` brings `key`."""
    return f"{rotation_origin(origin)}\n{index}\n{key.render()}\n"


def first_body(key: VerifierKey) -> dict[str, object]:
    """Return the body of entry 0."""
    return {"key": key.render(), "fingerprint": key.fingerprint}


def rotation_body(index: int, old: Signer, new: VerifierKey, *, reason: str) -> dict[str, object]:
    """Return the body of the entry `index` that puts `new` in the place of `old`.

    Raises LedgerError for a reason that is none of `REASONS`: no reader would accept the entry, nor any after it.
    """
    if reason not in REASONS:
        raise LedgerError(f"{reason!r} is no reason to change a key; known: {', '.join(REASONS)}")
    note = old.renamed(rotation_origin(old.name)).sign(rotation_text(old.name, index, new))
    return {**first_body(new), "previous": old.verifier.fingerprint, "reason": reason, "note": note}


def read_history(entries: Iterable[Entry], *, origin: str) -> KeyHistory:
    """Return the history that the `key` entries among `entries` tell; they come in order of index, entry 0 with them.

    Raises LedgerError, naming the entry, as `begun` and `followed` do, and when there is no `key` entry at all.
    """
    history: KeyHistory | None = None
    for entry in entries:
        if entry.kind == KEY:
            history = followed(history, entry) if history else begun(entry, origin=origin)
    if history is None:
        raise LedgerError(f"no entry brings a key of {origin}")
    return history


def begun(entry: Entry, *, origin: str) -> KeyHistory:
    """Return the history that entry 0 begins; raises LedgerError if the entry is not that of a key of `origin`."""
    key = _key(entry.body) if entry.index == 0 and entry.kind == KEY else None
    if key is None or key.name != origin:
        raise LedgerError(f"entry {entry.index} does not hold the public key of {origin}")
    return KeyHistory(origin, (Tenure(index=0, key=key, since=entry.at),))


def followed(history: KeyHistory, entry: Entry) -> KeyHistory:
    """Return the history after a later `key` entry.

    Raises LedgerError, naming the entry, unless it holds a key of this log that was none before, names the key in
    force as the one it follows, gives a reason of `REASONS`, and carries a note in which that key signs exactly this.
    """
    old, body = history.newest, entry.body
    new, reason = _key(body), body.get("reason")
    if new is None or new.name != history.origin:
        raise LedgerError(f"entry {entry.index} does not hold the public key of {history.origin}")
    if history.of_fingerprint(new.fingerprint):
        raise LedgerError(f"entry {entry.index} brings back the key {new.id.hex()}, which this log had before")
    if body.get("previous") != old.key.fingerprint or reason not in REASONS:
        raise LedgerError(f"entry {entry.index} does not say which key it follows, and why")
    if not _vouched(body, rotation_text(history.origin, entry.index, new), by=old.key):
        raise LedgerError(f"entry {entry.index}: the key before it, {old.key.id.hex()}, did not sign the change of key")
    ended = replace(old, ended=entry.index, until=entry.at, reason=str(reason))
    next_one = Tenure(index=entry.index, key=new, since=entry.at)
    return KeyHistory(history.origin, (*history.tenures[:-1], ended, next_one))


def _key(body: Mapping[str, object]) -> VerifierKey | None:
    """Return the key in the body of a `key` entry, None if there is none or the fingerprint beside it is another's."""
    try:
        key = parse_verifier_key(str(body.get("key")))
    except LedgerError:
        return None
    return key if body.get("fingerprint") == key.fingerprint else None


def _vouched(body: Mapping[str, object], text: str, *, by: VerifierKey) -> bool:
    try:
        note = parse_note(str(body.get("note")))
    except LedgerError:
        return False
    return note.text == text and verify_note(note, VerifierKey(rotation_origin(by.name), by.public))

"""Verification: everything is derived again from bytes, nothing the writer cached is believed.

Given the rows of a log and what was signed about it, say whether it is still what was signed, and name the first entry
that is not. Knows the format, not the book: anything with the four methods of `Source` can be verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from provisioner.errors import LedgerError
from provisioner.ledger import merkle, names
from provisioner.ledger.checkpoint import Checkpoint, VerifierKey, verify_checkpoint
from provisioner.ledger.history import REVOKED
from provisioner.ledger.walk import BATCH, Finding, Walk, walk_through

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.ledger.consistency import Consistency
    from provisioner.ledger.merkle import Frontier


class Row(Protocol):
    """A row of `details`: what a reference stands for."""

    @property
    def reference(self) -> str:
        """The name entries use."""

    @property
    def field(self) -> str:
        """The kind of value."""

    @property
    def salt(self) -> bytes:
        """The random bytes that keep the reference from being guessed."""

    @property
    def value(self) -> bytes:
        """What is kept."""


class Source(Protocol):
    """Where the bytes of one log come from. Nothing that it returns is trusted."""

    def leaves(self, start: int | None = None, stop: int | None = None) -> Iterator[tuple[object, object]]:
        """Yield (index, leaf) of the rows in order of index."""

    def leaf_hashes(self, start: int, stop: int) -> Iterable[object]:
        """Return the leaf hashes of [start, stop) that the writer cached."""

    def details(self) -> Iterable[Row]:
        """Return what references stand for."""


class Status(StrEnum):
    """What verification says; only `OK` and `UNANCHORED` are exit 0."""

    OK = "OK"
    UNANCHORED = "UNANCHORED"
    TAMPERED = "TAMPERED"
    EMPTY = "EMPTY"


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """A checkpoint that somebody outside vouches for: `name` says who or what, as in "checkpoint FILE"."""

    checkpoint: Checkpoint
    name: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was signed about a log, and what somebody kept outside.

    `checkpoints` and `key` come from the state folder; `anchors` (a copy of a checkpoint, one that a witness cosigned,
    one under a time stamp) and `fingerprint` (SHA-256 in hex of a public key that the log has or had) from outside.
    `damaged` are sentences about files that could not be read.
    """

    origin: str
    checkpoints: tuple[Checkpoint, ...] = ()
    key: VerifierKey | None = None
    anchors: tuple[Anchor, ...] = ()
    fingerprint: str = ""
    damaged: tuple[str, ...] = ()

    @property
    def compared_with(self) -> str:
        """What the answer rests on, for people."""
        outside = [f"{anchor.name} of {anchor.checkpoint.size} entries" for anchor in self.anchors]
        outside += [f"key fingerprint {self.fingerprint}"] if self.fingerprint else []
        return "; ".join(outside) or "self-consistent; nothing outside was compared"


@dataclass(frozen=True, kw_only=True)
class Report:
    """The answer: of `size` entries, `first_bad` is the first that is not as signed (None where none can be named).

    `warnings` change no status: what was noticed beside the log itself, such as a schema without its tripwires.
    `consistency` is the proof from a kept checkpoint to the newest, where there is one to make.
    """

    status: Status
    size: int
    compared_with: str
    first_bad: int | None = None
    findings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    consistency: Consistency | None = None

    @property
    def exit_code(self) -> int:
        """0 or 7."""
        return 0 if self.status in (Status.OK, Status.UNANCHORED) else 7


def verify(source: Source, evidence: Evidence) -> Report:
    """Given the rows of a log and the evidence about it, return the report; nothing that the rows hold can raise.

    OK: every entry is covered by a checkpoint that re-derives. UNANCHORED: the log re-derives, but its last entries
    have no checkpoint. TAMPERED: `first_bad` and `findings` say where and why. EMPTY: no entry and no checkpoint.
    """
    kept = [anchor.checkpoint for anchor in evidence.anchors]
    signed = [*evidence.checkpoints, *kept]
    # Details before entries: a text that is blanked meanwhile is still whole in these rows.
    bad: list[Finding] = [(None, sentence) for sentence in evidence.damaged]
    odd = _odd_rows(source, bad)
    walk = walk_through(source.leaves(), origin=evidence.origin, sizes={checkpoint.size for checkpoint in signed})
    size, covered = walk.frontier.size, max((checkpoint.size for checkpoint in signed), default=0)
    if walk.broken:
        bad.append((size, walk.broken))
    roots = [*_root_findings(source, walk, evidence.checkpoints), *_root_findings(source, walk, kept)]
    bad += [*_key_findings(walk, evidence, covered=covered, located=bool(roots)), *roots]
    bad += _signature_findings(walk, signed, evidence)
    bad += _detail_findings(odd, walk)
    if bad:
        status, findings = Status.TAMPERED, tuple(dict.fromkeys(sentence for _, sentence in bad))
    elif not size:
        status, findings = Status.EMPTY, ("the log holds no entries",)
    elif covered < size:
        status, findings = Status.UNANCHORED, (f"no checkpoint covers entries {covered} to {size - 1}",)
    else:
        status, findings = Status.OK, ()
    first_bad = min((index for index, _ in bad if index is not None), default=None)
    return Report(
        status=status,
        size=size,
        compared_with=evidence.compared_with,
        first_bad=first_bad,
        findings=findings,
        warnings=(*_key_warnings(walk, evidence), *_blanked_warnings(walk)),
    )


def _key_findings(walk: Walk, evidence: Evidence, *, covered: int, located: bool) -> list[Finding]:
    """Compare the log's keys with the key of the state folder and the fingerprint kept outside.

    Where a signed root has `located` what is wrong, no entry is blamed: one that changed the key may be gone.
    Of a log that ends early nothing is said: the entries that brought the newest keys may be among those that lack.
    """
    if walk.bad_key:
        return [walk.bad_key]
    if walk.keys is None or walk.broken or walk.frontier.size < covered:
        return []
    findings, newest = list[Finding](), walk.keys.newest
    held = walk.keys.of_key(evidence.key) if evidence.key else newest
    if held is None:
        why = f"the key in entry {newest.index} is not the one in the state folder"
        findings.append((None if located else newest.index, why))
    elif held != newest and not _is_unfinished(walk, evidence):
        why = f"the key in the state folder, {held.key.id.hex()}, was {held.state} by entry {held.ended}"
        findings.append((None, f"{why}: it is an older copy"))
    if evidence.fingerprint and walk.keys.of_fingerprint(evidence.fingerprint) is None:
        why = f"the log's key has the fingerprint {newest.key.fingerprint}, not {evidence.fingerprint}"
        why += ", nor had any before it" if newest.index else ""
        findings.append((None if located else 0, why))
    return findings


def _key_warnings(walk: Walk, evidence: Evidence) -> tuple[str, ...]:
    if walk.keys is None:
        return ()
    warnings, newest = list[str](), walk.keys.newest
    if _is_unfinished(walk, evidence):
        before = f"the state folder still has the key before entry {newest.index}"
        warnings.append(f"{before}: the next command that writes finishes the change, or says that it is an older copy")
    given = walk.keys.of_fingerprint(evidence.fingerprint)
    if given and given.state == REVOKED:
        warnings.append(
            f"the fingerprint given is of a key that entry {given.ended} revoked: whoever has that key can make such a "
            f"log; get the newest by a way that you trust, and compare it with {newest.key.fingerprint}"
        )
    return tuple(warnings)


def _is_unfinished(walk: Walk, evidence: Evidence) -> bool:
    """Whether the last entry changes the key, and the state folder still has the key before."""
    if walk.keys is None or len(walk.keys.tenures) < 2 or walk.frontier.size != walk.keys.newest.index + 1:
        return False
    return evidence.key == walk.keys.tenures[-2].key


def _signature_findings(walk: Walk, signed: list[Checkpoint], evidence: Evidence) -> list[Finding]:
    """Say which checkpoints no key signed that might.

    Where the log does not know the key in the state folder, which is a finding of its own or one of a log that ends
    early, that key may have signed too: then the checkpoints are not what is wrong.
    """
    state = evidence.key if evidence.key and not (walk.keys and walk.keys.of_key(evidence.key)) else None
    stranger = f"was not signed by the key of {evidence.origin}"
    findings = list[Finding]()
    for checkpoint in signed:
        if state and checkpoint.origin == evidence.origin and verify_checkpoint(checkpoint, state):
            continue
        why = walk.keys.misfit(checkpoint) if walk.keys else f"the checkpoint of {checkpoint.size} entries {stranger}"
        if why:
            findings.append((None, why))
    return findings


def _root_findings(source: Source, walk: Walk, signed: Iterable[Checkpoint]) -> list[Finding]:
    """Compare each signed root with the derived one; the first that differs tells between which sizes to look.

    Called apart for what was published and what was kept: whoever holds the key can publish, so nothing published
    vouches for entries that a kept checkpoint contradicts.
    """
    sound = 0
    for checkpoint in sorted(signed, key=lambda one: one.size):
        derived = walk.anchors.get(checkpoint.size)
        if derived is None or derived.root != checkpoint.root:
            return [_locate(source, walk, sound, checkpoint)]
        sound = checkpoint.size
    return []


def _locate(source: Source, walk: Walk, sound: int, failed: Checkpoint) -> Finding:
    """Name the first entry in [sound, failed.size) that is not as signed.

    The leaf hashes that the writer cached are believed only if they give the signed root: then they are what was
    signed, and the first row that differs is exact. Otherwise the range is all that can be said.
    """
    between = f"entries {sound} to {failed.size - 1} are not those that were signed"
    if walk.frontier.size < failed.size:
        between += f"; the log ends with {walk.frontier.size} entries"
    try:
        if not _is_vouched(source, walk.anchors[sound], failed):
            return sound, between
        rows = source.leaves(sound, failed.size)
        for place, digest in enumerate(_cached(source, sound, failed.size), start=sound):
            index, leaf = next(rows, (None, None))
            if index != place or not isinstance(leaf, bytes) or merkle.leaf_hash(leaf) != digest:
                return place, f"entry {place} is not the one that was signed"
    except LedgerError as error:
        return sound, str(error)
    return sound, between


def _is_vouched(source: Source, before: Frontier, signed: Checkpoint) -> bool:
    """Whether the leaf hashes that the writer cached, put after `before`, give the signed root."""
    frontier, batch = before, list[bytes]()
    for digest in _cached(source, before.size, signed.size):
        batch.append(digest)
        if len(batch) == BATCH:
            frontier, _ = merkle.extend(frontier, batch)
            batch.clear()
    frontier, _ = merkle.extend(frontier, batch)
    return (frontier.size, frontier.root) == (signed.size, signed.root)


def _cached(source: Source, start: int, stop: int) -> Iterator[bytes]:
    """Yield the cached leaf hashes of [start, stop), no further than the first batch that is not full."""
    for first in range(start, stop, BATCH):
        last = min(first + BATCH, stop)
        found = [digest for digest in source.leaf_hashes(first, last) if isinstance(digest, bytes)]
        yield from found
        if len(found) < last - first:
            return


def _odd_rows(source: Source, bad: list[Finding]) -> list[Row]:
    """Return the rows of `details` that do not hold what their reference says; add a finding where none can be read.

    Contract texts and personal values have references that tell; who a pseudonym is, nothing protects.
    """
    try:
        return [row for row in source.details() if not _kept(row)]
    except LedgerError as error:
        bad.append((None, str(error)))
        return []


def _detail_findings(odd: list[Row], walk: Walk) -> list[Finding]:
    return [
        (None, f"the {row.field} kept under {row.reference} is not what it was")
        for row in odd
        if row.field != names.CONTRACT_REDACTED or not _is_blanked(row, walk)
    ]


def _is_blanked(row: Row, walk: Walk) -> bool:
    """Whether a row holds what an `erase` entry says that is left of a contract's text."""
    whole = isinstance(row.value, bytes) and row.salt == b""
    return whole and walk.blanked.get(row.reference) == names.contract_digest(row.value)


def _blanked_warnings(walk: Walk) -> tuple[str, ...]:
    return tuple(
        f"the text of the contract {digest} was blanked by an erasure: its digest can no longer be shown"
        for digest in walk.blanked
    )


def _kept(row: Row) -> bool:
    """Whether a row holds what its reference says: the salt's length too, or bytes could move between it and value."""
    if not isinstance(row.salt, bytes) or not isinstance(row.value, bytes):
        return False
    if row.field == names.OPERATOR:
        return str(row.reference).startswith("op-")
    if row.field == names.CONTRACT:
        return row.reference == names.contract_digest(row.value)
    if row.field == names.CONTRACT_REDACTED:
        return False  # the entries tell: see `_is_blanked`
    return len(row.salt) == names.SALT_SIZE and row.reference == names.personal_reference(row.salt, row.value)

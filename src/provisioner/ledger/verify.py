"""Verification: everything is derived again from bytes, nothing the writer cached is believed.

Given the rows of a log and what was signed about it, say whether it is still what was signed, and name the first entry
that is not. Knows the format, not the book: anything with the four methods of `Source` can be verified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from provisioner.errors import LedgerError
from provisioner.ledger import merkle, names
from provisioner.ledger.checkpoint import Checkpoint, VerifierKey, parse_verifier_key, verify_checkpoint
from provisioner.ledger.entry import KEY, Entry, parse_entry
from provisioner.ledger.merkle import Frontier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BATCH = 1000


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
    one under a time stamp) and `fingerprint` (SHA-256 of the public key in hex) from outside. `damaged` are sentences
    about files that could not be read.
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
    """

    status: Status
    size: int
    compared_with: str
    first_bad: int | None = None
    findings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 or 7."""
        return 0 if self.status in (Status.OK, Status.UNANCHORED) else 7


Finding = tuple[int | None, str]
"""Which entry (None where none can be named), and a sentence."""


@dataclass
class Walk:
    """What re-deriving found: the tree, its state at each size asked for, entry 0, and why it went no further."""

    frontier: Frontier = field(default_factory=Frontier)
    anchors: dict[int, Frontier] = field(default_factory=lambda: {0: Frontier()})
    first: Entry | None = None
    broken: str = ""


def verify(source: Source, evidence: Evidence) -> Report:
    """Given the rows of a log and the evidence about it, return the report; nothing that the rows hold can raise.

    OK: every entry is covered by a checkpoint that re-derives. UNANCHORED: the log re-derives, but its last entries
    have no checkpoint. TAMPERED: `first_bad` and `findings` say where and why. EMPTY: no entry and no checkpoint.
    """
    kept = [anchor.checkpoint for anchor in evidence.anchors]
    signed = [*evidence.checkpoints, *kept]
    walk = _walk(source, {checkpoint.size for checkpoint in signed})
    size, covered = walk.frontier.size, max((checkpoint.size for checkpoint in signed), default=0)
    bad: list[Finding] = [(None, sentence) for sentence in evidence.damaged]
    if walk.broken:
        bad.append((size, walk.broken))
    bad += [*_key_findings(walk, evidence), *_signature_findings(walk, signed, evidence)]
    bad += _root_findings(source, walk, evidence.checkpoints) or _root_findings(source, walk, kept)
    bad += _detail_findings(source)
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
        status=status, size=size, compared_with=evidence.compared_with, first_bad=first_bad, findings=findings
    )


def _walk(source: Source, sizes: set[int]) -> Walk:
    """Hash every row in order until one is not the entry that its place asks for."""
    walk, batch = Walk(), list[bytes]()

    def grow() -> None:
        walk.frontier, _ = merkle.extend(walk.frontier, batch)
        batch.clear()

    try:
        for expected, (index, leaf) in enumerate(source.leaves()):
            entry = _entry(expected, index, leaf)
            walk.first = walk.first or entry
            batch.append(entry.hash)
            if expected + 1 in sizes or len(batch) == BATCH:
                grow()
                walk.anchors[expected + 1] = walk.frontier
    except LedgerError as error:
        walk.broken = str(error)
    grow()
    return walk


def _entry(expected: int, index: object, leaf: object) -> Entry:
    if index != expected:
        raise LedgerError(f"entry {expected} is missing: the next row is {index!r}")
    try:
        entry = parse_entry(leaf if isinstance(leaf, bytes) else b"")
    except LedgerError as error:
        raise LedgerError(f"entry {expected}: {error}") from error
    if entry.index != expected:
        raise LedgerError(f"entry {expected}: the row holds the bytes of entry {entry.index}")
    return entry


def _log_key(walk: Walk) -> VerifierKey | None:
    """Return the public key in entry 0, None if it holds none."""
    try:
        return parse_verifier_key(str(walk.first.body.get("key"))) if walk.first and walk.first.kind == KEY else None
    except LedgerError:
        return None


def _key_findings(walk: Walk, evidence: Evidence) -> list[Finding]:
    """Compare entry 0 with the key of the state folder and the fingerprint kept outside."""
    if walk.first is None:
        return []
    key = _log_key(walk)
    if key is None or key.name != evidence.origin:
        return [(0, f"entry 0 does not hold the public key of {evidence.origin}")]
    findings: list[Finding] = []
    if evidence.key is not None and evidence.key != key:
        findings.append((0, "the key in entry 0 is not the one in the state folder"))
    if evidence.fingerprint and evidence.fingerprint.lower() != key.fingerprint:
        findings.append((0, f"the log's key has the fingerprint {key.fingerprint}, not {evidence.fingerprint}"))
    return findings


def _signature_findings(walk: Walk, signed: list[Checkpoint], evidence: Evidence) -> list[Finding]:
    key = evidence.key or _log_key(walk)
    return [
        (None, f"the checkpoint of {checkpoint.size} entries was not signed by the key of {evidence.origin}")
        for checkpoint in signed
        if key is None or checkpoint.origin != evidence.origin or not verify_checkpoint(checkpoint, key)
    ]


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
        cached = [digest for digest in source.leaf_hashes(sound, failed.size) if isinstance(digest, bytes)]
        grown, _ = merkle.extend(walk.anchors[sound], cached)
        if (grown.size, grown.root) != (failed.size, failed.root):
            return sound, between
        rows = source.leaves(sound, failed.size)
        for place, digest in enumerate(cached, start=sound):
            index, leaf = next(rows, (None, None))
            if index != place or not isinstance(leaf, bytes) or merkle.leaf_hash(leaf) != digest:
                return place, f"entry {place} is not the one that was signed"
    except LedgerError as error:
        return sound, str(error)
    return sound, between


def _detail_findings(source: Source) -> list[Finding]:
    """Check contract texts and personal values against their references; who a pseudonym is, nothing protects."""
    try:
        rows = [row for row in source.details() if not _kept(row)]
    except LedgerError as error:
        return [(None, str(error))]
    return [(None, f"the {row.field} kept under {row.reference} is not what it was") for row in rows]


def _kept(row: Row) -> bool:
    """Whether a row holds what its reference says: the salt's length too, or bytes could move between it and value."""
    if not isinstance(row.salt, bytes) or not isinstance(row.value, bytes):
        return False
    if row.field == names.OPERATOR:
        return str(row.reference).startswith("op-")
    if row.field == names.CONTRACT:
        return row.reference == names.contract_digest(row.value)
    return len(row.salt) == names.SALT_SIZE and row.reference == names.personal_reference(row.salt, row.value)

"""Verify a bundle: the library's own reading of docs/reference/bundle_format.md, beside `standalone/verify.py`.

The rules are applied in the order of that page, and the first that is broken is the answer: two programs that follow it
name the same entry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import bundle, canonical, merkle, names
from provisioner.ledger.bundle.archive import unpack
from provisioner.ledger.bundle.parts import Parts, Step, Value
from provisioner.ledger.checkpoint import WitnessKey, parse_note, verify_cosignature
from provisioner.ledger.entry import KEY, parse_entry
from provisioner.ledger.history import REVOKED, KeyHistory, begun, followed
from provisioner.ledger.proof import parse_proof
from provisioner.ledger.timestamp import Authorities
from provisioner.ledger.timestamp import verify as verify_token
from provisioner.ledger.verify import Anchor, Report, Status

if TYPE_CHECKING:
    from collections.abc import Iterator


_SALT = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What a bundle is compared with: kept checkpoints, a fingerprint (hex), witnesses and authorities one trusts."""

    anchors: tuple[Anchor, ...] = ()
    fingerprint: str = ""
    witnesses: tuple[WitnessKey, ...] = ()
    authorities: Authorities | None = None


class _Bad(LedgerError):
    """A bundle is not as it was signed, from the entry `index` on."""

    def __init__(self, why: str, index: int | None = None, *, disproved: bool = False) -> None:
        super().__init__(why)
        self.index = index
        self.disproved = disproved


def verify_bundle(path: Path, outside: Outside) -> Report:
    """Given a bundle, an archive or the folder in it, return the report: OK or TAMPERED, `size` the entries shown.

    Raises UsageError when it cannot be read, or be compared with an anchor: one of another log, or newer than it.
    """
    if not path.exists():
        raise UsageError(f"{path}: there is no such bundle")
    try:
        with TemporaryDirectory() as scratch:
            folder = path if path.is_dir() else unpack(path, Path(scratch), is_part=bundle.is_part)
            return _Verifier(Parts(folder)).report(outside)
    except LedgerError as error:
        index = error.index if isinstance(error, _Bad) else None
        findings = (f"{path.name}: {error}",)
        return Report(status=Status.TAMPERED, size=0, compared_with="nothing", first_bad=index, findings=findings)


class _Verifier:
    """Reads the parts of one bundle in the order of the rules."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._manifest = parts.manifest()
        self._newest = self._proven = parts.checkpoint(bundle.NEWEST)
        if parts.has(bundle.COSIGNED):
            self._proven = parts.checkpoint(bundle.COSIGNED)
        named = (self._newest.origin, self._newest.size) == (self._manifest.origin, self._manifest.size)
        if not named or parse_note(self._proven.note).text != parse_note(self._newest.note).text:
            raise LedgerError("the checkpoint is not the one that manifest.json names")
        self._indices = parts.indices()
        self._cited = set[str]()
        self._keys: KeyHistory | None = None

    def report(self, outside: Outside) -> Report:
        """Return the good report; raises LedgerError for any other bundle."""
        bad = self._first_bad()
        keys = self._keys
        stranger = f"the checkpoint was not signed by the key of {self._manifest.origin}"
        why = keys.misfit(self._newest) or keys.misfit(self._proven) if keys else stranger
        if bad and not (bad.disproved and why):
            raise bad
        if why or keys is None:
            raise _Bad(why)
        self._check_manifest(keys)
        self._check_files(keys)
        self._check_details()
        for step in self._parts.steps():
            self._check_step(step, step.root)
        compared = [*self._fingerprint(keys, outside.fingerprint), *self._anchors(keys, outside.anchors)]
        compared += [*self._witnesses(outside.witnesses), *self._authority(outside.authorities)]
        return Report(
            status=Status.OK,
            size=len(self._indices),
            compared_with="; ".join(compared) or "self-consistent; nothing outside was compared",
            warnings=tuple(self._warnings(keys, outside)),
        )

    def _first_bad(self) -> _Bad | None:
        """Return what is wrong with the first entry that is bad or missing, None if none is."""
        bad = None
        try:
            for each in self._disproved():
                bad = bad or each
        except _Bad as error:
            bad = _Bad(str(bad), bad.index) if bad else error
        there = set(self._indices)
        due = chain(range(1), self._manifest.scope.due(self._manifest.size))  # a hostile manifest names any number
        missing = next((index for index in due if index not in there), None)
        if missing is not None and (bad is None or bad.index is None or missing < bad.index):
            return _Bad(f"entry {missing} is missing", missing)
        return bad

    def _disproved(self) -> Iterator[_Bad]:
        """Read every line, and yield what the tree says against it; raises _Bad at a line that stands for no entry.

        All are read even so: the keys that may have signed the tree are among them.
        """
        lines, before = self._parts.lines(bundle.ENTRIES), -1
        try:
            for index in self._indices:
                line = next(lines, b"")
                self._read_entry(index, line, before=before)
                if not self._proves(index, line):
                    yield _Bad(f"entry {index} is not in the tree of the checkpoint", index, disproved=True)
                self._cited |= bundle.cited(line)
                before = index
            if next(lines, None) is not None:
                raise _Bad(f"{bundle.ENTRIES} goes on after entry {before}")
        except _Bad:
            raise
        except LedgerError as error:
            raise _Bad(str(error)) from error

    def _read_entry(self, index: int, line: bytes, *, before: int) -> None:
        """Hold a line against its place, the scope and the keys before it."""
        try:
            entry = parse_entry(line)
        except LedgerError as error:
            raise _Bad(f"entry {index}: {error}", index) from error
        if before < entry.index < index:
            raise _Bad(f"entry {entry.index} has no proof", entry.index)
        if entry.index != index:
            raise _Bad(f"entry {index} is missing: entry {entry.index} stands in its place", index)
        if why := self._manifest.scope.misplaced(entry):
            raise _Bad(f"entry {index}: {why}", index)
        if index == 0 or entry.kind == KEY:
            try:
                self._keys = followed(self._keys, entry) if self._keys else begun(entry, origin=self._manifest.origin)
            except LedgerError as error:
                raise _Bad(str(error), index) from error

    def _proves(self, index: int, line: bytes) -> bool:
        """Whether an entry is in the tree of the checkpoint, by its proof."""
        try:
            proof = parse_proof(self._parts.read(bundle.proof_name(index)).decode())
        except (LedgerError, UnicodeDecodeError) as error:
            raise _Bad(f"entry {index}: {error}", index) from error
        if proof.index != index:
            raise _Bad(f"entry {index}: its proof is that of entry {proof.index}", index)
        size, root = self._newest.size, self._newest.root
        within = merkle.includes(merkle.leaf_hash(line), index, size, proof=proof.path, root=root)
        return within and proof.note == self._proven.note

    def _check_manifest(self, keys: KeyHistory) -> None:
        if bundle.runs(self._indices) != self._manifest.indices:
            raise _Bad(f"{bundle.MANIFEST} names other entries than are there")
        if self._manifest.scope.intervention and len(self._indices) == len(keys.tenures):
            raise _Bad("no entry is of this intervention")

    def _check_files(self, keys: KeyHistory) -> None:
        for tenure in keys.tenures:
            for name, data in bundle.key_files(tenure.index, tenure.key).items():
                if self._parts.read(name) != data:
                    raise _Bad(f"{name} is not the key that entry {tenure.index} brings")
        for name in self._parts.names("contract"):
            digest = names.contract_digest(self._parts.read(f"contract/{name}"))
            if name != f"{digest}.yml" or digest not in self._cited:
                raise _Bad(f"contract/{name} is not a text that an entry cites")

    def _check_details(self) -> None:
        for value in self._parts.values():
            if value.reference not in self._cited or not _kept(value):
                raise _Bad(f"{bundle.DETAILS}: {value.reference!r} is not what an entry cites")

    def _check_step(self, step: Step, root: bytes) -> None:
        new = (self._newest.size, self._newest.root)
        if step.size >= new[0] or not merkle.extends((step.size, root), new, proof=step.path):
            raise _Bad(f"the checkpoint did not grow from that of {step.size} entries")

    def _fingerprint(self, keys: KeyHistory, fingerprint: str) -> Iterator[str]:
        if not fingerprint:
            return
        if keys.of_fingerprint(fingerprint) is None:
            raise _Bad(f"the log's key has the fingerprint {keys.newest.key.fingerprint}, not {fingerprint}", 0)
        yield f"key fingerprint {fingerprint}"

    def _anchors(self, keys: KeyHistory, anchors: tuple[Anchor, ...]) -> Iterator[str]:
        for anchor in anchors:
            kept, newest = anchor.checkpoint, self._newest
            if kept.origin != newest.origin or kept.size > newest.size:
                raise UsageError(
                    f"{anchor.name} is of {kept.size} entries of {kept.origin}, the bundle ends at {newest.size} of "
                    f"{newest.origin}: there is nothing to compare",
                    hint="ask for a bundle that was written later, of the same log",
                )
            if why := keys.misfit(kept):
                raise _Bad(why)
            if (kept.size, kept.root) != (newest.size, newest.root):
                step = next((step for step in self._parts.steps() if step.size == kept.size), None)
                if step is None:
                    raise _Bad(f"no proof leads from the kept checkpoint of {kept.size} entries")
                self._check_step(step, kept.root)
            yield f"{anchor.name} of {kept.size} entries"

    def _witnesses(self, witnesses: tuple[WitnessKey, ...]) -> Iterator[str]:
        for key in witnesses:
            at = verify_cosignature(parse_note(self._proven.note), key)
            if at is None:
                raise _Bad(f"witness {key.name} did not cosign the checkpoint")
            yield f"witness {key.name} ({canonical.instant(at)}), checkpoint of {self._newest.size} entries"

    def _authority(self, authorities: Authorities | None) -> Iterator[str]:
        if authorities is None:
            return
        note = self._newest.note.encode()
        at = verify_token(self._parts.read(bundle.STAMPED), note, authorities=authorities)
        yield f"time stamp ({canonical.instant(at)}), checkpoint of {self._newest.size} entries"

    def _warnings(self, keys: KeyHistory, outside: Outside) -> Iterator[str]:
        given = keys.of_fingerprint(outside.fingerprint)
        if given and given.state == REVOKED:
            newest = keys.newest.key.fingerprint
            yield f"the fingerprint given is of a key that entry {given.ended} revoked: compare the newest, {newest}"
        if self._parts.has(bundle.STAMPED) and outside.authorities is None:
            yield "there is a time stamp, which was not checked: name its authority, or see VERIFY.md"
        if any(value.field == names.OPERATOR for value in self._parts.values()):
            yield "who a pseudonym stands for is the word of whoever wrote the bundle: nothing proves it"


def _kept(value: Value) -> bool:
    """Whether a personal value gives its reference; whom a pseudonym stands for, nothing can tell."""
    if value.field == names.OPERATOR:
        return value.reference.startswith("op-") and not value.salt
    if value.field in names.NOT_PERSONAL or not _SALT.fullmatch(value.salt):
        return False
    return value.reference == names.personal_reference(bytes.fromhex(value.salt), value.value.encode())

"""The same question to the library and to verify.py: each function returns both answers, which must be equal."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import checkpoint as notes
from provisioner.ledger import merkle
from provisioner.ledger.bundle.verify import Outside, verify_bundle
from provisioner.ledger.checkpoint import Note, Signature, VerifierKey, WitnessKey
from provisioner.ledger.entry import parse_entry
from provisioner.ledger.proof import parse_proof
from provisioner.ledger.verify import Anchor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from provisioner.ledger.checkpoint import Checkpoint

Answers = tuple[object, object]


def _ours(read: Callable[[], object]) -> object:
    try:
        return read()
    except LedgerError:
        return None


def _theirs(read: Callable[[], object]) -> object:
    try:
        return read()
    except ValueError:
        return None


def inclusion(program: Any, leaf: bytes, place: tuple[int, int], path: Sequence[bytes], root: bytes) -> Answers:
    index, size = place
    ours = merkle.includes(leaf, index, size, proof=path, root=root)
    return ours, program.included(leaf, index, size, list(path)) == root


def consistency(program: Any, old: tuple[int, bytes], new: tuple[int, bytes], path: Sequence[bytes]) -> Answers:
    return merkle.extends(old, new, proof=path), program.grown(*old, new[0], list(path)) == (old[1], new[1])


def ed25519(program: Any, public: bytes, message: str, signature: bytes) -> Answers:
    key = VerifierKey("n", public)
    ours = notes.verify_note(Note(message, (Signature("n", key.id, signature),)), key)
    return ours, program.signed(public, message.encode(), signature)


def entry(program: Any, line: bytes) -> Answers:
    def ours() -> object:
        found = parse_entry(line)
        return found.index, found.at, found.kind, found.operator, found.salt, dict(found.body)

    def theirs() -> object:
        found = program.entry_of(line)
        return tuple(found[name] for name in ("index", "at", "kind", "operator", "salt", "body"))

    return _ours(ours), _theirs(theirs)


def verifier_key(program: Any, text: str) -> Answers:
    def ours() -> object:
        key = notes.parse_verifier_key(text)
        return key.name, key.public

    return _ours(ours), _theirs(lambda: tuple(program.key_of(text)[:2]))


def witness_key(program: Any, text: str) -> Answers:
    def ours() -> object:
        key = notes.parse_witness_key(text)
        return key.name, key.public

    return _ours(ours), _theirs(lambda: tuple(program.key_of(text, b"\x04")[:2]))


def note(program: Any, text: str) -> Answers:
    def ours() -> object:
        found = notes.parse_note(text)
        return found.text, [(line.name, line.id, line.value) for line in found.signatures]

    return _ours(ours), _theirs(lambda: (program.note_of(text).text, program.note_of(text).lines))


def checkpoint(program: Any, text: str) -> Answers:
    def ours() -> object:
        found = notes.parse_checkpoint(text)
        return found.origin, found.size, found.root

    def theirs() -> object:
        found = program.checkpoint_of(text)
        return found.origin, found.size, found.root

    return _ours(ours), _theirs(theirs)


def signed(program: Any, text: str, public: bytes) -> Answers:
    """Whether a log's key of that name signed a note, and when a witness's did."""
    name = "provisioner/demo"

    def ours() -> object:
        found = notes.parse_note(text)
        at = notes.verify_cosignature(found, WitnessKey("w", public))
        return notes.verify_note(found, VerifierKey(name, public)), at

    def theirs() -> object:
        found = program.note_of(text)
        return found.signed_by(program.Key(name, public)), found.cosigned_by(program.Key("w", public, b"\x04"))

    return _ours(ours), _theirs(theirs)


def proof(program: Any, text: str) -> Answers:
    def ours() -> object:
        found = parse_proof(text)
        return found.index, list(found.path), found.note

    return _ours(ours), _theirs(lambda: program.proof_of(text))


def bundle(
    program: Any,
    path: Path,
    *,
    kept: Checkpoint | None = None,
    fingerprint: str = "",
    witness: WitnessKey | None = None,
) -> Answers:
    """Verdict and first bad entry of an archive or a folder."""
    anchors = (Anchor(checkpoint=kept, name="checkpoint kept"),) if kept else ()
    outside = Outside(anchors=anchors, fingerprint=fingerprint, witnesses=(witness,) if witness else ())
    try:
        report = verify_bundle(path, outside)
        ours: object = (str(report.status), report.first_bad)
    except UsageError:
        ours = "usage"
    asked = Namespace(
        fingerprint=fingerprint or None,
        kept=program.checkpoint_of(kept.note) if kept else None,
        checkpoint="kept",
        witnesses=[program.key_of(witness.render(), b"\x04")] if witness else [],
    )
    try:
        with TemporaryDirectory() as scratch:
            folder = path if path.is_dir() else program.unpack(path, Path(scratch))
            program.Bundle(folder).examine(asked)
        theirs: object = ("OK", None)
    except program.Bad as bad:
        theirs = ("TAMPERED", bad.index)
    except OSError:
        theirs = "usage"
    return ours, theirs

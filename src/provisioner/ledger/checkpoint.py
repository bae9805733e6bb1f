"""Checkpoints: C2SP tlog-checkpoint in a C2SP signed note, Ed25519 (RFC 8032). The one home of `cryptography`.

A signed note is text that ends in a newline, an empty line, then signature lines `— <name> base64(id || signature)`.
A checkpoint's text is origin, tree size, base64 root hash and, from others, extension lines. Lines of keys we do not
know are kept and ignored, as the specification asks. A witness adds lines of its own: C2SP tlog-cosignature, the
Ed25519 form, a statement of what it had seen and when.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger.merkle import HASH_SIZE
from provisioner.model.encoding import from_base64, to_base64
from provisioner.model.values import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

ED25519 = b"\x01"
"""The signature type byte of plain Ed25519."""

COSIGNATURE = b"\x04"
"""The signature type byte of a witness's timestamped Ed25519 cosignature."""

NOTE_LIMIT = 1_000_000
"""Bytes; a note beyond this is refused unread."""

_SIGNATURE_LINE = re.compile(r"— ([^\s+]+) (\S+)\n")
_KEY_NAME = re.compile(r"[^\s+]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class VerifierKey:
    """The public half of a log's key: its name (the log's origin) and 32 bytes."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The key id of C2SP signed-note: SHA-256(name || 0x0A || 0x01 || public)[:4]."""
        return _key_id(self.name, ED25519 + self.public)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the 32 bytes in hex: what a person reads out over the telephone."""
        return sha256(self.public).hexdigest()

    def render(self) -> str:
        """Return the C2SP vkey: `name+id in hex+base64(0x01 || public)`."""
        return _rendered(self.name, ED25519 + self.public)


@dataclass(frozen=True)
class Signer:
    """A private key under its name: the 32-byte seed of RFC 8032."""

    name: str
    seed: bytes = field(repr=False)

    @classmethod
    def generate(cls, name: str) -> Signer:
        """Return a new random key."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, _public(self.seed))

    def renamed(self, name: str) -> Signer:
        """Return the same key under another name: to a verifier, another key."""
        return Signer(name, self.seed)

    def render(self) -> str:
        """Return the text form of Go's sumdb/note: `PRIVATE+KEY+name+id in hex+base64(0x01 || seed)`."""
        return f"PRIVATE+KEY+{self.name}+{self.verifier.id.hex()}+{to_base64(ED25519 + self.seed)}"

    def sign(self, text: str) -> str:
        """Given note text that ends in a newline, return the signed note."""
        value = _private(self.seed).sign(text.encode())
        return f"{text}\n{Signature(self.name, self.verifier.id, value).render()}"


@dataclass(frozen=True)
class WitnessKey:
    """The public half of a witness's key: its name and 32 bytes. It signs no note, only what `cosign` makes."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The key id of C2SP tlog-cosignature: SHA-256(name || 0x0A || 0x04 || public)[:4]."""
        return _key_id(self.name, COSIGNATURE + self.public)

    def render(self) -> str:
        """Return the C2SP vkey: `name+id in hex+base64(0x04 || public)`."""
        return _rendered(self.name, COSIGNATURE + self.public)


@dataclass(frozen=True)
class Cosigner:
    """A witness's private key under its name: the 32-byte seed of RFC 8032."""

    name: str
    seed: bytes = field(repr=False)

    @classmethod
    def generate(cls, name: str) -> Cosigner:
        """Return a new random key; raises UsageError for a name that no signature line could carry."""
        if not _KEY_NAME.fullmatch(name) or not name.isprintable():
            raise UsageError(f"{name!r} cannot name a key: no spaces, no plus signs", hint="such as w1.example")
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def key(self) -> WitnessKey:
        """The public half."""
        return WitnessKey(self.name, _public(self.seed))

    def render(self) -> str:
        """Return the form of `Signer.render` with the type byte of cosignatures."""
        return f"PRIVATE+KEY+{self.name}+{self.key.id.hex()}+{to_base64(COSIGNATURE + self.seed)}"


@dataclass(frozen=True)
class Signature:
    """One signature line: the key's name and id, and the bytes it signed with."""

    name: str
    id: bytes
    value: bytes

    def render(self) -> str:
        """Return the line, with its newline."""
        return f"— {self.name} {to_base64(self.id + self.value)}\n"


@dataclass(frozen=True)
class Note:
    """A signed note, nothing verified: its text with the final newline, and its signature lines."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True)
class Checkpoint:
    """A signed head: the first `size` entries of log `origin` have the root hash `root`. `note` is its exact text."""

    origin: str
    size: int
    root: bytes
    note: str = field(repr=False)


def parse_verifier_key(text: str) -> VerifierKey:
    """Return the key of a C2SP vkey; raises LedgerError for another form or algorithm, or an id that does not match."""
    return VerifierKey(*_parse_public(text, kind=ED25519, what="an Ed25519 verifier key"))


def parse_witness_key(text: str) -> WitnessKey:
    """Return the key of a witness's C2SP vkey; raises LedgerError for any other, a log's key included."""
    return WitnessKey(*_parse_public(text, kind=COSIGNATURE, what="a witness's key for Ed25519 cosignatures"))


def parse_signer(text: str) -> Signer:
    """Return the key that `Signer.render` wrote; raises LedgerError, without repeating the text, otherwise."""
    return Signer(*_parse_private(text, kind=ED25519, what="an Ed25519 signing key"))


def parse_cosigner(text: str) -> Cosigner:
    """Return the key that `Cosigner.render` wrote; raises LedgerError, without repeating the text, otherwise."""
    return Cosigner(*_parse_private(text, kind=COSIGNATURE, what="a witness's private key"))


def parse_note(note: str) -> Note:
    """Split a signed note; raises LedgerError where C2SP signed-note refuses it."""
    text, blank, tail = note.rpartition("\n\n")
    if not blank or not _plain(note):
        raise LedgerError("not a signed note: text, an empty line, then signature lines are expected")
    return Note(text + "\n", parse_signatures(tail))


def parse_signatures(text: str) -> tuple[Signature, ...]:
    """Return the signature lines that make up `text`, one at least; raises LedgerError for anything else."""
    lines = _SIGNATURE_LINE.findall(text) if _plain(text) else []
    if not lines or "".join(f"— {name} {encoded}\n" for name, encoded in lines) != text:
        raise LedgerError("not a signed note: signature lines are expected, `— name base64`")
    signatures = []
    for name, encoded in lines:
        blob = from_base64(encoded)
        if len(blob) < 5:
            raise LedgerError(f"not a signed note: the signature of {name} cannot be read")
        signatures.append(Signature(name, blob[:4], blob[4:]))
    return tuple(signatures)


def verify_note(note: Note, key: VerifierKey) -> bool:
    """Whether `key` signed the text: at least one line under its name and id, and every such line verifies."""
    public = Ed25519PublicKey.from_public_bytes(key.public)
    ours = [line for line in note.signatures if (line.name, line.id) == (key.name, key.id)]
    try:
        for line in ours:
            public.verify(line.value, note.text.encode())
    except InvalidSignature:
        return False
    return bool(ours)


def parse_checkpoint(note: str) -> Checkpoint:
    """Return the checkpoint in a signed note, no signature verified; raises LedgerError if it is none."""
    lines = parse_note(note).text.split("\n")[:-1]
    if len(lines) < 3 or not all(lines) or not _SIZE.fullmatch(lines[1]):
        raise LedgerError("not a checkpoint: origin, size and root hash are expected, one a line")
    root = from_base64(lines[2])
    if len(root) != HASH_SIZE:
        raise LedgerError("not a checkpoint: the root hash is not 32 bytes in base64")
    return Checkpoint(lines[0], int(lines[1]), root, note)


def verify_checkpoint(checkpoint: Checkpoint, key: VerifierKey) -> bool:
    """Whether `key` signed the checkpoint; nothing is said about any tree."""
    return verify_note(parse_note(checkpoint.note), key)


def sign_checkpoint(size: int, root: bytes, *, signer: Signer) -> Checkpoint:
    """Return the checkpoint of a tree under the signer's name as origin."""
    return Checkpoint(signer.name, size, root, signer.sign(f"{signer.name}\n{size}\n{to_base64(root)}\n"))


def with_signatures(note: str, signatures: Iterable[Signature]) -> str:
    """Return a signed note with these lines after its own; a line that is there already is not repeated."""
    there = parse_note(note).signatures
    return note + "".join(line.render() for line in dict.fromkeys(signatures) if line not in there)


def cosign(checkpoint: Checkpoint, *, cosigner: Cosigner, at: datetime) -> Signature:
    """Return the cosignature of the checkpoint's text: C2SP tlog-cosignature, `at` (aware) in whole POSIX seconds.

    The statement: at that instant this is the largest consistent tree of the log that the cosigner has seen. Nothing is
    checked here.
    """
    seconds = int(at.timestamp())
    message = _cosigned(parse_note(checkpoint.note).text, seconds)
    value = _private(cosigner.seed).sign(message)
    return Signature(cosigner.name, cosigner.key.id, seconds.to_bytes(8) + value)


def carries_line_of(note: Note, key: VerifierKey | WitnessKey) -> bool:
    """Whether a line stands under the key's name and id, valid or not."""
    return any((line.name, line.id) == (key.name, key.id) for line in note.signatures)


def verify_cosignature(note: Note, key: WitnessKey) -> datetime | None:
    """Return when `key` cosigned the text (UTC, whole seconds), the earliest instant if it did more than once.

    None: it carries no line of the key, or one that does not verify, or that has no time.
    """
    public = Ed25519PublicKey.from_public_bytes(key.public)
    instants = []
    try:
        for line in note.signatures:
            if (line.name, line.id) != (key.name, key.id):
                continue
            seconds = int.from_bytes(line.value[:8])
            public.verify(line.value[8:], _cosigned(note.text, seconds))
            instants.append(seconds)
        return datetime.fromtimestamp(min(instants), UTC) if min(instants, default=0) else None
    except (InvalidSignature, ValueError, OverflowError, OSError):
        return None


def _plain(text: str) -> bool:
    return len(text) <= NOTE_LIMIT and not _CONTROL.search(text)


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


@lru_cache(maxsize=4)
def _private(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)


def _public(seed: bytes) -> bytes:
    return _private(seed).public_key().public_bytes_raw()


def _key_id(name: str, material: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + material).digest()[:4]


def _rendered(name: str, material: bytes) -> str:
    return f"{name}+{_key_id(name, material).hex()}+{to_base64(material)}"


def _parse_public(text: str, *, kind: bytes, what: str) -> tuple[str, bytes]:
    name, _, rest = text.partition("+")
    identity, _, encoded = rest.partition("+")
    material = from_base64(encoded)
    if not _KEY_NAME.fullmatch(name) or len(material) != 33 or material[:1] != kind:
        hint = "that is a private key: give the public one" if text.lstrip().startswith("PRIVATE") else ""
        said = "this" if hint else shown(text)
        raise LedgerError(f"{said} is not {what} (name+id+base64)", hint=hint)
    if _key_id(name, material).hex() != identity:
        raise LedgerError(f"{shown(text)}: the key id should be {_key_id(name, material).hex()}")
    return name, material[1:]


def _parse_private(text: str, *, kind: bytes, what: str) -> tuple[str, bytes]:
    parts = text.split("+", 4)
    material = from_base64(parts[4]) if len(parts) == 5 else b""
    if parts[:2] != ["PRIVATE", "KEY"] or len(material) != 33 or material[:1] != kind:
        raise LedgerError(f"not {what} (PRIVATE+KEY+name+id+base64)")
    name, seed = parts[2], material[1:]
    if not _KEY_NAME.fullmatch(name) or _key_id(name, kind + _public(seed)).hex() != parts[3]:
        raise LedgerError("the signing key's id does not match its name and bytes")
    return name, seed

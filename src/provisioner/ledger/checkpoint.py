"""Checkpoints: C2SP tlog-checkpoint in a C2SP signed note, Ed25519 (RFC 8032). The one home of `cryptography`.

A signed note is text that ends in a newline, an empty line, then signature lines `— <name> base64(id || signature)`.
A checkpoint's text is origin, tree size, base64 root hash and, from others, extension lines. Lines of keys we do not
know (witnesses) are kept and ignored, as the specification asks.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from provisioner.errors import LedgerError
from provisioner.ledger.merkle import HASH_SIZE

ED25519 = b"\x01"
"""The signature type byte of plain Ed25519."""

NOTE_LIMIT = 1_000_000
"""Bytes; a note beyond this is refused unread."""

_SIGNATURE_LINE = re.compile(r"— ([^\s+]+) (\S+)\n")
_KEY_NAME = re.compile(r"[^\s+]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class VerifierKey:
    """The public half of a log's key: its name (the log's origin) and 32 bytes."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The key id of C2SP signed-note: SHA-256(name || 0x0A || 0x01 || public)[:4]."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the 32 bytes in hex: what a person reads out over the telephone."""
        return sha256(self.public).hexdigest()

    def render(self) -> str:
        """Return the C2SP vkey: `name+id in hex+base64(0x01 || public)`."""
        return f"{self.name}+{self.id.hex()}+{_b64(ED25519 + self.public)}"


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
        return VerifierKey(self.name, Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw())

    def renamed(self, name: str) -> Signer:
        """Return the same key under another name: to a verifier, another key."""
        return Signer(name, self.seed)

    def render(self) -> str:
        """Return the text form of Go's sumdb/note: `PRIVATE+KEY+name+id in hex+base64(0x01 || seed)`."""
        return f"PRIVATE+KEY+{self.name}+{self.verifier.id.hex()}+{_b64(ED25519 + self.seed)}"

    def sign(self, text: str) -> str:
        """Given note text that ends in a newline, return the signed note."""
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())
        return f"{text}\n— {self.name} {_b64(self.verifier.id + signature)}\n"


@dataclass(frozen=True)
class Signature:
    """One signature line: the key's name and id, and the bytes it signed with."""

    name: str
    id: bytes
    value: bytes


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
    name, _, rest = text.partition("+")
    identity, _, encoded = rest.partition("+")
    material = _unb64(encoded)
    if not _KEY_NAME.fullmatch(name) or len(material) != 33 or material[:1] != ED25519:
        raise LedgerError(f"{text!r} is not an Ed25519 verifier key (name+id+base64)")
    key = VerifierKey(name, material[1:])
    if key.id.hex() != identity:
        raise LedgerError(f"{text!r}: the key id should be {key.id.hex()}")
    return key


def parse_signer(text: str) -> Signer:
    """Return the key that `Signer.render` wrote; raises LedgerError, without repeating the text, otherwise."""
    parts = text.split("+", 4)
    material = _unb64(parts[4]) if len(parts) == 5 else b""
    if parts[:2] != ["PRIVATE", "KEY"] or len(material) != 33 or material[:1] != ED25519:
        raise LedgerError("not an Ed25519 signing key (PRIVATE+KEY+name+id+base64)")
    signer = Signer(parts[2], material[1:])
    if not _KEY_NAME.fullmatch(signer.name) or signer.verifier.id.hex() != parts[3]:
        raise LedgerError("the signing key's id does not match its name and bytes")
    return signer


def parse_note(note: str) -> Note:
    """Split a signed note; raises LedgerError where C2SP signed-note refuses it."""
    text, blank, tail = note.rpartition("\n\n")
    lines = _SIGNATURE_LINE.findall(tail)
    well_formed = blank and lines and "".join(f"— {name} {encoded}\n" for name, encoded in lines) == tail
    if not well_formed or len(note) > NOTE_LIMIT or any(character < " " and character != "\n" for character in note):
        raise LedgerError("not a signed note: text, an empty line, then signature lines are expected")
    signatures = []
    for name, encoded in lines:
        blob = _unb64(encoded)
        if len(blob) < 5:
            raise LedgerError(f"not a signed note: the signature of {name} cannot be read")
        signatures.append(Signature(name, blob[:4], blob[4:]))
    return Note(text + "\n", tuple(signatures))


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
    root = _unb64(lines[2])
    if len(root) != HASH_SIZE:
        raise LedgerError("not a checkpoint: the root hash is not 32 bytes in base64")
    return Checkpoint(lines[0], int(lines[1]), root, note)


def verify_checkpoint(checkpoint: Checkpoint, key: VerifierKey) -> bool:
    """Whether `key` signed the checkpoint; nothing is said about any tree."""
    return verify_note(parse_note(checkpoint.note), key)


def sign_checkpoint(size: int, root: bytes, *, signer: Signer) -> Checkpoint:
    """Return the checkpoint of a tree under the signer's name as origin."""
    return Checkpoint(signer.name, size, root, signer.sign(f"{signer.name}\n{size}\n{_b64(root)}\n"))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(text: str) -> bytes:
    """Return the bytes of strict, canonical base64; nothing at all where `text` is not that."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data if _b64(data) == text else b""

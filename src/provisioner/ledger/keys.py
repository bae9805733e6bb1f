"""The signing key of a log: `<state>/keys/<client>/`, private half readable by its owner alone, made on first use."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger.checkpoint import Signer, VerifierKey, parse_signer, parse_verifier_key
from provisioner.ledger.place import is_there

if TYPE_CHECKING:
    from pathlib import Path

SIGNING_KEY = "signing.key"
VERIFIER_KEY = "verifier.key"


def load_signer(folder: Path, name: str) -> Signer:
    """Return the signing key `name` in `folder`; raises LedgerError if it is missing, readable by others, or not it."""
    path = folder / SIGNING_KEY
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(4096).decode("utf-8", "replace").strip()
    except OSError as error:
        raise LedgerError(
            f"{path}: the signing key cannot be read: {error.strerror}",
            hint="restore it from the backup of the state folder; without it nothing can be added to this log",
        ) from error
    if mode & 0o077:
        raise LedgerError(
            f"{path}: the signing key has mode {mode:04o}, others may have read it", hint=f"chmod 600 {path}"
        )
    try:
        signer = parse_signer(text)
    except LedgerError as error:
        raise LedgerError(f"{path}: {error}") from error
    if signer.name != name:
        raise LedgerError(f"{path}: this is the key of {signer.name}, not of {name}")
    return signer


def make_signer(folder: Path, name: str) -> Signer:
    """Return the key in `folder`, made and durable on return if there is none. For a log without entries only."""
    if is_there(folder / SIGNING_KEY):
        return load_signer(folder, name)
    signer = Signer.generate(name)
    write_durably(folder / VERIFIER_KEY, signer.verifier.render() + "\n", mode=0o644)
    write_durably(folder / SIGNING_KEY, signer.render() + "\n", mode=0o600)
    return signer


def load_verifier(folder: Path) -> VerifierKey | None:
    """Return the public key kept in `folder`, None if there is no file; raises LedgerError if it is not a key."""
    path = folder / VERIFIER_KEY
    if not is_there(path):
        return None
    try:
        return parse_verifier_key(path.read_text(encoding="utf-8").strip())
    except (LedgerError, OSError, UnicodeDecodeError) as error:
        raise LedgerError(f"{path}: the public key cannot be read: {error}") from error


def write_durably(path: Path, text: str, *, mode: int) -> None:
    """Write a whole file or nothing, synced with its folder before this returns; raises LedgerError if it cannot.

    Folders that lack are made (0700).
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise LedgerError(f"{path}: cannot be written: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

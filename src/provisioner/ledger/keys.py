"""The files of a log's key: `<state>/keys/<client>/`, private half readable by its owner alone, made on first use.

`signing.key` and `verifier.key` are the two halves of the key in force; `next.key` is there while the key is changed.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger.checkpoint import Signer, VerifierKey, parse_signer, parse_verifier_key
from provisioner.ledger.folders import make_folder, sync_folder, sync_way
from provisioner.ledger.place import is_there

if TYPE_CHECKING:
    from pathlib import Path

SIGNING_KEY = "signing.key"
VERIFIER_KEY = "verifier.key"
NEXT_KEY = "next.key"

PRESENT, MISSING, UNREADABLE = "present", "missing", "unreadable"
EXPOSED, FOREIGN = "wrong mode", "not this log's"


@dataclass(frozen=True, kw_only=True)
class KeyFile:
    """A key file as it was found.

    `state` is PRESENT, MISSING, UNREADABLE, EXPOSED (others may read it) or FOREIGN (another key than the log's);
    `signer` is the private key, where one is PRESENT; else `problem` says what is wrong and where, `hint` what to do.
    """

    state: str
    signer: Signer | None = None
    problem: str = ""
    hint: str = ""


def look_up_signer(folder: Path, name: str, *, file: str = SIGNING_KEY) -> KeyFile:
    """Return what the private key file in `folder` is, to a log called `name`."""
    path = folder / file
    restore = "restore it from the backup of the state folder; without it nothing can be added to this log"
    try:
        with path.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            text = opened.read(4096).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return KeyFile(state=MISSING, problem=f"{path}: the signing key of {name} is missing", hint=restore)
    except OSError as error:
        why = f"{path}: the signing key cannot be read: {error.strerror}"
        return KeyFile(state=UNREADABLE, problem=why, hint=restore)
    if mode & 0o077:
        why = f"{path}: the signing key has mode {mode:04o}, others may have read it"
        return KeyFile(state=EXPOSED, problem=why, hint=f"chmod 600 {path}; if somebody may have: audit.keys --revoke")
    try:
        signer = parse_signer(text)
    except LedgerError as error:
        return KeyFile(state=UNREADABLE, problem=f"{path}: {error}", hint=restore)
    if signer.name != name:
        why = f"{path}: this is the key of {signer.name}, not of {name}"
        return KeyFile(state=FOREIGN, problem=why, hint=restore)
    return KeyFile(state=PRESENT, signer=signer)


def load_signer(folder: Path, name: str, *, file: str = SIGNING_KEY) -> Signer:
    """Return the signing key `name` in `folder`; raises LedgerError if it is missing, readable by others, or not it."""
    found = look_up_signer(folder, name, file=file)
    if found.signer is None:
        raise LedgerError(found.problem, hint=found.hint)
    return found.signer


def make_signer(folder: Path, name: str) -> Signer:
    """Return the key in `folder`, made and durable on return if there is none. For a log without entries only."""
    if is_there(folder / SIGNING_KEY):
        signer = load_signer(folder, name)
        _keep_names(folder)
        return signer
    signer = Signer.generate(name)
    write_durably(folder / VERIFIER_KEY, signer.verifier.render() + "\n", mode=0o644)
    write_durably(folder / SIGNING_KEY, signer.render() + "\n", mode=0o600)
    return signer


def _keep_names(folder: Path) -> None:
    """Make the files of a key durable by name: whoever made them may have died, or failed, before he did."""
    try:
        sync_way(folder / SIGNING_KEY)
    except OSError as error:
        raise LedgerError(f"{folder}: the key in it would not be durable: {error.strerror}") from error


def load_verifier(folder: Path) -> VerifierKey | None:
    """Return the public key kept in `folder`, None if there is no file; raises LedgerError if it is not a key."""
    path = folder / VERIFIER_KEY
    if not is_there(path):
        return None
    try:
        return parse_verifier_key(path.read_text(encoding="utf-8").strip())
    except (LedgerError, OSError, UnicodeDecodeError) as error:
        raise LedgerError(f"{path}: the public key cannot be read: {error}") from error


def look_up_public_half(folder: Path, key: VerifierKey) -> KeyFile:
    """Return what the public key file in `folder` is to `key`, the one in force; its state is never EXPOSED."""
    path = folder / VERIFIER_KEY
    hint = f"the key in force is {key.render()}: put this line into the file, if your own records say the same"
    try:
        kept = load_verifier(folder)
    except LedgerError as error:
        return KeyFile(state=UNREADABLE, problem=str(error), hint=hint)
    if kept is None:
        return KeyFile(state=MISSING, problem=f"{path}: the public half of the log's key is missing", hint=hint)
    if kept != key:
        why = f"{path}: this is the public half of the key {kept.id.hex()}, not of the key in force"
        return KeyFile(state=FOREIGN, problem=why, hint=hint)
    return KeyFile(state=PRESENT)


def check_public_half(folder: Path, key: VerifierKey) -> None:
    """Raise LedgerError unless the public half of `key` lies in `folder`: it is what others compare with."""
    found = look_up_public_half(folder, key)
    if found.problem:
        raise LedgerError(found.problem, hint=found.hint)


def stage(folder: Path, signer: Signer) -> None:
    """Keep the key that is to follow the one in force, durable on return."""
    write_durably(folder / NEXT_KEY, signer.render() + "\n", mode=0o600)


def staged(folder: Path, name: str) -> Signer | None:
    """Return the key that is to follow, None if no change of key is on its way; raises LedgerError as `load_signer`."""
    return load_signer(folder, name, file=NEXT_KEY) if is_there(folder / NEXT_KEY) else None


def adopt(folder: Path, signer: Signer) -> None:
    """Put the staged key `signer` in force: its public half, then its private half in place of the old, which is gone.

    Can be done again after a crash at any point in it.
    """
    write_durably(folder / VERIFIER_KEY, signer.verifier.render() + "\n", mode=0o644)
    try:
        (folder / NEXT_KEY).replace(folder / SIGNING_KEY)
        sync_folder(folder)
    except OSError as error:
        raise LedgerError(f"{folder / SIGNING_KEY}: cannot be replaced: {error.strerror}") from error


def discard_staged(folder: Path) -> None:
    """Remove the staged key: no entry of the log names it."""
    try:
        (folder / NEXT_KEY).unlink()
        sync_folder(folder)
    except OSError as error:
        raise LedgerError(f"{folder / NEXT_KEY}: cannot be removed: {error.strerror}") from error


def write_durably(path: Path, content: str | bytes, *, mode: int) -> None:
    """Write a whole file or nothing, synced with its folder before this returns; raises LedgerError if it cannot.

    Text is written in UTF-8. Folders that lack are made (0700).
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        make_folder(path.parent)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise LedgerError(f"{path}: cannot be written: {error.strerror}") from error

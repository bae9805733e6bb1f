"""The folder of a witness: its key, the logs it knows, one kept checkpoint a log, and what it refused as a fork.

`witness.key` (0600) and `witness.vkey`; `logs`, one verifier key a line; `kept/<SHA-256 of the origin>.checkpoint`;
`refused/<the same>-<SHA-256 of the note>.request` with the `.kept` checkpoint that it contradicted. Whoever restores an
older copy of this folder makes the witness forget what it saw since.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger.checkpoint import (
    Checkpoint,
    Cosigner,
    VerifierKey,
    parse_checkpoint,
    parse_cosigner,
    parse_note,
    parse_verifier_key,
    verify_cosignature,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "witness.key"
PUBLIC = "witness.vkey"
LOGS = "logs"
REFUSED_LIMIT = 1000
"""Refused submissions that are kept: only a log's own key can make one."""

INIT = "invoke audit.witness --init --name w1.example"


class Write(Protocol):
    """Write a whole file or nothing, durable on return; LedgerError otherwise (`ledger.keys.write_durably`)."""

    def __call__(self, path: Path, text: str, /, *, mode: int) -> None:
        """Replace `path` by a file with this text and mode."""


class Memory:
    """What one witness remembers, shared by threads and processes."""

    def __init__(self, folder: Path, *, write: Write) -> None:
        """Look at nothing yet."""
        self.folder = folder
        self._write = write

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder alone: no other thread or process is in such a block meanwhile.

        Raises LedgerError when the folder, or the lock in it, cannot be had.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = (self.folder / "lock").open("a")
        except OSError as error:
            raise LedgerError(f"{self.folder}: the witness cannot write here: {error.strerror}") from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError as error:
                raise LedgerError(f"{handle.name}: cannot be locked: {error.strerror}") from error
            yield

    def make_key(self, name: str) -> Cosigner:
        """Make the witness's key, durable on return; UsageError when there is one, which is never replaced."""
        with self.locked():
            if (self.folder / KEY).exists():
                raise UsageError(f"{self.folder} has a witness's key already", hint="see invoke audit.witness")
            cosigner = Cosigner.generate(name)
            self._write(self.folder / PUBLIC, cosigner.key.render() + "\n", mode=0o644)
            self._write(self.folder / KEY, cosigner.render() + "\n", mode=0o600)
        return cosigner

    def cosigner(self) -> Cosigner:
        """Return the witness's key; UsageError when none was made, LedgerError when it cannot be used."""
        path = self.folder / KEY
        try:
            with path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                text = file.read(4096).decode("utf-8", "replace").strip()
        except FileNotFoundError:
            raise UsageError(f"there is no witness in {self.folder}", hint=INIT) from None
        except OSError as error:
            raise LedgerError(f"{path}: the witness's key cannot be read: {error.strerror}") from error
        if mode & 0o077:
            said = f"{path}: the witness's key has mode {mode:04o}, others may have read it"
            raise LedgerError(said, hint=f"chmod 600 {path}")
        try:
            return parse_cosigner(text)
        except LedgerError as error:
            raise LedgerError(f"{path}: {error}") from error

    def logs(self) -> dict[str, tuple[VerifierKey, ...]]:
        """Return the keys of each log that is known, by origin; empty lines and those that begin with # say nothing."""
        path = self.folder / LOGS
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise LedgerError(f"{path}: the list of logs cannot be read: {error}") from error
        found: dict[str, tuple[VerifierKey, ...]] = {}
        for number, line in enumerate(lines, start=1):
            if line.strip() and not line.startswith("#"):
                try:
                    key = parse_verifier_key(line.strip())
                except LedgerError as error:
                    raise LedgerError(f"{path}:{number}: {error}") from error
                found[key.name] = (*found.get(key.name, ()), key)
        return found

    def trust(self, key: VerifierKey) -> bool:
        """Add a log's key to the list, durable on return; False when it is there already."""
        with self.locked():
            if key in self.logs().get(key.name, ()):
                return False
            path = self.folder / LOGS
            before = path.read_text(encoding="utf-8") if path.exists() else ""
            before += "\n" if before and not before.endswith("\n") else ""
            self._write(path, f"{before}{key.render()}\n", mode=0o644)
        return True

    def kept(self, name: str, *, cosigner: Cosigner) -> Checkpoint | None:
        """Return the kept checkpoint of the log whose origin has this SHA-256 (hex), None if none was ever cosigned.

        Raises LedgerError, rather than take it for none, when the file is not one that this witness cosigned.
        """
        path = self._kept(name)
        try:
            checkpoint = parse_checkpoint(path.read_bytes().decode())
        except FileNotFoundError:
            return None
        except (LedgerError, OSError, UnicodeDecodeError) as error:
            raise LedgerError(f"{path}: the kept checkpoint cannot be read: {error}") from error
        ours = verify_cosignature(parse_note(checkpoint.note), cosigner.key)
        if ours is None or digest(checkpoint.origin) != name:
            raise LedgerError(f"{path}: this is not the checkpoint that this witness cosigned for that log")
        return checkpoint

    def keep(self, origin: str, note: str) -> None:
        """Replace the kept checkpoint of a log, durable on return; raises LedgerError if it cannot be written."""
        self._write(self._kept(digest(origin)), note, mode=0o644)

    def keep_refused(self, origin: str, body: bytes, *, note: str, kept: str) -> None:
        """Keep a submission that does not extend `kept`, once for each checkpoint, as evidence for people."""
        folder = self.folder / "refused"
        stem = f"{digest(origin)}-{digest(note)}"
        there = len(list(folder.glob("*.request"))) if folder.exists() else 0
        if there >= REFUSED_LIMIT or (folder / f"{stem}.request").exists():
            return
        self._write(folder / f"{stem}.kept", kept, mode=0o644)
        self._write(folder / f"{stem}.request", body.decode(), mode=0o644)

    def _kept(self, name: str) -> Path:
        return self.folder / "kept" / f"{name}.checkpoint"


def digest(text: str) -> str:
    """Return the SHA-256 of a text in lower-case hex: how the protocol names a log, by its origin."""
    return sha256(text.encode()).hexdigest()

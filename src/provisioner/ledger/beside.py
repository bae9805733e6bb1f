"""What others said about a published checkpoint, in files beside it: `<stem>.cosigned` and `<stem>.tsr`.

The `.checkpoint` file itself never changes: a time stamp is over its exact bytes. `.cosigned` is the same note with the
lines of witnesses after its own; `.tsr` is a TimeStampResp (RFC 3161) in DER.
"""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger.checkpoint import parse_checkpoint, parse_note, verify_cosignature, with_signatures
from provisioner.ledger.keys import write_durably
from provisioner.ledger.published import SUFFIX, read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from provisioner.ledger.checkpoint import Checkpoint, Signature, WitnessKey

COSIGNED = ".cosigned"
STAMPED = ".tsr"


def file_of(folder: Path, checkpoint: Checkpoint) -> Path | None:
    """Return the numbered file that holds this checkpoint; None if a crash kept it from being written."""
    for path in sorted(folder.glob(f"{checkpoint.size:010d}-*{SUFFIX}")):
        if read_checkpoint(path).note == checkpoint.note:
            return path
    return None


def cosigned(path: Path) -> Checkpoint:
    """Given the file of a checkpoint, return it with the lines of witnesses; without any, as it was published.

    Raises LedgerError when one of the two files is none, or they differ in more than lines added.
    """
    plain, beside = read_checkpoint(path), path.with_suffix(COSIGNED)
    try:
        note = beside.read_bytes().decode()
    except FileNotFoundError:
        return plain
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerError(f"{beside}: cannot be read: {error}") from error
    if not note.startswith(plain.note):
        raise LedgerError(f"{beside}: this is not the checkpoint of {path.name} with lines added")
    try:
        return parse_checkpoint(note)
    except LedgerError as error:
        raise LedgerError(f"{beside}: {error}") from error


def add_cosignatures(path: Path, lines: Iterable[Signature]) -> None:
    """Add lines of witnesses to the checkpoint in `path`, durable on return; processes take turns."""
    try:
        turn = (path.parent / ".cosigning").open("a")
    except OSError as error:
        raise LedgerError(f"{path.parent}: cannot be written: {error.strerror}") from error
    with turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        note = with_signatures(cosigned(path).note, lines)
        write_durably(path.with_suffix(COSIGNED), note, mode=0o644)


def add_token(path: Path, token: bytes) -> None:
    """Keep a time stamp over the checkpoint file `path`, durable on return."""
    write_durably(path.with_suffix(STAMPED), token, mode=0o644)


def token_of(path: Path) -> bytes | None:
    """Return the time stamp kept beside the checkpoint file `path`, None if there is none."""
    try:
        return path.with_suffix(STAMPED).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(f"{path.with_suffix(STAMPED)}: cannot be read: {error.strerror}") from error


def newest_cosigned(folder: Path, key: WitnessKey) -> int:
    """Return the size of the largest tree that this witness is known here to have cosigned, 0 if none."""
    for beside in sorted(folder.glob(f"*{COSIGNED}"), reverse=True):
        try:
            checkpoint = cosigned(beside.with_suffix(SUFFIX))
        except LedgerError:
            continue
        if verify_cosignature(parse_note(checkpoint.note), key):
            return checkpoint.size
    return 0

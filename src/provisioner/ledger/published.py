"""The folder of signed checkpoints, `<state>/checkpoints/<client>/`: files outside the database, for others to copy.

`<size>-<instant>.checkpoint`, one for each command that appended, and `latest`, the newest of them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger import canonical
from provisioner.ledger.checkpoint import Checkpoint, parse_checkpoint
from provisioner.ledger.keys import write_durably
from provisioner.ledger.place import is_there

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

LATEST = "latest"
SUFFIX = ".checkpoint"

PROOF = "c2sp.org/tlog-proof@v1\n"
"""The first line of a tlog-proof."""


@dataclass(frozen=True)
class Unreadable:
    """A file where a checkpoint should be, and why it is none."""

    name: str
    why: str


def latest(folder: Path) -> Checkpoint | None:
    """Return the newest checkpoint, None if none was ever published; raises LedgerError if the file is none."""
    path = folder / LATEST
    return read_checkpoint(path) if is_there(path) else None


def publish(folder: Path, checkpoint: Checkpoint, *, at: datetime) -> Path:
    """Write `latest`, then the numbered file, each whole and synced, and return the numbered path.

    In this order a crash between the two can never leave `latest` behind a checkpoint that someone has copied.
    """
    path = _numbered(folder, checkpoint, at)
    write_durably(folder / LATEST, checkpoint.note, mode=0o644)
    write_durably(path, checkpoint.note, mode=0o644)
    return path


def publish_numbered(folder: Path, checkpoint: Checkpoint, *, at: datetime) -> Path:
    """Write the numbered file alone, whole and synced, and return its path: `latest` belongs to whoever signs."""
    path = _numbered(folder, checkpoint, at)
    write_durably(path, checkpoint.note, mode=0o644)
    return path


def _numbered(folder: Path, checkpoint: Checkpoint, at: datetime) -> Path:
    stamp = canonical.instant(at).replace("-", "").replace(":", "")
    return folder / f"{checkpoint.size:010d}-{stamp}{SUFFIX}"


def after(folder: Path, old: Checkpoint) -> tuple[Checkpoint, ...]:
    """Return the numbered checkpoints larger than `old`, smallest first; none if `old` itself has no numbered file.

    They are in a folder whose `latest` is an older copy. What cannot be read is left out.
    """
    good = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with suppress(LedgerError):
            good.append(read_checkpoint(path))
    if all(checkpoint.note != old.note for checkpoint in good):
        return ()
    larger = (checkpoint for checkpoint in good if checkpoint.size > old.size)
    return tuple(sorted(larger, key=lambda checkpoint: checkpoint.size))


def read_all(folder: Path) -> tuple[tuple[Checkpoint, ...], tuple[Unreadable, ...]]:
    """Return every checkpoint in `folder`, smallest first, and what could not be read. No folder: nothing of either.

    Raises LedgerError for a folder that we may not look into.
    """
    if not is_there(folder):
        return (), ()
    good, bad = {}, []
    for path in [*sorted(folder.glob(f"*{SUFFIX}")), folder / LATEST]:
        if not is_there(path):
            continue
        try:
            checkpoint = read_checkpoint(path)
        except LedgerError as error:
            bad.append(Unreadable(path.name, str(error)))
        else:
            good[checkpoint.note] = checkpoint
    return tuple(sorted(good.values(), key=lambda checkpoint: checkpoint.size)), tuple(bad)


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in a file, no signature verified; raises LedgerError, naming the file, if it is none.

    The file may be a C2SP tlog-proof: then it is the checkpoint at its end, and nothing is said about the proof.
    """
    try:
        text = path.read_bytes().decode()
        return parse_checkpoint(text.partition("\n\n")[2] if text.startswith(PROOF) else text)
    except (LedgerError, OSError, UnicodeDecodeError) as error:
        raise LedgerError(f"{path}: not a checkpoint: {error}") from error

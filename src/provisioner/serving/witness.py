"""The witness: it cosigns a log's checkpoint if that only adds to the one it cosigned before (C2SP tlog-witness).

Bytes in, an answer out: HTTP (`serving.listener`) and files share it. Everything is decided and made durable under one
lock, and the cosignature is returned last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger.checkpoint import (
    Checkpoint,
    Note,
    VerifierKey,
    carries_line_of,
    cosign,
    parse_checkpoint,
    parse_note,
    verify_cosignature,
    verify_note,
    with_signatures,
)
from provisioner.ledger.merkle import EMPTY_ROOT, extends
from provisioner.model.witnessing import SIZE_TYPE, Answer, Submission, parse_submission
from provisioner.serving.memory import digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from provisioner.serving.memory import Memory

TEXT = "text/plain; charset=utf-8"

_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Watched:
    """A log that the witness knows: its keys, and the size and instant of its last cosignature, None for none yet."""

    origin: str
    keys: tuple[VerifierKey, ...]
    size: int | None
    at: datetime | None


class Witness:
    """A witness over its memory; safe in threads, and beside other processes on the same folder."""

    def __init__(self, memory: Memory, *, now: Callable[[], datetime]) -> None:
        """Load the key; UsageError when there is none, LedgerError when it cannot be used."""
        self._memory = memory
        self._now = now
        self._cosigner = memory.cosigner()
        self.key = self._cosigner.key

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer a submission: 200 with cosignature lines, 400, 403, 404, 409 with the size it has, or 422.

        Raises LedgerError, having cosigned nothing, when what it remembers cannot be read or written.
        """
        try:
            submission = parse_submission(body)
            new = parse_checkpoint(submission.note)
        except LedgerError as error:
            return _said(400, str(error))
        keys = self._memory.logs().get(new.origin)
        if keys is None:
            return _said(404, f"this witness does not know the log {new.origin}")
        signed = _signed(parse_note(submission.note), keys)
        if signed is None:
            return _said(403, f"no key that this witness trusts for {new.origin} signed this checkpoint")
        if submission.old > new.size:
            return _said(400, f"the old size {submission.old} is beyond the checkpoint's, {new.size}")
        with self._memory.locked():
            kept = self._memory.kept(digest(new.origin), cosigner=self._cosigner)
            refusal = _refusal(submission, new, kept)
            if refusal is None:
                return self._cosigned(Checkpoint(new.origin, new.size, new.root, signed))
            if kept is not None and (refusal.status == 422 or _contradicts(new, kept)):
                self._memory.keep_refused(new.origin, body, note=submission.note, kept=kept.note)
        return refusal

    def _cosigned(self, new: Checkpoint) -> Answer:
        signature = cosign(new, cosigner=self._cosigner, at=self._now())
        self._memory.keep(new.origin, with_signatures(new.note, [signature]))
        return Answer(200, TEXT, signature.render().encode())

    def checkpoint(self, name: str) -> Answer:
        """Answer with the newest checkpoint cosigned for the log whose origin has the SHA-256 `name` (hex), or 404."""
        kept = self._memory.kept(name, cosigner=self._cosigner) if _DIGEST.fullmatch(name) else None
        return _said(404, "no checkpoint of such a log was cosigned here") if kept is None else _note(kept.note)

    def logs(self) -> tuple[Watched, ...]:
        """Return what is known of each log on the list, by origin."""
        watched = []
        for origin, keys in sorted(self._memory.logs().items()):
            kept = self._memory.kept(digest(origin), cosigner=self._cosigner)
            at = verify_cosignature(parse_note(kept.note), self.key) if kept else None
            watched.append(Watched(origin, keys, kept.size if kept else None, at))
        return tuple(watched)


def _signed(note: Note, keys: tuple[VerifierKey, ...]) -> str | None:
    """Return the note with the lines of these keys alone; None if there are none, or one of them does not verify."""
    ours = [key for key in keys if carries_line_of(note, key)]
    if not ours or not all(verify_note(note, key) for key in ours):
        return None
    names = {(key.name, key.id) for key in ours}
    lines = dict.fromkeys(line for line in note.signatures if (line.name, line.id) in names)
    return f"{note.text}\n" + "".join(line.render() for line in lines)


def _refusal(submission: Submission, new: Checkpoint, kept: Checkpoint | None) -> Answer | None:
    """Say why the checkpoint may not be cosigned after `kept`, in the order of the specification; None: it may."""
    size = kept.size if kept else 0
    if submission.old != size:
        return Answer(409, SIZE_TYPE, f"{size}\n".encode())
    if new.size == 0 and new.root != EMPTY_ROOT:
        return _said(422, "the root of an empty tree is the hash of nothing")
    if size == 0 or kept is None:
        return _said(422, "from an empty tree no proof is expected") if submission.proof else None
    if _contradicts(new, kept):
        return _said(422, f"a checkpoint of {size} entries with another root was cosigned before: a fork")
    if not extends((size, kept.root), (new.size, new.root), proof=submission.proof):
        return _said(422, f"the proof does not show that these {new.size} entries begin with the {size} seen before")
    return None


def _contradicts(new: Checkpoint, kept: Checkpoint) -> bool:
    return new.size == kept.size and new.root != kept.root


def _said(status: int, sentence: str) -> Answer:
    return Answer(status, TEXT, f"{sentence}\n".encode())


def _note(note: str) -> Answer:
    return Answer(200, TEXT, note.encode())

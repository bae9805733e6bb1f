"""Anchoring: ask witnesses for cosignatures of a checkpoint, and a time-stamp service for a token, and keep them.

Whoever does not answer, or answers badly, is bad news about one of several: a value, not an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError, ProvisionerError, UsageError
from provisioner.ledger import beside, published, timestamp
from provisioner.ledger.checkpoint import (
    Checkpoint,
    carries_line_of,
    parse_note,
    parse_signatures,
    verify_cosignature,
    with_signatures,
)
from provisioner.ledger.prover import Prover
from provisioner.model.values import shown
from provisioner.model.witnessing import SIZE_TYPE, Submission

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from provisioner.ledger.book import Book
    from provisioner.ledger.checkpoint import Signature, WitnessKey
    from provisioner.ledger.timestamp import Authorities
    from provisioner.model.witnessing import Answer

_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


@dataclass(frozen=True, kw_only=True)
class AskedWitness:
    """A witness to ask: its key, where it is (for messages), and how to submit a body to it."""

    key: WitnessKey
    url: str
    ask: Callable[[bytes], Answer]


@dataclass(frozen=True, kw_only=True)
class AskedAuthority:
    """A time-stamp service to ask: where it is, the authorities it is held against, and how to send it a query."""

    url: str
    authorities: Authorities
    ask: Callable[[bytes], bytes]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Everybody outside who is asked about a checkpoint."""

    witnesses: tuple[AskedWitness, ...] = ()
    authority: AskedAuthority | None = None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """How asking one of them ended: `at` is the instant they vouch for, None with a `problem`."""

    by: str
    at: datetime | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Anchored:
    """A published checkpoint with the lines of witnesses, the file it was published in, and how asking ended."""

    checkpoint: Checkpoint
    path: Path
    attempts: tuple[Attempt, ...]

    @property
    def alone(self) -> bool:
        """Whether somebody was asked and nobody vouches for it."""
        return bool(self.attempts) and all(attempt.problem for attempt in self.attempts)


def anchor(book: Book, checkpoint: Checkpoint, asked: Asked, *, at: datetime) -> Anchored:
    """Ask everybody about a published checkpoint, keep what verifies beside it, and say how each one ended.

    Who vouched for it before is not asked again. `at` names the file, should a crash have kept it from being written.
    """
    folder = book.checkpoint_folder
    path = beside.file_of(folder, checkpoint) or published.publish_numbered(folder, checkpoint, at=at)
    attempts = [
        _tried(f"witness {witness.key.name} at {witness.url}", partial(_cosigned, book, path, witness))
        for witness in asked.witnesses
    ]
    if asked.authority is not None:
        by = f"time-stamp service {asked.authority.url}"
        attempts.append(_tried(by, partial(_stamped, path, asked.authority)))
    return Anchored(checkpoint=beside.cosigned(path), path=path, attempts=tuple(attempts))


def submission(book: Book, checkpoint: Checkpoint, *, old: int) -> Submission:
    """Return what a witness that has `old` entries of the log is to be sent, the consistency proof checked first.

    Raises LedgerError when the log cannot prove that it only grew, UsageError for a size beyond the checkpoint's.
    """
    if old > checkpoint.size:
        raise UsageError(f"the checkpoint is of {checkpoint.size} entries: no proof leads there from {old}")
    if old == 0:
        return Submission(0, (), checkpoint.note)
    return Submission(old, Prover(book, checkpoint).growth(old), checkpoint.note)


def request_for(book: Book, checkpoint: Checkpoint, key: WitnessKey, *, old: int | None) -> bytes:
    """Return the request that is to reach a witness by file; `old` None: from what is known here to be cosigned."""
    size = beside.newest_cosigned(book.checkpoint_folder, key) if old is None else old
    return submission(book, checkpoint, old=min(size, checkpoint.size) if old is None else size).render()


def take_answer(book: Book, body: bytes, keys: tuple[WitnessKey, ...]) -> Anchored:
    """Take in the answer to a submission that went by file: keep it beside the checkpoint that it cosigns.

    Raises UsageError for an answer that names a size instead, LedgerError when no checkpoint of this log is cosigned in
    it by one of `keys`.
    """
    if size := _SIZE.fullmatch(body):
        said = f"the witness has {size[1].decode()} entries of this log and cosigned nothing"
        raise UsageError(said, hint=f"make the request anew with --old-size {size[1].decode()}")
    lines = _lines(body)
    for checkpoint in reversed(published.read_all(book.checkpoint_folder)[0]):
        for key in keys:
            at = verify_cosignature(parse_note(with_signatures(checkpoint.note, lines)), key)
            path = beside.file_of(book.checkpoint_folder, checkpoint) if at else None
            if path:
                beside.add_cosignatures(path, _of(lines, key))
                attempts = (Attempt(by=f"witness {key.name}", at=at),)
                return Anchored(checkpoint=beside.cosigned(path), path=path, attempts=attempts)
    names = ", ".join(key.name for key in keys)
    raise LedgerError(f"the answer holds no cosignature by {names} of a checkpoint of {book.origin}")


def _tried(by: str, ask: Callable[[], datetime]) -> Attempt:
    try:
        return Attempt(by=by, at=ask())
    except ProvisionerError as error:
        return Attempt(by=by, problem=str(error))


def _cosigned(book: Book, path: Path, witness: AskedWitness) -> datetime:
    checkpoint = beside.cosigned(path)
    note = parse_note(checkpoint.note)
    before = verify_cosignature(note, witness.key)
    if before is not None:
        return before
    if carries_line_of(note, witness.key):
        raise LedgerError(f"{path.with_suffix(beside.COSIGNED)}: its line of this witness does not verify")
    lines = _of(_asked(book, published.read_checkpoint(path), witness), witness.key)
    at = verify_cosignature(parse_note(with_signatures(checkpoint.note, lines)), witness.key)
    if at is None:
        raise LedgerError("it answered without a cosignature of its key that verifies")
    beside.add_cosignatures(path, lines)
    return at


def _asked(book: Book, checkpoint: Checkpoint, witness: AskedWitness) -> tuple[Signature, ...]:
    """Submit from the size that we know of; told another one, submit from that, once."""
    old = min(beside.newest_cosigned(book.checkpoint_folder, witness.key), checkpoint.size)
    answer = witness.ask(submission(book, checkpoint, old=old).render())
    size = _SIZE.fullmatch(answer.body) if answer.status == 409 and answer.content_type == SIZE_TYPE else None
    if size is not None:
        _refuse_larger(book, checkpoint, int(size[1]))
        answer = witness.ask(submission(book, checkpoint, old=int(size[1])).render())
    if answer.status != 200:
        said = shown(" ".join(answer.body.decode("utf-8", "replace").split()))
        raise LedgerError(f"it refused to cosign: status {answer.status}, {said}")
    return _lines(answer.body)


def _refuse_larger(book: Book, checkpoint: Checkpoint, size: int) -> None:
    if size <= checkpoint.size:
        return
    latest = published.latest(book.checkpoint_folder)
    if latest and latest.size >= size:
        raise LedgerError(f"it has cosigned a newer checkpoint meanwhile, of {size} entries")
    raise LedgerError(
        f"it has seen {size} entries of this log, which holds {checkpoint.size}: the log was rolled back, or somebody "
        "else signs with its key"
    )


def _stamped(path: Path, authority: AskedAuthority) -> datetime:
    message = path.read_bytes()
    token = beside.token_of(path)
    if token is not None:
        return timestamp.verify(token, message, authorities=authority.authorities)
    query = timestamp.request(message)
    token = authority.ask(query.body)
    at = timestamp.verify(token, message, authorities=authority.authorities, nonce=query.nonce)
    beside.add_token(path, token)
    return at


def _lines(body: bytes) -> tuple[Signature, ...]:
    try:
        return parse_signatures(body.decode())
    except UnicodeDecodeError:
        raise LedgerError("the answer is not UTF-8") from None


def _of(lines: tuple[Signature, ...], key: WitnessKey) -> tuple[Signature, ...]:
    return tuple(line for line in lines if (line.name, line.id) == (key.name, key.id))

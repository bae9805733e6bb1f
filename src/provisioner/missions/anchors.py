"""Anchors: the checkpoints of a log that a witness cosigned or an authority stamped, for verification to hold it to.

They lie beside the log, on the operator's machine. What they are worth rests on whose word is believed: that of the
person who asks, or, said in so many words, that of the operator's own settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger import beside, timestamp
from provisioner.ledger.canonical import instant
from provisioner.ledger.checkpoint import carries_line_of, parse_note, verify_cosignature
from provisioner.ledger.published import SUFFIX
from provisioner.ledger.verify import Anchor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioner.ledger.book import Book
    from provisioner.ledger.checkpoint import Checkpoint, WitnessKey
    from provisioner.ledger.timestamp import Authorities


@dataclass(frozen=True, kw_only=True)
class Trusted:
    """Whose word counts: witnesses by their keys, authorities by their roots.

    `witnesses_given` and `authorities_given` say that the person who asks named them; else they are the operator's.
    """

    witnesses: tuple[WitnessKey, ...] = ()
    witnesses_given: bool = False
    authorities: Authorities | None = None
    authorities_given: bool = False


@dataclass(frozen=True, kw_only=True)
class Vouched:
    """What was found: an anchor for each witness and one for time, the largest; what is bad; what is only missing."""

    anchors: tuple[Anchor, ...] = ()
    damaged: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


KEEP = "after a change of authority, keep the root of the one before in the file of roots too"

NOBODY = Vouched()
"""Nobody was asked."""


@dataclass(frozen=True)
class _Voice:
    """One party's word, wherever it was found: who, and the anchors that verify; the others' reasons."""

    who: str
    given: bool
    anchors: tuple[Anchor, ...]
    damaged: tuple[str, ...]
    strangers: tuple[str, ...] = ()

    @property
    def unknown(self) -> str:
        """What is to be said of tokens by authorities that are not among those trusted; they are no damage."""
        if not self.strangers:
            return ""
        count, newest = len(self.strangers), self.strangers[-1]
        are = "time stamp is" if count == 1 else "time stamps are"
        return f"{count} {are} by none of {self.who}, the newest {newest}: {KEEP}"


def vouched(book: Book, trusted: Trusted) -> Vouched:
    """Return the anchors that these parties give the log.

    A cosignature or a token that does not verify is among `damaged`. Raises LedgerError when a party that was named by
    the person who asks vouches for nothing here; of one in the settings, that is a warning. A token of an authority
    that is not among those trusted is a warning too.
    """
    voices = [*_witnesses(book, trusted), *_authority(book, trusted)]
    silent = [voice for voice in voices if not voice.anchors and not voice.damaged]
    for voice in silent:
        if voice.given:
            unknown = f"; {voice.unknown}" if voice.unknown else ""
            raise LedgerError(
                f"no checkpoint of {book.origin} kept here is vouched for by {voice.who}{unknown}",
                hint="ask a witness itself for the checkpoint it keeps, and give that with --checkpoint",
            )
    return Vouched(
        anchors=tuple(max(voice.anchors, key=_size) for voice in voices if voice.anchors),
        damaged=tuple(dict.fromkeys(sentence for voice in voices for sentence in voice.damaged)),
        warnings=(
            *(f"no checkpoint kept here is vouched for by {voice.who}" for voice in silent),
            *(voice.unknown for voice in voices if voice.unknown),
        ),
    )


def _witnesses(book: Book, trusted: Trusted) -> Iterator[_Voice]:
    if not trusted.witnesses:
        return
    found: list[tuple[Path, Checkpoint]] = []
    damaged: list[str] = []
    for path in sorted(book.checkpoint_folder.glob(f"*{beside.COSIGNED}")):
        try:
            found.append((path, beside.cosigned(path.with_suffix(SUFFIX))))
        except LedgerError as error:
            damaged.append(str(error))
    for key in trusted.witnesses:
        who = f"witness {key.name}{_whose(trusted.witnesses_given)}"
        anchors, bad = [], list(damaged)
        for path, checkpoint in found:
            note = parse_note(checkpoint.note)
            at = verify_cosignature(note, key)
            if at is not None:
                anchors.append(Anchor(checkpoint=checkpoint, name=f"{who} ({instant(at)}), checkpoint"))
            elif carries_line_of(note, key):
                bad.append(f"{path.name}: the cosignature of witness {key.name} does not verify")
        yield _Voice(who, trusted.witnesses_given, tuple(anchors), tuple(bad))


def _authority(book: Book, trusted: Trusted) -> Iterator[_Voice]:
    if trusted.authorities is None:
        return
    anchors: list[Anchor] = []
    damaged: list[str] = []
    strangers: list[str] = []
    whose = _whose(trusted.authorities_given)
    for path in sorted(book.checkpoint_folder.glob(f"*{beside.STAMPED}")):
        plain = path.with_suffix(SUFFIX)
        try:
            checkpoint = beside.cosigned(plain)
            at = timestamp.verify(beside.token_of(plain) or b"", plain.read_bytes(), authorities=trusted.authorities)
        except timestamp.UnknownAuthorityError:
            strangers.append(path.name)
        except LedgerError as error:
            damaged.append(f"{path.name}: {error}")
        else:
            anchors.append(Anchor(checkpoint=checkpoint, name=f"time stamp{whose} ({instant(at)}), checkpoint"))
    who = f"the time-stamp authorities{whose}"
    yield _Voice(who, trusted.authorities_given, tuple(anchors), tuple(damaged), tuple(strangers))


def _whose(given: bool) -> str:
    return "" if given else " named in the operator's own settings"


def _size(anchor: Anchor) -> int:
    return anchor.checkpoint.size

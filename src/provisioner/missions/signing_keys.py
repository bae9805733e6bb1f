"""The keys of a log: list them with the state of the files, and change the one in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.ledger import keys, rotation

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from provisioner.ledger.book import Book
    from provisioner.ledger.entry import Entry
    from provisioner.ledger.history import KeyHistory
    from provisioner.ledger.keys import KeyFile


@dataclass(frozen=True, kw_only=True)
class SigningKeys:
    """The keys of a log, oldest first, and what the files of the one in force are.

    `path` is where the private half belongs; `unfinished` says that a change of key waits for the next command that
    writes.
    """

    history: KeyHistory
    path: Path
    private: KeyFile
    public: KeyFile
    unfinished: bool = False

    @property
    def problems(self) -> tuple[KeyFile, ...]:
        """The files that are not what they should be."""
        return tuple(file for file in (self.private, self.public) if file.problem)

    @property
    def exit_code(self) -> int:
        """7 where there is a problem; 0 also where there is no private half at all, as in an auditor's copy."""
        return 7 if any(file is self.public or file.state != keys.MISSING for file in self.problems) else 0


def signing_keys(book: Book) -> SigningKeys:
    """Return the keys of a log that has entries; raises LedgerError where the chain of its `key` entries breaks."""
    found = _looked_up(book)
    # A change of key meanwhile leaves files of one moment beside entries of another: a problem is one that stays.
    return _looked_up(book) if found.exit_code else found


def _looked_up(book: Book) -> SigningKeys:
    history, folder = book.key_history(), book.key_folder
    private = keys.look_up_signer(folder, book.origin)
    public = keys.look_up_public_half(folder, history.newest.key)
    waiting = keys.look_up_signer(folder, book.origin, file=keys.NEXT_KEY)
    if waiting.signer and waiting.signer.verifier == history.newest.key:
        there, path = keys.KeyFile(state=keys.PRESENT), folder / keys.NEXT_KEY
        return SigningKeys(history=history, path=path, private=waiting, public=there, unfinished=True)
    private, path = rotation.judged(private, history, folder=folder), folder / keys.SIGNING_KEY
    return SigningKeys(history=history, path=path, private=private, public=public)


def change_key(book: Book, operator: str, *, at: datetime, reason: str) -> Entry:
    """Put a new key in force for the operator (a name) at an instant, and return the entry that says so.

    Raises LedgerError, with nothing changed, where the key in force cannot sign, or the log is not what it signed.
    """
    return book.rotate(at, book.pseudonym(operator), reason=reason)

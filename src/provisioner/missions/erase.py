"""Erase: personal details taken out of a client's log, for a person who asks or by the contract's term.

No entry changes and the log proves the same as before: entries hold references and digests only. What can no longer be
shown is who or what they stood for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.config.contacts import contacts
from provisioner.errors import LedgerError, UsageError
from provisioner.ledger.entry import ERASE, Draft
from provisioner.ledger.erasure import Erasure, Reason, of_age, of_person
from provisioner.missions.audit import refuse_unknown
from provisioner.model.person import ERASED, blanked, occurrences
from provisioner.model.values import shown
from provisioner.terms.days import day_of, step
from provisioner.terms.term import in_force

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from provisioner.ledger.book import Book
    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.values import Duration

SHORTEST = 2
"""Characters of a name that is looked for: a single letter is in every text."""

OUT_OF_REACH = (
    "the files of the client's folder, such as contract.yml, and their history are for you to edit",
    "bundles that were handed out keep what they hold",
    "backups, and other copies of the state folder or of the database, keep what they hold",
    "blocks that the file system or the database server gave back are overwritten when it pleases them",
)
"""What no erasure here can reach."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Whose details: those of `person` (a name or a pseudonym), or with `contracts` those beyond their term at `at`.

    `operator` is the name of who asks.
    """

    at: datetime
    operator: str
    person: str = ""
    contracts: tuple[LoadedContract, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Found:
    """What would go: rows of (reference, field, value), how many of each field, and digests of contracts to blank.

    `unfinished`: an earlier erasure left its bytes in the database's files.
    """

    rows: tuple[tuple[str, str, str], ...]
    fields: Mapping[str, int]
    blanked: tuple[str, ...]
    unfinished: bool

    def __bool__(self) -> bool:
        return bool(self.rows or self.blanked)


def look(book: Book, wish: Wish) -> Found:
    """Return what the wish would erase; nothing is changed.

    Raises UsageError when the client has no log, for a name too short to be looked for, or for a contract that
    promises no term.
    """
    refuse_unknown(book)
    found = _choose(book, wish)
    return Found(
        rows=tuple((row.reference, row.field, row.value.decode("utf-8", "replace")) for row in found.rows),
        fields=found.fields,
        blanked=tuple(row.reference for row in found.blanked),
        unfinished=book.unwiped.exists(),
    )


def carry_out(book: Book, wish: Wish) -> int:
    """Erase what the wish finds now, record it, sign, and leave no byte of it in the database's files.

    Returns the index of the entry. Raises UsageError when nothing is found, LedgerError when it cannot be recorded
    (then nothing was erased), or when the bytes cannot be removed yet: `finish` does that later.
    """
    if not _choose(book, wish):
        raise UsageError("nothing is left to erase: somebody else did, just now")
    pseudonym = book.pseudonym(wish.operator)  # first: whoever asks for an erasure of their own goes with it
    erasure = _choose(book, wish)
    reason = Reason.RETENTION if wish.contracts else Reason.REQUEST
    entry = book.erase(erasure, Draft(ERASE, wish.at, pseudonym, erasure.body(reason)))
    book.sign(wish.at)
    finish(book)
    return entry.index


def finish(book: Book) -> None:
    """Remove the bytes that an erasure left in the database's files; raises LedgerError where that cannot be done."""
    try:
        book.wipe()
    except LedgerError as error:
        raise LedgerError(
            f"the values are erased, but their bytes may still lie in the files of the database: {error}",
            hint="see that nobody reads the ledger and that there is room for a copy of it; then type it again",
        ) from error


def _choose(book: Book, wish: Wish) -> Erasure:
    if wish.contracts:
        return _beyond_term(book, wish)
    if len(wish.person.strip()) < SHORTEST:
        raise UsageError(f"--person {shown(wish.person)} is too short to be looked for", hint="write the whole name")
    return of_person(book.details(), wish.person, blank=blank_contract)


def _beyond_term(book: Book, wish: Wish) -> Erasure:
    """What only entries older than the term cite; the name of who asks stays, since the next entry cites it.

    Of several contracts those in force that day count, all of them where none is; each must have let a detail go.
    """
    days = [(contract, day_of(wish.at, contract.timezone)) for contract in wish.contracts]
    terms = [(contract.as_of(day), day) for contract, day in days if in_force(contract.as_of(day), day)]
    kept = [
        (_details(contract), contract.timezone, day)
        for contract, day in terms or [(contract.as_of(day), day) for contract, day in days]
    ]

    def is_over(then: datetime) -> bool:
        return all(step(day_of(then, zone), term, 1) <= today for term, zone, today in kept)

    found = of_age(book.details(), book.entries(), is_over=is_over)
    return Erasure(rows=tuple(row for row in found.rows if row.value != wish.operator.encode()))


def _details(terms: Contract) -> Duration:
    if terms.retention.details is None:
        raise UsageError(
            f"contract {terms.id} promises no term for personal details: they are kept without limit",
            hint="promise one, such as `retention: {details: 36mo}`; or erase for one person with --person",
        )
    return terms.retention.details


def blank_contract(text: bytes, names: tuple[str, ...]) -> bytes:
    """Given a contract's text, return it with ERASED for each contact that names one of the people, and each name.

    A text that names one of them in a way that cannot be taken out alone, such as an escape, is ERASED as a whole.
    """
    decoded = text.decode("utf-8", "replace")
    values = [value for key, value in contacts(text) if any(occurrences(f"{key}\n{value}", name) for name in names)]
    phrases, plain = (*values, *names), _unescaped(decoded)
    if any(len(occurrences(plain, words)) > len(occurrences(decoded, words)) for words in phrases):
        return f"{ERASED}\n".encode()
    left = blanked(decoded, phrases)
    return text if left == decoded else left.encode()


_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r?\n[ \t]*|.)", re.DOTALL)


def _unescaped(text: str) -> str:
    """The text as if every backslash in it were one of YAML's double quotes (YAML 1.2, section 5.7)."""

    def plain(found: re.Match[str]) -> str:
        said = found[1]
        if said[0] in "xuU" and len(said) > 1:
            number = int(said[1:], 16)
            return chr(number) if number < 0x110000 else ""
        return "" if "\n" in said else said

    return _ESCAPE.sub(plain, text)

"""Genuine logs to tamper with: written by the book itself, with the copies of them that an adversary may have kept."""

from __future__ import annotations

import shutil
import sqlite3
import unicodedata
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from provisioner.ledger import keys, published
from provisioner.ledger.book import Book, open_book
from provisioner.ledger.entry import Draft
from provisioner.ledger.history import ROTATION

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from provisioner.ledger.checkpoint import Checkpoint, Signer

CLIENT, OTHER = "acme", "globex"
LOG = f"provisioner/{CLIENT}"
BEGAN = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
LARGEST = 60


@dataclass(frozen=True)
class Moment:
    """A copy of the whole state folder, taken when the log had `size` entries; `signed` when all were covered."""

    folder: Path
    size: int
    signed: bool


@dataclass(frozen=True)
class Log:
    """A log of `CLIENT` in a state folder that also has one of `OTHER`.

    `moments` are earlier copies, oldest first; `unmerged` is the database file without its write-ahead log, and the
    number of entries in it, taken while a command was writing; `covered` is the size under the newest checkpoint.
    `keys` are the indices of the entries that brought a key, `fingerprint` that of the first, `signer` the newest.
    """

    folder: Path
    leaves: tuple[bytes, ...]
    others: tuple[bytes, ...]
    checkpoints: tuple[Checkpoint, ...]
    moments: tuple[Moment, ...]
    unmerged: tuple[Path, int]
    signer: Signer
    keys: tuple[int, ...]
    fingerprint: str

    @property
    def size(self) -> int:
        return len(self.leaves)

    @property
    def covered(self) -> int:
        return self.checkpoints[-1].size


def book_of(state: Path, client: str = CLIENT, *, read_only: bool = True) -> Book:
    return open_book(f"sqlite:///{state / 'ledger.db'}", client, state=state, read_only=read_only)


def rows_of(database: Path, log: str = LOG) -> list[tuple[int, bytes]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute('SELECT "index", leaf FROM entries WHERE log = ? ORDER BY "index"', (log,)).fetchall()


def make_log(folder: Path, random: Random, *, tail: bool, rotated: bool) -> Log:
    """Write a log of up to `LARGEST` entries in up to six sittings.

    With a `tail`, the last one was never signed; if `rotated`, the first ended with a change of key.
    """
    state, size = folder / "state", min(random.randint(4, LARGEST) for _ in range(2))
    with book_of(state, OTHER, read_only=False) as book:
        _write(book, random, random.randint(3, 12))
        book.sign(BEGAN)
    sittings = _cut(random, size - 1)
    moments: list[Moment] = []
    for number, count in enumerate(sittings):
        last = number == len(sittings) - 1
        sign = not tail if last else number == 0 or number == len(sittings) - 2 or random.random() < 0.7
        with book_of(state, read_only=False) as book:
            _write(book, random, count)
            at = BEGAN + timedelta(days=number)
            sign = sign and bool(book.sign(at))
            if rotated and number == 0:
                book.rotate(at, book.pseudonym("Zoë Müller"), reason=ROTATION)
            shutil.copy(state / "ledger.db", folder / "unmerged.db")
        if not last:
            moments.append(_copied(state, folder / f"moment-{number}", signed=sign))
    return _written(state, tuple(moments), unmerged=folder / "unmerged.db")


def _written(state: Path, moments: tuple[Moment, ...], *, unmerged: Path) -> Log:
    """Look at what was written."""
    checkpoints, _ = published.read_all(state / "checkpoints" / CLIENT)
    with book_of(state) as book:
        history = book.key_history()
    return Log(
        folder=state,
        leaves=tuple(leaf for _, leaf in rows_of(state / "ledger.db")),
        others=tuple(leaf for _, leaf in rows_of(state / "ledger.db", f"provisioner/{OTHER}")),
        checkpoints=checkpoints,
        moments=moments,
        unmerged=(unmerged, len(rows_of(unmerged))),
        signer=keys.load_signer(state / "keys" / CLIENT, LOG),
        keys=tuple(tenure.index for tenure in history.tenures),
        fingerprint=history.tenures[0].key.fingerprint,
    )


def _cut(random: Random, count: int) -> list[int]:
    """Cut `count` entries into two to six sittings, of two at least where there are as many."""
    parts = min(random.randint(2, 6), count // 2 + 1)
    cuts = sorted(random.sample(range(1, count), parts - 1))
    return [after - before for before, after in zip([0, *cuts], [*cuts, count], strict=True)]


def _copied(state: Path, folder: Path, *, signed: bool) -> Moment:
    shutil.copytree(state, folder)
    return Moment(folder, len(rows_of(folder / "ledger.db")), signed)


def _write(book: Book, random: Random, count: int) -> None:
    """Append `count` drafts in groups, with a contract, a phone number and a person behind them."""
    operator = book.pseudonym(random.choice(["Zoë Müller", "Renée Dubois"]))
    text = f"id: C-{random.randrange(1000)}\nclient: Café Zürich\n"
    digest, phone = book.keep_contract(text.encode()), book.keep(f"+41 44 {random.randrange(10**6)}", field="phone")
    drafts = [_draft(random, operator, {"contract_digest": digest, "contact": phone}) for _ in range(count)]
    while drafts:
        group = random.randint(1, 8)
        book.append(drafts[:group])
        drafts = drafts[group:]


def _draft(random: Random, operator: str, references: dict[str, str]) -> Draft:
    kind = random.choice(["contract", "opened", "closed", "refused", "ticket", "note", "drill"])
    said = unicodedata.normalize("NFC", f"Büro {random.randrange(10**6)}: geprüft, café à côté")
    at = BEGAN + timedelta(seconds=random.randrange(10**6))
    return Draft(kind, at, operator, {"text": said, "outcome": "changed", **references})

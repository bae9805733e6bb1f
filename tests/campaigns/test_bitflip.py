"""One bit flipped in each page of a database, one cut short at a hundred sizes: `invoke dev.campaign --name bitflip`.

The answer of `audit.verify` must never be a false OK. An OK is true if every entry is byte for byte what was written,
and every personal value and contract text that is there is one that was kept: then the bit lay in free space, in a
cache or index, or in the map from pseudonym to person, which nothing protects.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.campaigns._writer import AT, opened

from provisioner.errors import LedgerError
from provisioner.ledger.entry import Draft
from provisioner.ledger.names import OPERATOR
from provisioner.ledger.verify import Status
from provisioner.missions.audit import verify_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.ledger.book import Book

FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"
BITS = 8 if FULL else 1
"""How many bits of each page and of each byte of a file's header, one at a time."""

SIZES = 100
PAGE = 4096
HEADER = {"db": 100, "wal": 32}


@dataclass
class Specimen:
    """A state folder whose database is broken in one way after the other, and what was in it when it was whole."""

    state: Path
    files: dict[str, bytes] = field(default_factory=dict)
    leaves: list[tuple[object, object]] = field(default_factory=list)
    kept: set[tuple[object, ...]] = field(default_factory=set)

    def take(self, book: Book) -> None:
        """Remember what is in the book, and the database's files as they are now."""
        self.leaves = list(book.leaves())
        self.kept = {tuple(row) for row in book.details()}
        names = ("ledger.db", "ledger.db-wal")
        self.files = {name: (self.state / name).read_bytes() for name in names if (self.state / name).exists()}

    def put(self, **broken: bytes) -> None:
        """Put the files back, some of them broken: `db` or `wal`."""
        (self.state / "ledger.db-shm").unlink(missing_ok=True)
        for name, content in self.files.items():
            (self.state / name).write_bytes(broken.get(name.rpartition(".")[2].replace("db-", ""), content))


def write(book: Book, groups: range) -> None:
    """Groups of ten entries, with personal values and the text of a contract beside them."""
    for group in groups:
        operator = book.pseudonym(f"Operator {group % 4}")
        phone = book.keep(f"+33 1 23 45 67 {group:02}", field="phone")
        digest = book.keep_contract(f"id: DEMO-{group}\n".encode() * 40)
        bodies = [{"phone": phone, "digest": digest, "item": item, "text": "what was seen " * 8} for item in range(10)]
        book.append([Draft("note", AT, operator, body) for body in bodies])
    book.sign(AT)


@pytest.fixture(scope="module", params=["closed", "with its write-ahead log"])
def specimen(request: pytest.FixtureRequest) -> Iterator[Specimen]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        made, one = Path(folder) / "made", Specimen(Path(folder) / "state")
        with opened(made) as book:
            write(book, range(20))
        with opened(made) as book:
            write(book, range(20, 30))
            if request.param != "closed":
                shutil.copytree(made, one.state)
                one.take(book)
        if request.param == "closed":
            shutil.copytree(made, one.state)
            with opened(one.state) as book:
                one.take(book)
            one.files.pop("ledger.db-wal", None)
            (one.state / "ledger.db-wal").unlink(missing_ok=True)
        yield one


def answer(one: Specimen) -> str:
    """What `audit.verify` says of the specimen as it lies there, in a word; an OK is looked at more closely."""
    try:
        with opened(one.state, read_only=True) as book:
            report = verify_log(book)
            if report.exit_code:
                assert report.status in (Status.TAMPERED, Status.EMPTY)
                return str(report.status)
            return true_or_false(one, list(book.leaves()), {tuple(row) for row in book.details()})
    except LedgerError as error:
        assert error.exit_code == 7
        return "ERROR"


def true_or_false(one: Specimen, leaves: list[tuple[object, object]], rows: set[tuple[object, ...]]) -> str:
    """Whether an OK was true: `rows` are (reference, field, salt, value)."""
    protected = {(row[0], row[2], row[3]) for row in one.kept if row[1] != OPERATOR}
    foreign = [row for row in rows - one.kept if row[1] != OPERATOR and (row[0], row[2], row[3]) not in protected]
    if leaves != one.leaves or foreign:
        return "FALSE OK"
    if rows == one.kept:
        return "OK, all as it was"
    return "OK, rows of details gone" if rows < one.kept else "OK, who a pseudonym is or what a value is called"


def answer_of_sqlite(one: Specimen) -> str:
    """What a check says that only asks SQLite."""
    try:
        with closing(sqlite3.connect(f"file:{one.state}/ledger.db?mode=ro", uri=True)) as connection:
            said = connection.execute("PRAGMA integrity_check").fetchall()
            log = connection.execute('SELECT "index", leaf FROM entries ORDER BY "index"').fetchall()
            rows = set(connection.execute("SELECT reference, field, salt, value FROM details").fetchall())
    except (sqlite3.Error, UnicodeDecodeError):
        return "ERROR"
    return true_or_false(one, log, rows) if said == [("ok",)] else "ERROR"


def flips(content: bytes, *, header: int, bits: int) -> Iterator[bytes]:
    """The content again and again, with one bit flipped: so many times in each byte of the header, in each page."""
    chance = random.Random(3)
    for first, last in [*((byte, byte + 1) for byte in range(header)), *pages(content)]:
        for bit in chance.sample(range(8), bits):
            place = chance.randrange(first, last)
            yield content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def pages(content: bytes) -> Iterator[tuple[int, int]]:
    """Where each page begins, and where it ends."""
    for page in range(0, len(content), PAGE):
        yield page, min(page + PAGE, len(content))


def cuts(content: bytes) -> Iterator[bytes]:
    """The beginning of the content, at so many sizes: whole pages and others."""
    chance = random.Random(4)
    for number in range(SIZES):
        size = chance.randrange(len(content))
        yield content[: size - size % PAGE if number % 2 else size]


def tried(one: Specimen, asked: Callable[[Specimen], str], *, bits: int = BITS) -> dict[str, Counter[str]]:
    """Break each file of the specimen in each way and count the answers."""
    counted: dict[str, Counter[str]] = {}
    for name, content in one.files.items():
        short = name.rpartition(".")[2].replace("db-", "")
        flipped = flips(content, header=HEADER[short], bits=bits)
        for way, broken in (("flipped", flipped), ("cut short", cuts(content))):
            counted[f"{name} {way}"] = count = Counter[str]()
            for each in broken:
                one.put(**{short: each})
                count[asked(one)] += 1
    return counted


def test_no_flip_and_no_cut_gives_a_false_ok(specimen: Specimen) -> None:
    began = time.monotonic()
    specimen.put()
    assert answer(specimen) == "OK, all as it was"
    counted = tried(specimen, answer)
    for what, answers in counted.items():
        said = ", ".join(f"{count} {each}" for each, count in answers.most_common())
        print(f"\nbitflip, {what}: {answers.total()} tried: {said}", end="")
    print(f"; {time.monotonic() - began:.0f} s")
    assert not any(answers["FALSE OK"] for answers in counted.values())
    for what, answers in counted.items():
        assert answers["TAMPERED"] + answers["ERROR"] > answers.total() / 10, what


def test_a_check_that_only_asks_sqlite_gives_false_oks(specimen: Specimen) -> None:
    """Negative control: the database is sound and says something else."""
    specimen.put()
    assert answer_of_sqlite(specimen) == "OK, all as it was"
    counted = tried(specimen, answer_of_sqlite, bits=1)
    assert sum(answers["FALSE OK"] for answers in counted.values()) > 10

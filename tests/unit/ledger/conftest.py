from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from provisioner.ledger.book import Book, open_book
from provisioner.ledger.entry import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


class Desk:
    """A state folder, and what an operator or an adversary does to it."""

    at = AT

    def __init__(self, state: Path) -> None:
        self.state = state
        self.database = state / "ledger.db"

    def open(self, client: str = "demo", *, read_only: bool = False) -> Book:
        return open_book(f"sqlite:///{self.database}", client, state=self.state, read_only=read_only)

    def draft(self, text: str) -> Draft:
        return Draft("note", AT, "op-1", {"text": text})

    def write(self, *texts: str, client: str = "demo", sign: bool = True) -> None:
        with self.open(client) as book:
            book.append([self.draft(text) for text in texts])
            if sign:
                book.sign(AT)

    @contextmanager
    def attack(self) -> Iterator[sqlite3.Connection]:
        """The database alone, tripwires cut."""
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("DROP TRIGGER IF EXISTS entries_refuse_update")
            connection.execute("DROP TRIGGER IF EXISTS entries_refuse_delete")
            yield connection
            connection.commit()


@contextmanager
def somebody_else() -> Iterator[None]:
    """Go on as a user who may not enter this test's folder: root may enter any, so root becomes nobody for a while."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def other_user() -> Callable[[], AbstractContextManager[None]]:
    return somebody_else


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "state")


@pytest.fixture(scope="session")
def make_desk() -> Callable[[Path], Desk]:
    return Desk

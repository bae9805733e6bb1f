from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.ledger.book import Book, open_book
from provisioner.ledger.entry import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import psycopg
    from tests.postgresql import Server

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


class Adversary:
    """A PostgreSQL connection that takes the SQL that the tests write for SQLite."""

    DIALECT = (("?", "%s"), ("AS BLOB", "AS BYTEA"), ("x'00'", "'\\x00'::bytea"), ("zeroblob(32)", "sha256('')"))

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def execute(self, query: str, parameters: tuple[Any, ...] = ()) -> psycopg.Cursor[tuple[Any, ...]]:
        for lite, full in self.DIALECT:
            query = query.replace(lite, full)
        return self._connection.execute(query.encode(), parameters)


class Desk:
    """A state folder with a database, and what an operator or an adversary does to it; on `server`, if one is given."""

    at = AT

    def __init__(self, state: Path, server: Server | None = None) -> None:
        self.state = state
        self._server = server
        self._name = ""

    @property
    def database(self) -> Path:
        """The SQLite file: a test that names it is marked `sqlite`, and says why."""
        assert self._server is None, "there is no file: mark this test with @pytest.mark.sqlite(why)"
        return self.state / "ledger.db"

    @property
    def url(self) -> str:
        if self._server is None:
            return f"sqlite:///{self.database}"
        self._name = self._name or self._server.create()
        return self._server.url(self._name)

    def open(self, client: str = "demo", *, read_only: bool = False) -> Book:
        return open_book(self.url, client, state=self.state, read_only=read_only)

    def draft(self, text: str) -> Draft:
        return Draft("note", AT, "op-1", {"text": text})

    def write(self, *texts: str, client: str = "demo", sign: bool = True) -> None:
        with self.open(client) as book:
            book.append([self.draft(text) for text in texts])
            if sign:
                book.sign(AT)

    def become(self, other: Desk) -> None:
        """Have a copy of the other desk's state folder and database, and nothing else."""
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.copytree(other.state, self.state)
        self.take_database(other)

    def take_database(self, other: Desk) -> None:
        """Have a copy of the other desk's database instead of one's own."""
        self.lose_database()
        if self._server is None:
            shutil.copy(other.database, self.database)
        else:
            self.open().close()
            self._server.copy(other._name, self._name)

    def lose_database(self) -> None:
        """Have a database that was never written to."""
        if self._server is None:
            self.database.unlink(missing_ok=True)
        elif self._name:
            self._server.drop(self._name)
            self._name = ""

    @contextmanager
    def attack(self) -> Iterator[sqlite3.Connection | Adversary]:
        """The database alone, tripwires cut."""
        if self._server is not None:
            with self._server.connect(self._name) as connection:
                connection.execute("DROP TRIGGER IF EXISTS entries_refuse ON entries")
                yield Adversary(connection)
            return
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
def desk(tmp_path: Path, make_desk: Callable[[Path], Desk], database_server: Server | None) -> Iterator[Desk]:
    desk = make_desk(tmp_path / "state")
    yield desk
    if database_server:
        desk.lose_database()


@pytest.fixture(scope="session")
def make_desk(database_server: Server | None) -> Callable[[Path], Desk]:
    return lambda state: Desk(state, database_server)

"""A SQLite file that somebody gave other tables, types or bytes: every answer is a report or an error of ours."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import ProvisionerError
from provisioner.ledger.book import open_book
from provisioner.ledger.entry import Draft
from provisioner.missions.audit import Filter, log, show, verify_log
from provisioner.missions.export import Wanted, export

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provisioner.ledger.book import Book

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
LOOSE = "CREATE TABLE x AS SELECT * FROM {0}; DROP TABLE {0}; ALTER TABLE x RENAME TO {0};"
LOOSE_NODES, LOOSE_DETAILS, LOOSE_ENTRIES = (LOOSE.format(name) for name in ("nodes", "details", "entries"))

HOSTILE = (
    *(f"{LOOSE_NODES} UPDATE nodes SET hash = {value}" for value in ("'abc'", "5", "NULL", "zeroblob(100)")),
    "DROP TABLE nodes; CREATE VIEW nodes AS SELECT log, 0 AS level, 0 AS position, x'00' AS hash FROM entries",
    *(f"DROP TABLE {name}" for name in ("nodes", "pending", "details", "entries", "alembic_version")),
    *(f"UPDATE pending SET note = {value}" for value in ("'x'", "CAST(x'ff' AS TEXT)", "'a' || char(0) || 'b'")),
    f"{LOOSE.format('pending')} UPDATE pending SET note = x'ff'",
    *(f"UPDATE details SET value = {value}" for value in ("x'ff'", "x''", "CAST(char(27) || '[2J' AS BLOB)")),
    *(f"{LOOSE_DETAILS} UPDATE details SET value = {value}" for value in ("NULL", "'abc'", "7", "7.5")),
    *(f"{LOOSE_DETAILS} UPDATE details SET {name} = NULL" for name in ("reference", "field", "salt")),
    "UPDATE details SET field = CAST(x'ff' AS TEXT)",
    *(
        f"{LOOSE_ENTRIES} INSERT INTO entries VALUES ('provisioner/demo', {index}, x'00')"
        for index in ("9223372036854775807", "-9223372036854775808", "'abc'", "NULL", "1e300")
    ),
    *(f"{LOOSE_ENTRIES} UPDATE entries SET leaf = {value}" for value in ("NULL", "CAST(leaf AS TEXT)", "3", "x''")),
    f"{LOOSE_ENTRIES} UPDATE entries SET leaf = CAST(replace(hex(zeroblob(50000)), '00', '[') AS BLOB)",
    f"{LOOSE_ENTRIES} UPDATE entries SET leaf = CAST(replace(hex(zeroblob(5000)), '0', '9') AS BLOB)",
    "INSERT INTO entries VALUES (CAST(x'ff' AS TEXT), 0, x'00')",
    "UPDATE alembic_version SET version_num = 'other'",
)


@pytest.fixture(scope="module")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("genuine") / "state"
    with open_book(f"sqlite:///{state / 'ledger.db'}", "demo", state=state) as book:
        body = {"phone": book.keep("+33 1", field="phone"), "contract_digest": book.keep_contract(b"the contract")}
        operator = book.pseudonym("Ada")
        book.append([Draft("note", AT, operator, {**body, "number": number}) for number in range(6)])
        book.sign(AT)
    return state


def go_on(book: Book) -> None:
    book.append([Draft("note", AT, "op-1", {})])
    book.sign(AT)


ASKED: tuple[Callable[[Book], object], ...] = (
    verify_log,
    lambda book: log(book, Filter()),
    lambda book: show(book, "2"),
    lambda book: export(book, Wanted(details=True), book.key_folder / "out.tar.gz"),
    lambda book: book.key_history(),
)


@pytest.mark.parametrize("statements", HOSTILE)
def test_a_hostile_file_is_answered_by_a_report_or_an_error_of_ours(
    genuine: Path, tmp_path: Path, statements: str
) -> None:
    state = tmp_path / "state"
    shutil.copytree(genuine, state)
    with closing(sqlite3.connect(state / "ledger.db")) as database:
        database.executescript(statements)
    for ask in (*ASKED, go_on):
        try:
            with open_book(f"sqlite:///{state / 'ledger.db'}", "demo", state=state, read_only=ask is not go_on) as book:
                ask(book)
        except ProvisionerError as error:
            assert error.exit_code in (2, 7)


def test_a_trigger_cannot_hide_behind_the_name_of_the_revision(genuine: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    shutil.copytree(genuine, state)
    with closing(sqlite3.connect(state / "ledger.db")) as database:
        database.execute("CREATE TRIGGER alembic_version AFTER INSERT ON pending BEGIN DELETE FROM nodes; END")
        database.commit()
    with open_book(f"sqlite:///{state / 'ledger.db'}", "demo", state=state, read_only=True) as book:
        assert verify_log(book).warnings == ("the schema of the database was changed: alembic_version",)

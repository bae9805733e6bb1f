from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import database, place, sqlite
from provisioner.ledger.merkle import Node
from provisioner.ledger.store import Detail, Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from conftest import Desk

LOG = "provisioner/demo"


def opened(folder: Path, *, log: str = LOG, read_only: bool = False) -> Store:
    return open_store(f"sqlite:///{folder}/ledger.db", log, read_only=read_only)


def opened_at(desk: Desk, *, log: str = LOG) -> Store:
    return open_store(desk.url, log, read_only=False)


def test_the_revision_and_the_schema_are_those_of_the_migrations(desk: Desk) -> None:
    folder = Path(database.__file__).with_name("migrations")
    assert ScriptDirectory(str(folder)).get_current_head() == database.REVISION
    with closing(opened_at(desk)) as ledger:
        assert ledger.schema_changes() == ()


def test_opening_a_current_database_imports_no_alembic(tmp_path: Path) -> None:
    opened(tmp_path).close()
    program = (
        "import sys; from provisioner.ledger.store import open_store\n"
        f"open_store('sqlite:///{tmp_path}/ledger.db', 'x', read_only={{read_only}}).close()\n"
        "import provisioner.ledger.verify, provisioner.missions.audit\n"
        "sys.exit(any(name.split('.')[0] == 'alembic' for name in sys.modules))"
    )
    for read_only in (True, False):
        assert subprocess.run([sys.executable, "-c", program.format(read_only=read_only)]).returncode == 0


def test_verification_needs_no_database_library() -> None:
    program = (
        "import sys, provisioner.ledger.verify, provisioner.missions.audit\n"
        "sys.exit(any(name.split('.')[0] in ('sqlalchemy', 'alembic', 'ansible_runner') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_connections_have_the_pragmas_they_were_asked_for(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        sqlite.set_pragmas(connection, sqlite.WRITING)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        for weaker, name in (
            ("synchronous=1", "synchronous"),
            ("foreign_keys=0", "foreign_keys"),
            ("trusted_schema=1", "trusted"),
        ):
            connection.execute(f"PRAGMA {weaker}")
            with pytest.raises(LedgerError, match=name):
                sqlite.check_pragmas(connection, sqlite.WRITING)
            sqlite.set_pragmas(connection, sqlite.WRITING)
        connection.execute("PRAGMA journal_mode=delete")
        with pytest.raises(LedgerError, match="journal_mode"):
            sqlite.check_pragmas(connection, sqlite.WRITING)


def test_a_database_that_cannot_be_durable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "WRITING", {**sqlite.WRITING, "synchronous": 9})
    with pytest.raises(LedgerError, match="would not be durable"):
        opened(tmp_path)


def test_what_is_written_is_read_back_by_its_log_only(desk: Desk) -> None:
    with closing(opened_at(desk)) as ledger, ledger.writing() as tables:
        tables.add([(0, b"a"), (1, b"b")], [Node(0, 0, b"h"), Node(0, 1, b"i"), Node(1, 0, b"j")], note="n")
        tables.keep(Detail("op-1", "operator", b"", b"Ada"))
    with closing(opened_at(desk)) as ledger, ledger.reading() as tables:
        assert (tables.size(), list(tables.leaves()), tables.pending()) == (2, [(0, b"a"), (1, b"b")], "n")
        assert (list(tables.leaves(1)), list(tables.leaves(0, 1))) == ([(1, b"b")], [(0, b"a")])
        assert (list(tables.leaves(2**63)), list(tables.leaves(0, 2**70))) == ([], [(0, b"a"), (1, b"b")])
        assert tables.nodes([(1, 0), (4, 4)]) == {(1, 0): b"j"}
        assert (tables.leaf_hashes(0, 2), tables.leaf_hashes(1, 2**70)) == ([b"h", b"i"], [b"i"])
        assert (tables.detail("op-1"), tables.logs()) == (Detail("op-1", "operator", b"", b"Ada"), [LOG])
    with closing(opened_at(desk, log="provisioner/other")) as ledger, ledger.reading() as tables:
        assert (tables.size(), list(tables.leaves()), tables.pending(), tables.nodes([])) == (0, [], None, {})
        assert (tables.leaf_hashes(0, 2), tables.detail("op-1"), list(tables.details())) == ([], None, [])


def test_details_come_in_the_order_of_their_bytes_on_every_database(desk: Desk) -> None:
    references = ["0a", "A", "a", "a-b", "ab", "op-1", "pv-0"]
    with closing(opened_at(desk)) as ledger:
        with ledger.writing() as tables:
            for reference in reversed(references):
                tables.keep(Detail(reference, "contract", b"", b"x"))
        with ledger.reading() as tables:
            assert [detail.reference for detail in tables.details()] == references


def test_nodes_are_found_by_their_key_whatever_their_number(tmp_path: Path) -> None:
    engine = database.open_engine(f"sqlite:///{tmp_path}/ledger.db", read_only=False)
    asked: list[tuple[str, tuple[object, ...]]] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    ledger = Store(engine, LOG)
    with closing(ledger), ledger.reading() as tables:
        tables.nodes([(0, 1), (0, 5), (3, 0)])
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        plans = [connection.execute(f"EXPLAIN QUERY PLAN {one}", how).fetchall() for one, how in asked[-2:]]
    assert ["(log=? AND level=? AND position=?)" in plan[0][-1] for plan in plans] == [True, True]


def test_a_block_that_fails_leaves_nothing(desk: Desk) -> None:
    with closing(opened_at(desk)) as ledger:
        with pytest.raises(ZeroDivisionError), ledger.writing() as tables:
            tables.add([(0, b"a")], [Node(0, 0, b"h")], note="n")
            raise ZeroDivisionError
        with ledger.reading() as tables:
            assert tables.size() == 0


def test_a_reader_sees_one_moment(desk: Desk) -> None:
    with closing(opened_at(desk)) as ledger, closing(opened_at(desk)) as other:
        with ledger.reading() as tables:
            assert tables.size() == 0
            with other.writing() as changed:
                changed.add([(0, b"a")], [Node(0, 0, b"h")], note="n")
            assert tables.size() == 0
        with ledger.reading() as tables:
            assert tables.size() == 1


@pytest.mark.parametrize("statement", ["UPDATE entries SET leaf = x'00'", "DELETE FROM entries"])
def test_the_tripwires_refuse_to_change_entries(tmp_path: Path, statement: str) -> None:
    with opened(tmp_path).writing() as tables:
        tables.add([(0, b"a")], [Node(0, 0, b"h")], note="n")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
        connection.execute("DROP TRIGGER entries_refuse_update")
        connection.execute("DROP TRIGGER entries_refuse_delete")
        connection.execute(statement)
        connection.commit()
    assert opened(tmp_path, read_only=True).schema_changes() == (
        "the schema of the database was changed: entries_refuse_delete",
        "the schema of the database was changed: entries_refuse_update",
    )


def test_tables_are_strict(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO entries VALUES ('log', 'one', x'00')")


def test_a_read_only_store_makes_and_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger"):
        opened(tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "ledger.db").touch()
    with pytest.raises(LedgerError, match="schema revision none"):
        opened(tmp_path, read_only=True)
    opened(tmp_path).close()
    with pytest.raises(LedgerError, match="readonly"), opened(tmp_path, read_only=True).writing():
        pass


def test_a_newer_and_a_foreign_database_are_refused(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    for read_only in (True, False):
        with pytest.raises(LedgerError, match="9999"):
            opened(tmp_path, read_only=read_only)
    (tmp_path / "ledger.db").write_bytes(b"no database at all, but some text" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        opened(tmp_path)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "nosuch://host/db", "mysql://host/db", "oracle://host"]
)
def test_a_url_that_names_no_database_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="PROVISIONER_DATABASE_URL"):
        open_store(url, LOG, read_only=False)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_ledger_of_another_user_is_refused_and_names_him(
    tmp_path: Path, other_user: Callable[[], AbstractContextManager[None]], read_only: bool
) -> None:
    opened(tmp_path).close()
    tmp_path.chmod(0o700)
    with other_user(), pytest.raises(LedgerError, match="cannot be opened: Permission denied") as caught:
        opened(tmp_path, read_only=read_only)
    assert "belongs to root" in caught.value.hint and caught.value.exit_code == 7


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("22 1 0:40 / / rw - nfs4 files:/ rw\n")
    monkeypatch.setattr(place, "MOUNTS", mounts)
    with pytest.raises(LedgerError, match="network file system"):
        opened(tmp_path / "state")


def test_a_writer_that_waits_too_long_says_so_and_may_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0)
    monkeypatch.setattr(sqlite, "WRITING", {**sqlite.WRITING, "busy_timeout": 0})
    one, other = opened(tmp_path), opened(tmp_path)
    with one.writing(), pytest.raises(LedgerError, match="locked") as caught, other.writing():
        pass
    assert "another command is writing" in caught.value.hint
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 30)  # who gave up may hold the line for a moment yet
    with other.writing() as tables:
        assert tables.size() == 0


def test_a_writer_who_gave_up_waiting_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = opened(tmp_path), opened(tmp_path)
    with one.writing():
        monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
        with pytest.raises(LedgerError, match="locked"), other.writing():
            pass
    with other.writing() as tables:
        assert tables.size() == 0


def _refusing(error: OSError, *, when: int) -> Callable[[int, int], None]:
    """Return an flock that somebody else is before us at, and that the kernel refuses at the call `when`."""
    calls = iter(range(9))

    def flock(_descriptor: int, _how: int) -> None:
        if next(calls) == when:
            raise error
        raise BlockingIOError

    return flock


@pytest.mark.parametrize("when", [0, 1], ids=["at once", "while waiting"])
def test_a_line_that_cannot_be_joined_stops_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    with closing(opened(tmp_path)) as ledger:
        monkeypatch.setattr("fcntl.flock", _refusing(OSError(errno.ENOLCK, "No locks available"), when=when))
        with pytest.raises(LedgerError, match="No locks available") as raised, ledger.writing():
            pytest.fail("it writes without the lock")
        assert str(tmp_path) in str(raised.value) and raised.value.hint
        monkeypatch.undo()
        with ledger.writing() as tables:
            assert tables.size() == 0


def test_a_folder_that_cannot_be_opened_stops_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, _flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with closing(opened(tmp_path)) as ledger, monkeypatch.context() as patched:
        patched.setattr("os.open", refuse)
        with pytest.raises(LedgerError, match="Permission denied") as raised, ledger.writing():
            pytest.fail("it writes without the lock")
        assert str(tmp_path) in str(raised.value) and raised.value.hint


def test_a_failed_write_is_never_tried_again(desk: Desk) -> None:
    with closing(opened_at(desk)) as ledger:
        with pytest.raises(LedgerError, match=r"UNIQUE|unique"), ledger.writing() as tables:
            tables.add([(0, b"a"), (0, b"b")], [Node(0, 0, b"h")], note="n")
        with pytest.raises(LedgerError, match="stopped at a failed write"), ledger.writing():
            pass
    with closing(opened_at(desk)) as ledger, ledger.writing() as tables:
        assert tables.size() == 0

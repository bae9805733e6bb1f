"""What is PostgreSQL's own: how the server is reached, what is asked of it, and what happens when it goes away."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.postgresql import ENDED, PASSWORD, USER

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import postgresql as backend
from provisioner.ledger.merkle import Node
from provisioner.ledger.store import Store, Transaction, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from tests.postgresql import Server

LOG = "provisioner/demo"


@pytest.fixture
def name(postgresql: Server) -> Iterator[str]:
    name = postgresql.create()
    yield name
    postgresql.drop(name)


@pytest.fixture
def url(postgresql: Server, name: str) -> str:
    return postgresql.url(name)


def opened(url: str, *, read_only: bool = False) -> Store:
    return open_store(url, LOG, read_only=read_only)


def add(tables: Transaction) -> int:
    """Append an entry after the last and return its index."""
    index = tables.size()
    tables.add([(index, b"leaf")], [Node(0, index, b"hash")], note=str(index))
    return index


def size(url: str) -> int:
    with closing(opened(url)) as store, store.reading() as tables:
        return tables.size()


OPENER = "import sys; from provisioner.ledger.store import open_store; open_store(sys.argv[1], 'x', read_only=False)"
QUEUED = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"


def test_two_processes_that_find_no_tables_make_them_once(postgresql: Server, url: str, name: str) -> None:
    with postgresql.connect(name) as connection:
        connection.execute(f"SELECT pg_advisory_lock({backend.LOCK})".encode())
        command = [sys.executable, "-c", OPENER, url]
        opening = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        awaited(connection, QUEUED, name, wanted=2)
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in opening] == [("", 0)] * 2
    assert size(url) == 0


def test_an_auditor_is_held_to_reading_by_the_server(url: str) -> None:
    with pytest.raises(LedgerError, match="schema revision none"):
        opened(url, read_only=True)
    opened(url).close()
    with closing(opened(url, read_only=True)) as store:
        with pytest.raises(LedgerError, match="cannot execute INSERT in a read-only"), store.writing() as tables:
            add(tables)
        with store.reading() as tables:
            assert tables.size() == 0


def test_options_of_the_url_are_kept(postgresql: Server, name: str) -> None:
    with postgresql.connect(name) as connection:
        connection.execute("CREATE SCHEMA ledger")
    with closing(opened(postgresql.url(name, "options=-csearch_path%3Dledger"))) as store:
        assert store.schema_changes() == ()
    with postgresql.connect(name) as connection:
        assert connection.execute("SELECT count(*) FROM ledger.entries").fetchone() == (0,)


def awaited(connection: psycopg.Connection[Any], query: str, parameter: str, *, wanted: object) -> None:
    """Ask until the answer is the one that is wanted; fails after a minute."""
    deadline = time.monotonic() + 60
    while (found := connection.execute(query.encode(), (parameter,)).fetchone()) != (wanted,):
        assert time.monotonic() < deadline, found


@contextmanager
def configured(postgresql: Server, setting: str, value: str) -> Iterator[None]:
    """The server with another setting."""
    with postgresql.connect() as connection:

        def apply(statement: str, wanted: str) -> None:
            connection.execute(statement.encode())
            connection.execute("SELECT pg_reload_conf()")
            awaited(connection, "SELECT current_setting(%s)", setting, wanted=wanted)

        before = str((connection.execute("SELECT current_setting(%s)", (setting,)).fetchone() or ("",))[0])
        apply(f"ALTER SYSTEM SET {setting} = {value}", value)
        try:
            yield
        finally:
            apply(f"ALTER SYSTEM RESET {setting}", before)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_could_lose_entries_is_refused(postgresql: Server, url: str, setting: str) -> None:
    opened(url).close()
    with configured(postgresql, setting, "off"):
        with pytest.raises(LedgerError, match=f"{setting}=off, not on") as caught:
            opened(url)
        assert caught.value.exit_code == 7 and setting in caught.value.hint
        opened(url, read_only=True).close()
    opened(url).close()


def test_commits_wait_for_the_disk_whatever_the_server_has_for_a_default(
    postgresql: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with configured(postgresql, "synchronous_commit", "off"):
        opened(url).close()
        monkeypatch.setattr(backend, "ASKED", ())
        with pytest.raises(LedgerError, match="synchronous_commit=off"):
            opened(url)


def test_a_password_is_used_and_never_shown(postgresql: Server, name: str) -> None:
    opened(postgresql.tcp_url(name)).close()
    for url in (
        postgresql.tcp_url(name, password="s3cret/wrong"),
        postgresql.tcp_url("nosuch"),
        postgresql.tcp_url(name).replace("127.0.0.1", "nosuch.invalid"),
        postgresql.tcp_url(name).replace(str(postgresql.port), "1"),
    ):
        with pytest.raises(LedgerError) as caught:
            opened(url)
        assert "PROVISIONER_DATABASE_URL" in caught.value.hint
        assert "\n" not in str(caught.value) and "s3cret" not in f"{caught.value} {caught.value.hint}"
    assert "s3cret" in PASSWORD


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://provisioner@server/ledger", "driver postgresql is not served"),
        ("postgresql+asyncpg://provisioner@server/ledger", "driver postgresql.asyncpg is not served"),
        ("postgresql+psycopg://provisioner:s3cret@word@server/ledger", "more than one @"),
        ("postgresql+psycopg://provisioner:s3cret@server:port/ledger", "is not the URL of a database"),
    ],
)
def test_a_url_that_cannot_be_meant_is_a_usage_error(url: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        opened(url)
    assert "postgresql+psycopg://" in caught.value.hint or "%40" in caught.value.hint
    assert "s3cret" not in f"{caught.value} {caught.value.hint}" and "word" not in str(caught.value)


def test_a_server_that_goes_away_under_a_write_leaves_nothing_and_is_not_tried_again(
    postgresql: Server, url: str, name: str
) -> None:
    with closing(opened(url)) as store:
        with pytest.raises(LedgerError) as caught, store.writing() as tables:
            add(tables)
            disconnect(postgresql, name)
        assert caught.value.exit_code == 7 and "says what is recorded" in caught.value.hint
        with pytest.raises(LedgerError, match="stopped at a failed write"), store.writing():
            pass
    assert size(url) == 0


def test_a_server_that_was_away_between_two_writes_is_found_again(postgresql: Server, url: str, name: str) -> None:
    with closing(opened(url)) as store:
        for _ in range(2):
            with store.writing() as tables:
                add(tables)
            disconnect(postgresql, name)
    assert size(url) == 2


def disconnect(postgresql: Server, name: str) -> None:
    """End every session of the database and wait until they are gone."""
    with postgresql.connect() as connection:
        connection.execute(ENDED, (name,))


def test_a_writer_that_waits_too_long_says_so_and_may_try_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "ASKED", ("-c lock_timeout=50ms",))
    with closing(opened(url)) as one, closing(opened(url)) as other:
        with one.writing(), pytest.raises(LedgerError, match="lock timeout") as caught, other.writing():
            pass
        assert "another command is writing" in caught.value.hint
        with other.writing() as tables:
            assert tables.size() == 0


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_a_writer_that_queued_sees_what_the_one_before_it_wrote(
    postgresql: Server, url: str, name: str, isolation: str
) -> None:
    with postgresql.connect(name) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'".encode())
    written: list[int] = []

    def write() -> None:
        with closing(opened(url)) as other, other.writing() as tables:
            written.append(add(tables))

    with closing(opened(url)) as store:
        queued = threading.Thread(target=write)
        with store.writing() as tables, postgresql.connect() as watch:
            queued.start()
            awaited(watch, QUEUED, name, wanted=1)
            written.append(add(tables))
        queued.join(timeout=30)
    assert written == [0, 1]


CHANGES = {
    "ALTER TABLE entries DISABLE TRIGGER entries_refuse": "entries_refuse",
    "DROP TRIGGER entries_refuse ON entries": "entries_refuse",
    "CREATE OR REPLACE FUNCTION entries_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'": (
        "entries_refuse"
    ),
    "CREATE TRIGGER other BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION entries_refuse()": "other",
    "CREATE RULE other AS ON INSERT TO entries DO INSTEAD NOTHING": "other",
    "ALTER TABLE entries ADD COLUMN other TEXT": "entries",
    'ALTER TABLE entries ALTER COLUMN "index" TYPE NUMERIC': "entries",
    "ALTER TABLE entries DROP CONSTRAINT entries_pkey": "entries",
    "ALTER TABLE entries SET UNLOGGED": "entries",
    "ALTER TABLE entries ENABLE ROW LEVEL SECURITY": "entries",
    "DROP INDEX details_by_field": "details_by_field",
    "ALTER TABLE details RENAME TO other": "details",
}


@pytest.mark.parametrize("statement", CHANGES)
def test_a_changed_schema_is_named(postgresql: Server, url: str, name: str, statement: str) -> None:
    opened(url).close()
    with postgresql.connect(name) as connection:
        connection.execute("CREATE TABLE of_others (id INTEGER)")
        with closing(opened(url, read_only=True)) as store:
            assert store.schema_changes() == (), "the control: tables of others are not ours to judge"
        connection.execute(statement.encode())
    with closing(opened(url, read_only=True)) as store:
        assert f"the schema of the database was changed: {CHANGES[statement]}" in store.schema_changes()


@pytest.mark.parametrize("statement", ["UPDATE entries SET leaf = ''", "DELETE FROM entries", "TRUNCATE entries"])
def test_the_tripwires_refuse_to_change_entries(postgresql: Server, url: str, name: str, statement: str) -> None:
    with closing(opened(url)) as store, store.writing() as tables:
        add(tables)
    with postgresql.connect(name) as connection, pytest.raises(Exception, match="append-only"):
        connection.execute(statement.encode())
    assert size(url) == 1


GRANTS = """
CREATE ROLE technician LOGIN;
GRANT SELECT, INSERT ON entries TO technician;
GRANT SELECT, INSERT, DELETE ON nodes, pending, details TO technician;
GRANT SELECT ON alembic_version TO technician;
CREATE ROLE auditor LOGIN;
GRANT SELECT ON entries, nodes, pending, details, alembic_version TO auditor
"""


def test_a_role_that_does_not_own_the_tables_appends_and_changes_nothing(
    postgresql: Server, url: str, name: str
) -> None:
    opened(url).close()
    with postgresql.connect(name) as connection:
        connection.execute(GRANTS.encode())
        try:
            for _ in range(2):
                with closing(opened(url.replace(f"{USER}@", "technician@"))) as store, store.writing() as tables:
                    add(tables)
            with closing(opened(url.replace(f"{USER}@", "auditor@"), read_only=True)) as store:
                assert store.schema_changes() == ()
                with store.reading() as tables:
                    assert tables.size() == 2
            store = opened(url.replace(f"{USER}@", "technician@"))
            with closing(store), pytest.raises(LedgerError, match="only the owner"):
                store.wipe()
            for refused in ("DROP TRIGGER entries_refuse ON entries", "DELETE FROM entries", "TRUNCATE entries"):
                with pytest.raises(Exception, match=r"must be owner|permission denied"):
                    connection.execute(f"SET ROLE technician; {refused}".encode())
                connection.execute("RESET ROLE")
        finally:
            connection.execute("DROP OWNED BY technician, auditor")
            connection.execute("DROP ROLE technician, auditor")

"""A SQLite file as the ledger's database: asked for durability, and then asked whether it agreed."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import sqlalchemy as sa

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUSY_SECONDS = 30
"""How long a writer queues behind another before it gives up."""

WIPE_SECONDS = 5
"""How long a wipe waits for those who read."""

READING: Mapping[str, str | int] = {
    "busy_timeout": BUSY_SECONDS * 1000,
    "trusted_schema": 0,
    "cell_size_check": 1,
    "query_only": 1,
}
"""What a reading connection is set to, and must answer: the file may be hostile, and is not ours to change."""

WRITING: Mapping[str, str | int] = {
    **READING,
    "query_only": 0,
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "secure_delete": 1,
}
"""What a writing connection is set to, and must answer; synchronous 2 is FULL."""

SCHEMA: Mapping[str, str] = {
    "details": "4036e27bafbdd827",
    "details_by_field": "02e1d1b4e26264ef",
    "entries": "87ab86c8c122103b",
    "entries_refuse_delete": "622679c8e14234a7",
    "entries_refuse_update": "adf4601ff7b5c21f",
    "nodes": "df4387e277e91a5b",
    "pending": "17fe1db96cea4f99",
}
"""What the file holds at the newest revision: the name of each table, index and trigger, and a digest of its SQL."""


def open_engine(url: sa.URL, *, read_only: bool) -> sa.Engine:
    """Given `sqlite:////absolute/path`, return its engine; the file (0600) is made unless `read_only`.

    Raises UsageError for a URL that names no file, LedgerError for one that is missing, on a network file system, or
    in the way of somebody else.
    """
    if not url.database or url.database == ":memory:":
        raise UsageError("PROVISIONER_DATABASE_URL: a SQLite ledger needs a file: sqlite:////absolute/path")
    path = Path(url.database).resolve()
    if read_only and not place.is_there(path):
        raise LedgerError(f"{path}: there is no ledger")
    if not read_only:
        place.refuse_network(path.parent, mounts=place.MOUNTS.read_text(encoding="utf-8"))
        place.prepare_file(path)
    mode = ("ro&immutable=1" if _frozen(path) else "ro") if read_only else "rw"
    file = f"file:{quote(str(path))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(file, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    pragmas = READING if read_only else WRITING
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), creator=connect, poolclass=sa.QueuePool)

    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        set_pragmas(connection, pragmas)
        if not read_only:
            _settle(connection, path)

    sa.event.listen(engine, "connect", prepare)
    return engine


def _settle(connection: sqlite3.Connection, path: Path) -> None:
    """Put what a dead writer left in the write-ahead log into the database, and the log's name on the disk.

    A sync that failed may have left there what reads well and never reached the disk: nothing is appended behind it.
    SQLite syncs the name itself, but goes on when that fails.
    """
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    place.keep_names(path.parent)


@contextmanager
def queue(engine: sa.Engine) -> Iterator[None]:
    """Stand in the line of writers; raises LedgerError for one who stood there for BUSY_SECONDS, or cannot join it.

    SQLite's own waiting is a nap and another look: whoever writes without a pause starves those who nap. The line is
    the kernel's, for the folder of the file: a lock on the file itself would take SQLite's from it when it is closed.
    """
    folder = Path(str(engine.url.database)).parent
    with _joining(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with _joining(folder):
            stood = _stood_in_line(descriptor)
        if not stood:
            raise LedgerError("the ledger's database is locked", hint="another command is writing; try again")
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _joining(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "a writer must be able to read this folder, and to lock it (flock); see that both work, and try again"
        raise LedgerError(f"{folder}: writers cannot stand in line here: {error.strerror}", hint=hint) from error


def _stood_in_line(descriptor: int) -> bool:
    """Whether the lock was had in time; what is had later goes with the last of the two descriptors.

    Raises OSError where the kernel gives no lock.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        refused = list[OSError]()
        waiting = threading.Thread(target=_stand, args=(os.dup(descriptor), refused), daemon=True)
        waiting.start()
        waiting.join(BUSY_SECONDS)
        if refused:
            raise refused[0] from None
        return not waiting.is_alive()
    return True


def _stand(descriptor: int, refused: list[OSError]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        refused.append(error)
    finally:
        os.close(descriptor)


def begin(connection: sa.Connection, *, writes: bool) -> None:
    """Begin a transaction; one that writes holds the one write lock."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def schema_changes(connection: sa.Connection) -> list[str]:
    """Return the names of the tables, indexes and triggers that are not as the migrations made them."""
    ours = "sql IS NOT NULL AND NOT (type = 'table' AND name = 'alembic_version')"
    query = sa.text(f"SELECT name, sql FROM sqlite_master WHERE {ours}")
    found = {str(name): sha256(str(sql).encode()).hexdigest()[:16] for name, sql in connection.execute(query)}
    return sorted(name for name in found.keys() | SCHEMA.keys() if found.get(name) != SCHEMA.get(name))


def set_pragmas(connection: sqlite3.Connection, pragmas: Mapping[str, str | int]) -> None:
    """Set the pragmas on a connection and raise LedgerError unless it answers with each of them."""
    for name, value in pragmas.items():
        if connection.execute(f"PRAGMA {name}").fetchone() != (value,):
            connection.execute(f"PRAGMA {name}={value}").fetchall()
    check_pragmas(connection, pragmas)


def check_pragmas(connection: sqlite3.Connection, pragmas: Mapping[str, str | int]) -> None:
    """Raise LedgerError, naming the first of the pragmas that the connection does not have."""
    for name, value in pragmas.items():
        found = connection.execute(f"PRAGMA {name}").fetchone()[0]
        if found != value:
            raise LedgerError(f"SQLite refuses {name}={value} (it says {found}): entries would not be durable")


def wipe(connection: sqlite3.Connection) -> None:
    """Write the file anew without its free pages, and empty the write-ahead log; raises LedgerError if one reads it."""
    connection.execute(f"PRAGMA busy_timeout={WIPE_SECONDS * 1000}")
    connection.execute("VACUUM")
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise LedgerError("another program is reading the ledger's database")


def _frozen(path: Path) -> bool:
    """Whether nobody can be writing: a read-only medium without a write-ahead log, which SQLite must be told of."""
    log = path.with_name(path.name + "-wal")
    return not os.access(path.parent, os.W_OK) and not (log.exists() and log.stat().st_size)

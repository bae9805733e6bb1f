"""The database itself: opening it, the durability it must promise, its schema, its errors in our words.

The one home of Alembic; with `store`, that of SQLAlchemy. A database is asked for durability and then asked whether
it agreed.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import exc

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REVISION = "0001"
"""The newest revision in `migrations/versions`: a test holds it there."""

BUSY_SECONDS = 30
"""How long a writer queues behind another before it gives up."""

SERVER_LOCK = int.from_bytes(b"ledger")
"""The advisory lock that writers and migrations of one PostgreSQL database queue for."""

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
"""What a SQLite file holds at REVISION: the name of each table, index and trigger, and a digest of its SQL."""


class StoreError(LedgerError):
    """The ledger's database could not read or write."""


def open_engine(url: str, *, read_only: bool) -> sa.Engine:
    """Open the database at `url` (`sqlite:////absolute/path`, or another SQLAlchemy URL), made and migrated if need be.

    Raises UsageError for a URL that names no database file or server, LedgerError for a database that is missing
    (read only), from a newer version, on a network file system, or without the durability that was asked for.
    """
    try:
        parsed = sa.make_url(url)
        sqlite = parsed.get_backend_name() == "sqlite"
        engine = _sqlite(parsed, read_only=read_only) if sqlite else sa.create_engine(parsed)
    except (exc.ArgumentError, exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(f"PROVISIONER_DATABASE_URL: {error}") from error
    try:
        with reported():
            _check_revision(engine, read_only=read_only)
    except LedgerError:
        engine.dispose()
        raise
    return engine


def _sqlite(url: sa.URL, *, read_only: bool) -> sa.Engine:
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
    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.QueuePool)
    sa.event.listen(engine, "connect", lambda connection, _record: set_pragmas(connection, pragmas))
    sa.event.listen(engine, "begin", _begin)
    return engine


def _frozen(path: Path) -> bool:
    """Whether nobody can be writing: a read-only medium without a write-ahead log, which SQLite must be told of."""
    log = path.with_name(path.name + "-wal")
    return not os.access(path.parent, os.W_OK) and not (log.exists() and log.stat().st_size)


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("provisioner_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def schema_changes(engine: sa.Engine) -> tuple[str, ...]:
    """Say what in a SQLite file differs from the schema that the migrations made; nothing on a database server."""
    if engine.dialect.name != "sqlite":
        return ()
    query = sa.text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'")
    with reported(), engine.connect() as connection:
        found = {str(name): sha256(str(sql).encode()).hexdigest()[:16] for name, sql in connection.execute(query)}
    differing = sorted(name for name in found.keys() | SCHEMA.keys() if found.get(name) != SCHEMA.get(name))
    return tuple(f"the schema of the database was changed: {name}" for name in differing)


@contextmanager
def write(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Hold the one write lock of the database for a transaction, durable when the block is left."""
    with engine.connect().execution_options(provisioner_writes=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": SERVER_LOCK})
        yield connection


@contextmanager
def reported() -> Iterator[None]:
    """Turn the errors of the database into ours; only a lock that others hold is worth another try."""
    try:
        yield
    except (exc.DBAPIError, sqlite3.Error) as error:
        cause = str(getattr(error, "orig", error))
        if "locked" in cause:
            raise LedgerError(
                f"the ledger's database: {cause}", hint="another command is writing; try again"
            ) from error
        raise StoreError(f"the ledger's database: {cause}", hint="audit.verify says what is recorded") from error


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


def _check_revision(engine: sa.Engine, *, read_only: bool) -> None:
    with engine.connect() as connection:
        found = _revision(connection)
    if found == REVISION:
        return
    if read_only:
        raise LedgerError(f"the database has schema revision {found or 'none'}; this program reads {REVISION}")
    with write(engine) as connection:
        if _revision(connection) != REVISION:
            _upgrade(connection)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if version is None else str(version)


def _upgrade(connection: sa.Connection) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    script = ScriptDirectory(str(Path(__file__).with_name("migrations")))

    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs("head", revision)

    context = MigrationContext.configure(connection, opts={"fn": steps})
    try:
        with Operations.context(context):
            context.run_migrations()
    except CommandError as error:
        raise LedgerError(f"the database was written by a newer provisioner: {error}") from error

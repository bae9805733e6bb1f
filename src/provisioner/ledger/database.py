"""The database that a URL names: opening it, its transactions, its revision, and its errors in our words.

The one home of Alembic. What SQLite and PostgreSQL do each in their way is in `sqlite` and `postgresql`.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa
from sqlalchemy import exc

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

REVISION = "0001"
"""The newest revision in `migrations/versions`: a test holds it there."""

RECORDED = "audit.verify says what is recorded"


class StoreError(LedgerError):
    """The ledger's database could not read or write."""


class Backend(Protocol):
    """What a kind of database does in a way of its own."""

    def open_engine(self, url: sa.URL, *, read_only: bool) -> sa.Engine:
        """Return an engine that is durable, or raise."""

    def queue(self, engine: sa.Engine) -> AbstractContextManager[None]:
        """Wait for one's turn to write, as long as the block lasts."""

    def begin(self, connection: sa.Connection, *, writes: bool) -> None:
        """Begin a transaction, with the one write lock if it `writes`."""

    def schema_changes(self, connection: sa.Connection) -> list[str]:
        """Return the names of what is not as the migrations made it."""

    def wipe(self, connection: Any) -> None:
        """Given a connection of the driver, outside any transaction, leave no byte of removed rows, or raise."""


BACKENDS: Mapping[str, Backend] = {"sqlite": sqlite, "postgresql": postgresql}


def open_engine(url: str, *, read_only: bool) -> sa.Engine:
    """Open the database at `url`, made and migrated if need be.

    `sqlite:////absolute/path` or `postgresql+psycopg://user@server/database`. Raises UsageError for a URL that names
    neither, LedgerError for a database that is missing (read only) or cannot be reached, from a newer version, on a
    network file system, or without the durability that was asked for. No error shows a password of the URL.
    """
    parsed = _parse(url)
    backend = BACKENDS.get(parsed.get_backend_name())
    if backend is None:
        raise UsageError(f"PROVISIONER_DATABASE_URL: {parsed.drivername} is not served", hint=_FORMS)
    with reported(
        hint=RECORDED if backend is sqlite else "see that the server named in PROVISIONER_DATABASE_URL answers"
    ):
        engine = backend.open_engine(parsed, read_only=read_only)
        sa.event.listen(engine, "begin", lambda connection: backend.begin(connection, writes=_writes(connection)))
        try:
            _check_revision(engine, read_only=read_only)
        except Exception:
            engine.dispose()
            raise
    return engine


_FORMS = "write sqlite:////absolute/path or postgresql+psycopg://user@server/database, with %40 for an @ in a name"


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
        parsed.get_dialect()
    except (exc.ArgumentError, ValueError):
        raise UsageError("PROVISIONER_DATABASE_URL is not the URL of a database", hint=_FORMS) from None
    except (exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(f"PROVISIONER_DATABASE_URL: {error}", hint=_FORMS) from error
    return parsed


def schema_changes(engine: sa.Engine) -> tuple[str, ...]:
    """Say what in the database differs from the schema that the migrations made."""
    with reported(), engine.connect() as connection, connection.begin():
        differing = BACKENDS[engine.dialect.name].schema_changes(connection)
    return tuple(f"the schema of the database was changed: {name}" for name in differing)


def wipe(engine: sa.Engine) -> None:
    """Leave no byte of removed rows in the database's own files; raises LedgerError where others still need them."""
    connection = engine.raw_connection()
    connection.detach()
    try:
        BACKENDS[engine.dialect.name].wipe(connection.dbapi_connection)
    finally:
        connection.close()


@contextmanager
def write(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Hold the one write lock of the database for a transaction, durable when the block is left."""
    with (
        BACKENDS[engine.dialect.name].queue(engine),
        engine.connect().execution_options(provisioner_writes=True) as connection,
        connection.begin(),
    ):
        yield connection


def _writes(connection: sa.Connection) -> bool:
    return bool(connection.get_execution_options().get("provisioner_writes"))


@contextmanager
def reported(*, hint: str = RECORDED) -> Iterator[None]:
    """Turn the errors of the database into ours; only a lock that others hold is worth another try."""
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError, sqlite3.Error) as error:
        original = getattr(error, "orig", error)
        cause = f"the ledger's database: {' '.join(str(original).split())}"
        if "locked" in cause or getattr(original, "sqlstate", None) == "55P03":
            raise LedgerError(cause, hint="another command is writing; try again") from error
        raise StoreError(cause, hint=hint) from error


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

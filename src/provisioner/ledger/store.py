"""The tables of the ledger: the one home of SQLAlchemy and Alembic.

Given bytes, it keeps bytes: nothing here knows what an entry says. SQLite is asked for durability and then asked
whether it agreed; a write that failed is never tried again.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import exc

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provisioner.ledger.merkle import Node

REVISION = "0001"
"""The newest revision in `migrations/versions`: a test holds it there."""

BUSY_SECONDS = 30
"""How long a writer queues behind another before it gives up."""

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

PAGE = 1000

ENTRIES = sa.table("entries", sa.column("log"), sa.column("index"), sa.column("leaf"))
NODES = sa.table("nodes", sa.column("log"), sa.column("level"), sa.column("position"), sa.column("hash"))
PENDING = sa.table("pending", sa.column("log"), sa.column("note"))
DETAILS = sa.table(
    "details", sa.column("log"), sa.column("reference"), sa.column("field"), sa.column("salt"), sa.column("value")
)


class StoreError(LedgerError):
    """The ledger's database could not read or write."""


class Detail(NamedTuple):
    """A row of `details`: what `reference` stands for; `field` says which kind of value it is."""

    reference: str
    field: str
    salt: bytes
    value: bytes


class Transaction:
    """What can be done to one log inside one transaction."""

    def __init__(self, connection: sa.Connection, log: str) -> None:
        self._connection = connection
        self._log = log

    def size(self) -> int:
        """Return one more than the highest index, without counting."""
        highest = self._connection.scalar(sa.select(sa.func.max(ENTRIES.c.index)).where(ENTRIES.c.log == self._log))
        if highest is not None and not isinstance(highest, int):
            raise LedgerError(f"the index {highest!r} in table entries is not a number")
        return 0 if highest is None else highest + 1

    def leaves(
        self, start: int | None = None, stop: int | None = None, *, newest: bool = False
    ) -> Iterator[tuple[object, object]]:
        """Yield (index, leaf) as stored, in order or the `newest` first: nothing about them is trusted."""
        order = ENTRIES.c.index.desc() if newest else ENTRIES.c.index
        query = sa.select(ENTRIES.c.index, ENTRIES.c.leaf).where(ENTRIES.c.log == self._log).order_by(order)
        if start is not None:
            query = query.where(ENTRIES.c.index >= start)
        if stop is not None:
            query = query.where(ENTRIES.c.index < stop)
        for row in self._connection.execute(query, execution_options={"yield_per": PAGE}):
            yield row[0], row[1]

    def logs(self) -> list[str]:
        """Return the names of all logs of the database, as stored."""
        query = sa.select(ENTRIES.c.log).distinct().order_by(ENTRIES.c.log)
        return [str(name) for name in self._connection.scalars(query)]

    def nodes(self, names: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """Return the cached hashes of the nodes (level, position) that there are."""
        wanted = [sa.and_(NODES.c.level == level, NODES.c.position == position) for level, position in names]
        query = sa.select(NODES.c.level, NODES.c.position, NODES.c.hash)
        rows = self._connection.execute(query.where(NODES.c.log == self._log, sa.or_(sa.false(), *wanted)))
        return {(level, position): digest for level, position, digest in rows}

    def leaf_hashes(self, start: int, stop: int) -> list[object]:
        """Return the cached leaf hashes of [start, stop), as stored."""
        query = sa.select(NODES.c.hash).where(NODES.c.log == self._log, NODES.c.level == 0)
        query = query.where(NODES.c.position >= start, NODES.c.position < stop).order_by(NODES.c.position)
        return list(self._connection.scalars(query))

    def pending(self) -> str | None:
        """Return the note that covers what was appended last."""
        note = self._connection.scalar(sa.select(PENDING.c.note).where(PENDING.c.log == self._log))
        return None if note is None else str(note)

    def detail(self, reference: str) -> Detail | None:
        """Return what a reference stands for, None if it is not (or no longer) kept."""
        return next(self.details(DETAILS.c.reference == reference), None)

    def details(self, *conditions: sa.ColumnElement[bool]) -> Iterator[Detail]:
        """Yield the rows of `details` that meet the conditions."""
        columns = (DETAILS.c.reference, DETAILS.c.field, DETAILS.c.salt, DETAILS.c.value)
        query = sa.select(*columns).where(DETAILS.c.log == self._log, *conditions).order_by(DETAILS.c.reference)
        for row in self._connection.execute(query):
            yield Detail(*row)

    def add(self, leaves: Sequence[tuple[int, bytes]], nodes: Sequence[Node], *, note: str) -> None:
        """Append entries, the nodes that they completed, and the note that covers the whole."""
        rows = [{"log": self._log, "index": index, "leaf": leaf} for index, leaf in leaves]
        self._connection.execute(ENTRIES.insert(), rows)
        self.add_nodes(nodes)
        self._connection.execute(PENDING.delete().where(PENDING.c.log == self._log))
        self._connection.execute(PENDING.insert(), [{"log": self._log, "note": note}])

    def add_nodes(self, nodes: Sequence[Node]) -> None:
        """Keep nodes that are not there yet."""
        self._connection.execute(NODES.insert(), [{"log": self._log, **node._asdict()} for node in nodes])

    def forget_nodes(self) -> None:
        """Drop the cache, to fill it anew from the leaves."""
        self._connection.execute(NODES.delete().where(NODES.c.log == self._log))

    def keep(self, detail: Detail) -> None:
        """Add a row to `details`."""
        self._connection.execute(DETAILS.insert(), [{"log": self._log, **detail._asdict()}])


class Store:
    """An open database, seen by one log."""

    def __init__(self, engine: sa.Engine, log: str) -> None:
        self._engine = engine
        self._log = log
        self._failed = False

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Hold the one write lock; what was done is durable when the block is left, or not done at all.

        Raises LedgerError when the lock cannot be had in time, or when the database could not write: then this store
        refuses every later write, because a sync that failed once cannot be trusted to have told the truth later.
        """
        if self._failed:
            raise LedgerError("the ledger stopped at a failed write", hint="mend the disk, then start the command anew")
        try:
            with _reported(), _write(self._engine) as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(sa.text("LOCK TABLE entries IN SHARE ROW EXCLUSIVE MODE"))
                yield Transaction(connection, self._log)
        except StoreError:
            self._failed = True
            raise

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """See one moment of the database, without locking anybody out."""
        with _reported(), self._engine.connect() as connection, connection.begin():
            yield Transaction(connection, self._log)

    def schema_changes(self) -> tuple[str, ...]:
        """Say what in a SQLite file differs from the schema that the migrations made; nothing on a database server."""
        if self._engine.dialect.name != "sqlite":
            return ()
        query = sa.text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'")
        with _reported(), self._engine.connect() as connection:
            found = {str(name): sha256(str(sql).encode()).hexdigest()[:16] for name, sql in connection.execute(query)}
        differing = sorted(name for name in found.keys() | SCHEMA.keys() if found.get(name) != SCHEMA.get(name))
        return tuple(f"the schema of the database was changed: {name}" for name in differing)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def open_store(url: str, log: str, *, read_only: bool) -> Store:
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
        with _reported():
            _check_revision(engine, read_only=read_only)
    except LedgerError:
        engine.dispose()
        raise
    return Store(engine, log)


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


@contextmanager
def _write(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.connect().execution_options(provisioner_writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def _reported() -> Iterator[None]:
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
    with _write(engine) as connection:
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

"""A PostgreSQL server as the ledger's database: asked for durability, and then asked whether it agreed."""

from __future__ import annotations

import re
from contextlib import nullcontext
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from provisioner.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

LOCK = int.from_bytes(b"ledger")
"""The advisory lock that writers of one database, and those who make its tables, queue for."""

BUSY_SECONDS = 30
"""How long a writer queues behind another before it gives up."""

WIPE_SECONDS = 5
"""How long a wipe waits for those who read."""

CONNECTION: Mapping[str, str] = {
    "application_name": "provisioner",
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""How a connection is made, and when a server that is silent counts as gone (libpq); the URL may say otherwise."""

ASKED = ("-c synchronous_commit=on", f"-c lock_timeout={BUSY_SECONDS}s")

REQUIRED: Mapping[str, str] = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "server_encoding": "UTF8",
}
"""What a server must answer before anything is written to it."""

SCHEMA: Mapping[str, str] = {
    "details": "ff390152e95566b7",
    "details_by_field": "b89a0cd271d32bf0",
    "entries": "b83ea21a2061e256",
    "entries_refuse": "1431409408fc3400",
    "nodes": "4bd2680498379716",
    "pending": "3bac0ab518dcd89f",
}
"""What the database holds at the newest revision: our tables and what hangs on them, and a digest of each."""

DESCRIBED = """
WITH ours AS (
  SELECT oid, relname, relpersistence, relrowsecurity FROM pg_class
  WHERE relnamespace = current_schema()::regnamespace AND relname IN ('entries', 'nodes', 'pending', 'details'))
SELECT relname::text, concat_ws(' ', relpersistence, relrowsecurity,
  (SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), collname, attnotnull), ', '
     ORDER BY attnum) FROM pg_attribute LEFT JOIN pg_collation ON pg_collation.oid = attcollation
   WHERE attrelid = ours.oid AND attnum > 0 AND NOT attisdropped),
  (SELECT string_agg(pg_get_constraintdef(oid), ', ' ORDER BY conname) FROM pg_constraint
   WHERE conrelid = ours.oid AND contype IN ('p', 'u', 'c', 'f', 'x'))) FROM ours
UNION ALL SELECT tgname::text, concat_ws(' ', tgenabled, pg_get_triggerdef(pg_trigger.oid, true), prosrc)
  FROM ours JOIN pg_trigger ON tgrelid = ours.oid JOIN pg_proc ON pg_proc.oid = tgfoid WHERE NOT tgisinternal
UNION ALL SELECT rulename::text, pg_get_ruledef(pg_rewrite.oid, true) FROM ours JOIN pg_rewrite ON ev_class = ours.oid
UNION ALL SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid, 0, true)
  FROM ours JOIN pg_index ON indrelid = ours.oid WHERE NOT indisprimary
"""


def open_engine(url: sa.URL, *, read_only: bool) -> sa.Engine:
    """Given `postgresql+psycopg://user@server/database`, return its engine; a `read_only` one the server holds to it.

    Raises UsageError for a URL that cannot be meant, LedgerError for a server that would not keep what it is given.
    """
    if url.drivername != "postgresql+psycopg":
        raise UsageError(
            f"PROVISIONER_DATABASE_URL: the driver {url.drivername} is not served",
            hint="write postgresql+psycopg://user@server/database",
        )
    if "@" in (url.host or ""):
        raise UsageError("PROVISIONER_DATABASE_URL: more than one @ in it", hint="write %40 for an @ in a name")
    asked = (*ASKED, "-c default_transaction_read_only=on") if read_only else ASKED
    options = " ".join((str(url.query.get("options", "")), *asked)).strip()
    connection = {name: value for name, value in CONNECTION.items() if name not in url.query}
    try:
        engine = sa.create_engine(
            url, connect_args={**connection, "options": options}, pool_pre_ping=True, isolation_level="READ COMMITTED"
        )
    except ModuleNotFoundError as error:
        raise UsageError(f"PROVISIONER_DATABASE_URL: {error}", hint="install provisioner[postgres]") from error
    if not read_only:
        check_settings(engine, REQUIRED)
    return engine


def check_settings(engine: sa.Engine, required: Mapping[str, str]) -> None:
    """Raise LedgerError, the engine closed, naming the first of the settings that the server does not have."""
    query = sa.text("SELECT name, setting FROM pg_settings")
    try:
        with engine.connect() as connection:
            settings = {str(name): str(value) for name, value in connection.execute(query)}
        for name, value in required.items():
            if settings.get(name) != value:
                raise LedgerError(
                    f"PostgreSQL has {name}={settings.get(name)}, not {value}: entries would not be safe",
                    hint=f"have {name} set to {value} for this server, or name another",
                )
    except Exception:
        engine.dispose()
        raise


def queue(_engine: sa.Engine) -> AbstractContextManager[None]:
    """Return at once: the server has the line of writers, see `begin`."""
    return nullcontext()


def begin(connection: sa.Connection, *, writes: bool) -> None:
    """Begin a transaction: one that writes holds the one write lock, one that reads sees one moment throughout.

    The lock comes first and the rows are read after it, each statement seeing what is committed (READ COMMITTED): what
    the writer before has done is seen, whatever isolation the server has for a default.
    """
    if writes:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def schema_changes(connection: sa.Connection) -> list[str]:
    """Return the names of our tables, and of the triggers, rules and indexes on them, that are not as made."""
    rows = connection.exec_driver_sql(DESCRIBED)
    found = {str(name): sha256(str(text).encode()).hexdigest()[:16] for name, text in rows}
    return sorted(name for name in found.keys() | SCHEMA.keys() if found.get(name) != SCHEMA.get(name))


def wipe(connection: Any) -> None:
    """Write the table of details anew; raises LedgerError where we may not, or a transaction still needs removed rows.

    The server's write-ahead log, its replicas and its backups are its keeper's: they are not reached from here.
    """
    told = list[str]()  # nothing at all, where the server passes over a table that is not ours
    connection.autocommit = True
    connection.execute(f"SET lock_timeout = '{WIPE_SECONDS}s'")
    connection.add_notice_handler(lambda notice: told.append(notice.message_detail or ""))
    connection.execute("VACUUM (FULL, VERBOSE) details")
    needed = [number for detail in told for number in re.findall(r"\d+", detail)[:1]]  # "12 dead row versions cannot …"
    if not needed:
        raise LedgerError("only the owner of the table details can write it anew", hint="erase as that role")
    if any(int(number) for number in needed):
        raise LedgerError("a transaction under way in the ledger's database may still read what was removed")

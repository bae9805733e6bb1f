"""The tables of format version 1, as docs/reference/ledger_format.md shows them."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

SQLITE = (
    """CREATE TABLE entries (
  log TEXT NOT NULL, "index" INTEGER NOT NULL, leaf BLOB NOT NULL,
  PRIMARY KEY (log, "index")
) STRICT""",
    """CREATE TABLE nodes (
  log TEXT NOT NULL, level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (log, level, position)
) STRICT, WITHOUT ROWID""",
    "CREATE TABLE pending (log TEXT NOT NULL PRIMARY KEY, note TEXT NOT NULL) STRICT",
    """CREATE TABLE details (
  log TEXT NOT NULL, reference TEXT NOT NULL, field TEXT NOT NULL, salt BLOB NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (log, reference)
) STRICT""",
    "CREATE INDEX details_by_field ON details (log, field)",
    """CREATE TRIGGER entries_refuse_update BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END""",
    """CREATE TRIGGER entries_refuse_delete BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END""",
)

POSTGRESQL = (
    """CREATE TABLE entries (log TEXT COLLATE "C", "index" BIGINT, leaf BYTEA NOT NULL,
  PRIMARY KEY (log, "index"))""",
    """CREATE TABLE nodes (log TEXT COLLATE "C", level INTEGER, position BIGINT, hash BYTEA NOT NULL,
  PRIMARY KEY (log, level, position))""",
    'CREATE TABLE pending (log TEXT COLLATE "C" PRIMARY KEY, note TEXT NOT NULL)',
    """CREATE TABLE details (log TEXT COLLATE "C", reference TEXT COLLATE "C", field TEXT COLLATE "C" NOT NULL,
  salt BYTEA NOT NULL, value BYTEA NOT NULL, PRIMARY KEY (log, reference))""",
    "CREATE INDEX details_by_field ON details (log, field)",
    """CREATE FUNCTION entries_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'entries are append-only'; END $$""",
    """CREATE TRIGGER entries_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
FOR EACH STATEMENT EXECUTE FUNCTION entries_refuse()""",
)


def upgrade() -> None:
    """Create the tables and the tripwires."""
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)

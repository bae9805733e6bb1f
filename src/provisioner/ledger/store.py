"""The tables of the ledger, and what can be done to one log inside a transaction.

Given bytes, it keeps bytes: nothing here knows what an entry says. A write that failed is never tried again.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from provisioner.errors import LedgerError
from provisioner.ledger import database
from provisioner.ledger.database import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioner.ledger.merkle import Node

PAGE = 1000

LAST = 2**63 - 1
"""The greatest index that a database can be asked for; a log that reaches it is not to be expected."""

ENTRIES = sa.table("entries", sa.column("log"), sa.column("index"), sa.column("leaf"))
NODES = sa.table("nodes", sa.column("log"), sa.column("level"), sa.column("position"), sa.column("hash"))
PENDING = sa.table("pending", sa.column("log"), sa.column("note"))
DETAILS = sa.table(
    "details", sa.column("log"), sa.column("reference"), sa.column("field"), sa.column("salt"), sa.column("value")
)

_OURS: sa.BindParameter[str] = sa.bindparam("log")
SIZE = sa.select(sa.func.max(ENTRIES.c.index)).where(ENTRIES.c.log == _OURS)
NOTE = sa.select(PENDING.c.note).where(PENDING.c.log == _OURS)
CACHED = sa.select(NODES.c.position, NODES.c.hash).where(
    NODES.c.log == _OURS,
    NODES.c.level == sa.bindparam("level"),
    NODES.c.position.in_(sa.bindparam("positions", expanding=True)),
)
ADD_ENTRIES, ADD_NODES, ADD_NOTE = ENTRIES.insert(), NODES.insert(), PENDING.insert()
FORGET_NOTE = PENDING.delete().where(PENDING.c.log == _OURS)
"""What appends and proofs ask for, put together once; each goes by a primary key."""


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
        highest = self._connection.scalar(SIZE, {"log": self._log})
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
            query = query.where(ENTRIES.c.index >= min(start, LAST))
        if stop is not None:
            query = query.where(ENTRIES.c.index < min(stop, LAST))
        with self._connection.execute(query, execution_options={"yield_per": PAGE}) as rows:
            for row in rows:
                yield row[0], row[1]

    def logs(self) -> list[str]:
        """Return the names of all logs of the database, as stored."""
        query = sa.select(ENTRIES.c.log).distinct().order_by(ENTRIES.c.log)
        return [str(name) for name in self._connection.scalars(query)]

    def nodes(self, names: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """Return the cached hashes of the nodes (level, position) that there are."""
        wanted: dict[int, list[int]] = {}
        for level, position in names:
            wanted.setdefault(level, []).append(position)
        found: dict[tuple[int, int], bytes] = {}
        for level, positions in wanted.items():
            asked = {"log": self._log, "level": level, "positions": positions}
            rows = self._connection.execute(CACHED, asked)
            found.update(((level, position), digest) for position, digest in rows)
        return found

    def leaf_hashes(self, start: int, stop: int) -> list[object]:
        """Return the cached leaf hashes of [start, stop), as stored."""
        query = sa.select(NODES.c.hash).where(NODES.c.log == self._log, NODES.c.level == 0)
        query = query.where(NODES.c.position >= min(start, LAST), NODES.c.position < min(stop, LAST)).order_by(
            NODES.c.position
        )
        return list(self._connection.scalars(query))

    def pending(self) -> str | None:
        """Return the note that covers what was appended last."""
        note = self._connection.scalar(NOTE, {"log": self._log})
        return None if note is None else str(note)

    def detail(self, reference: str) -> Detail | None:
        """Return what a reference stands for, None if it is not (or no longer) kept."""
        return next(self.details(DETAILS.c.reference == reference), None)

    def details(self, *conditions: sa.ColumnElement[bool]) -> Iterator[Detail]:
        """Yield the rows of `details` that meet the conditions; raises LedgerError at one that is none of ours."""
        columns = (DETAILS.c.reference, DETAILS.c.field, DETAILS.c.salt, DETAILS.c.value)
        query = sa.select(*columns).where(DETAILS.c.log == self._log, *conditions).order_by(DETAILS.c.reference)
        with self._connection.execute(query) as rows:
            for row in rows:
                if [type(value) for value in row] != [str, str, bytes, bytes]:
                    raise LedgerError(f"a row of the table details is none of ours: {row[0]!r}")
                yield Detail(*row)

    def add(self, leaves: Sequence[tuple[int, bytes]], nodes: Sequence[Node], *, note: str) -> None:
        """Append entries, the nodes that they completed, and the note that covers the whole."""
        rows = [{"log": self._log, "index": index, "leaf": leaf} for index, leaf in leaves]
        self._connection.execute(ADD_ENTRIES, rows)
        self.add_nodes(nodes)
        self._connection.execute(FORGET_NOTE, {"log": self._log})
        self._connection.execute(ADD_NOTE, [{"log": self._log, "note": note}])

    def add_nodes(self, nodes: Sequence[Node]) -> None:
        """Keep nodes that are not there yet."""
        self._connection.execute(ADD_NODES, [{"log": self._log, **node._asdict()} for node in nodes])

    def forget_nodes(self) -> None:
        """Drop the cache, to fill it anew from the leaves."""
        self._connection.execute(NODES.delete().where(NODES.c.log == self._log))

    def keep(self, detail: Detail) -> None:
        """Add a row to `details`."""
        self._connection.execute(DETAILS.insert(), [{"log": self._log, **detail._asdict()}])

    def forget(self, reference: str) -> None:
        """Remove a row from `details`; raises LedgerError where it is no longer there."""
        chosen = sa.and_(DETAILS.c.log == self._log, DETAILS.c.reference == reference)
        if self._connection.execute(DETAILS.delete().where(chosen)).rowcount != 1:
            raise LedgerError(f"{reference} is no longer kept: somebody else erased it; nothing was erased")


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
            with database.reported(), database.write(self._engine) as connection:
                yield Transaction(connection, self._log)
        except StoreError:
            self._failed = True
            raise

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """See one moment of the database, without locking anybody out."""
        with database.reported(), self._engine.connect() as connection, connection.begin():
            yield Transaction(connection, self._log)

    def schema_changes(self) -> tuple[str, ...]:
        """Say what in the database differs from the schema that the migrations made."""
        return database.schema_changes(self._engine)

    def wipe(self) -> None:
        """Leave no byte of removed rows in the database's own files; raises LedgerError where that cannot be said."""
        with database.reported():
            database.wipe(self._engine)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def open_store(url: str, log: str, *, read_only: bool) -> Store:
    """Open the database at `url`, made and migrated if need be, as `database.open_engine` does, for one log."""
    return Store(database.open_engine(url, read_only=read_only), log)

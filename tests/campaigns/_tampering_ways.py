"""How tampering gets into a state folder: with the database alone, with the folder but no key, with the key."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from tests.campaigns import _tampering_deeds as deeds
from tests.campaigns._tampering_logs import CLIENT, LOG
from tests.campaigns._tampering_table import Adversary, Expected, Kind, Way

from provisioner.ledger import merkle, published
from provisioner.ledger.checkpoint import Signer, sign_checkpoint
from provisioner.ledger.merkle import Frontier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from random import Random

    from tests.campaigns._tampering_logs import Log, Moment

    from provisioner.ledger.checkpoint import Checkpoint

DEEDS: dict[Kind, deeds.Deed] = {
    Kind.EDIT: deeds.edit,
    Kind.DELETE: deeds.delete,
    Kind.INSERT: deeds.insert,
    Kind.SWAP: deeds.swap,
    Kind.TRUNCATE: deeds.shorten,
    Kind.ROLL_BACK: deeds.shorten,
    Kind.FORK: deeds.fork,
    Kind.BACKDATE: deeds.backdate,
    Kind.RESIGN: deeds.leave,
    Kind.DROP_WAL: deeds.shorten,
    Kind.SCHEMA: deeds.leave,
    Kind.UNICODE: deeds.unicode_edit,
    Kind.DUPLICATE: deeds.duplicate,
    Kind.SPLICE: deeds.splice,
}

FIRST_PLACE = {Kind.UNICODE: 1, Kind.DUPLICATE: 2}
ADDS = (Kind.INSERT, Kind.DUPLICATE, Kind.SPLICE, Kind.FORK, Kind.BACKDATE)

CARELESS = (Way.LEFT, Way.CLUMSY, Way.ANEW)
"""What is below the last checkpoint shows anyway."""

TEXTS = (
    "UPDATE details SET value = CAST(replace(CAST(value AS TEXT), 'Café', 'Cafe') AS BLOB) WHERE field = 'contract'",
    "UPDATE details SET value = CAST('+41 44 1' AS BLOB) WHERE field = 'phone'",
    "UPDATE details SET value = CAST('+41 44 1' AS BLOB), field = 'operator' WHERE field = 'phone'",
    "UPDATE details SET salt = substr(salt, 2), value = CAST(substr(salt, 1, 1) || value AS BLOB) "
    "WHERE field = 'phone'",
)
UNICODE_TEXT = (
    "UPDATE details SET value = CAST(replace(CAST(value AS TEXT), 'é', 'e' || char(769)) AS BLOB) "
    "WHERE field = 'contract'"
)
NAMES = (
    "UPDATE details SET value = CAST('Somebody Else' AS BLOB) WHERE field = 'operator'",
    "DELETE FROM details WHERE field = 'phone'",
    "DELETE FROM details WHERE field = 'contract'",
)
TABLES = (
    "DROP TRIGGER entries_refuse_update; DROP TRIGGER entries_refuse_delete",
    "DROP TRIGGER entries_refuse_delete",
    "ALTER TABLE entries ADD COLUMN remark TEXT",
    "DROP TABLE nodes",
    "DROP INDEX details_by_field",
    "CREATE TABLE entries2 AS SELECT * FROM entries; DROP TABLE entries; ALTER TABLE entries2 RENAME TO entries",
    "CREATE TRIGGER more AFTER INSERT ON entries BEGIN DELETE FROM nodes; END",
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A state folder after the deed: `place` is where hands were laid on, `bad` the first entry that is another."""

    log: Log
    kind: Kind
    row: Expected
    state: Path
    place: int
    bad: int | None

    @property
    def database(self) -> Path:
        return self.state / "ledger.db"

    @property
    def published(self) -> tuple[Checkpoint, ...]:
        """The checkpoints in the folder, as the adversary left them."""
        return published.read_all(self.state / "checkpoints" / CLIENT)[0]

    @property
    def older(self) -> Checkpoint | None:
        """The newest genuine checkpoint that does not cover the place."""
        return max((one for one in self.log.checkpoints if one.size <= self.place), key=_size, default=None)

    @property
    def newer(self) -> Checkpoint | None:
        """The first genuine checkpoint that covers the place."""
        return min((one for one in self.log.checkpoints if one.size > self.place), key=_size, default=None)


def _size(checkpoint: Checkpoint) -> int:
    return checkpoint.size


def fits(log: Log, row: Expected, kind: Kind) -> bool:
    """Whether this can be done to that log."""
    tail = log.size - log.covered
    if row.way in (Way.ABOVE, Way.CLUMSY_ABOVE):
        return tail >= 2
    if row.way is Way.COPY_ABOVE:
        return tail > 0
    if log.covered - log.keys[-1] < 4 or not any(log.keys[-1] < one.size < log.covered for one in log.moments):
        return False
    return not (tail and (kind is Kind.DROP_WAL or row.way in BESIDE))


def tamper(log: Log, row: Expected, kind: Kind, *, state: Path, random: Random) -> Case:
    """Copy the log's folder to `state` and do the deed there."""
    shutil.copytree(log.folder, state)
    place = _place(log, row, kind, random=random)
    bound = log.covered if place < log.covered else log.size
    chance = deeds.Chance(
        random=random,
        place=place,
        bound=bound,
        others=log.others,
        copyable=lambda leaf: row.way in CARELESS or not deeds.brings_key(leaf),
        neat=row.way not in (Way.CLUMSY, Way.CLUMSY_ABOVE),
    )
    deed = deeds.leave if row.way in BESIDE else DEEDS[kind]
    leaves = deed(chance, list(log.leaves))
    signer = Signer.generate(LOG) if row.way in (Way.OWN_KEY, Way.UNSIGNED) else log.signer
    if row.way is Way.OWN_KEY:
        leaves = deeds.with_key(leaves, signer.verifier)
    pairs = enumerate(zip_longest(leaves, log.leaves))
    bad = next((index for index, (now, before) in pairs if now != before), None)
    case = Case(log=log, kind=kind, row=row, state=state, place=place, bad=bad)
    if row.way in BESIDE:
        with opened(case.database) as database:
            database.executescript(BESIDE[row.way](kind, random))
    elif row.way in (Way.OWN_KEY, Way.UNSIGNED, Way.SIGNED):
        _sign(case, leaves, signer=signer)
    else:
        _write(case, leaves)
    return case


def _place(log: Log, row: Expected, kind: Kind, *, random: Random) -> int:
    """Choose where: below the last checkpoint, above it, or where a copy of the log ends."""
    if kind is Kind.DROP_WAL:
        return log.unmerged[1]
    if kind is Kind.ROLL_BACK:
        return _copies(log, row, random=random).size
    if row.way is Way.ENDED:
        return random.choice([one.size for one in log.checkpoints[:-1] if one.size > log.keys[-1]])
    if row.way in (Way.ABOVE, Way.CLUMSY_ABOVE):
        first = log.covered + (kind is Kind.TRUNCATE)
        needs_next = kind is Kind.SWAP or (kind is Kind.DELETE and row.way is Way.CLUMSY_ABOVE)
        return random.randint(first, log.size - (0 if kind in ADDS else 1 + needs_next))
    first = max(FIRST_PLACE.get(kind, 0), 0 if row.adversary is Adversary.DATABASE else log.keys[-1] + 1)
    ends = kind is Kind.SWAP or (kind is Kind.DELETE and row.adversary is not Adversary.DATABASE)
    places = range(first, log.covered - ends)  # without its last entry, a log may just end at a checkpoint: truncated
    return random.choice([place for place in places if kind is not Kind.UNICODE or place not in log.keys])


def _copies(log: Log, row: Expected, *, random: Random) -> Moment:
    """Choose an older copy; of the whole folder, one that was signed to its end; to sign, one of the same key."""
    if row.way is Way.COPY_ABOVE:
        return log.moments[-1]
    copies = [one for one in log.moments if one.size < log.covered]
    if row.way is Way.OLD_FOLDER:
        copies = [one for one in copies if one.signed]
    if row.way is Way.SIGNED:
        copies = [one for one in copies if one.size > log.keys[-1]]
    return random.choice(copies)


def _beside(statements: Sequence[str]) -> Callable[[Kind, Random], str]:
    return lambda _, random: random.choice(statements)


BESIDE: dict[Way, Callable[[Kind, Random], str]] = {
    Way.TEXTS: lambda kind, random: UNICODE_TEXT if kind is Kind.UNICODE else random.choice(TEXTS),
    Way.NAMES: _beside(NAMES),
    Way.TABLES: _beside(TABLES),
}


def _write(case: Case, leaves: Sequence[bytes]) -> None:
    """Write without any key: rows, hashes, or an older copy; a checkpoint can be removed, never made."""
    log, row = case.log, case.row
    if case.kind is Kind.DROP_WAL:
        shutil.copy(log.unmerged[0], case.database)
    elif case.kind is Kind.ROLL_BACK:
        copy = next(moment for moment in log.moments if moment.size == case.place)
        shutil.copy(copy.folder / "ledger.db", case.database)
    else:
        write_rows(case.database, leaves, nodes=row.way not in (Way.LEFT, Way.CLUMSY))
    if row.adversary is Adversary.FOLDER:
        _publish(case.state, _genuine(case))
    if row.way is Way.OLD_FOLDER:
        copy = next(moment for moment in log.moments if moment.size == case.place)
        shutil.copytree(copy.folder / "keys", case.state / "keys", dirs_exist_ok=True)


def _genuine(case: Case) -> list[Checkpoint]:
    """The checkpoints that the deed does not contradict."""
    return [one for one in case.log.checkpoints if case.bad is None or one.size <= case.bad]


def _sign(case: Case, leaves: Sequence[bytes], *, signer: Signer) -> None:
    """Sign everything anew: the pending note, and outside the database the checkpoints and the keys."""
    write_rows(case.database, leaves, nodes=True)
    signed, grown = _genuine(case), Frontier()
    wrong = {checkpoint.size for checkpoint in case.log.checkpoints[len(signed) :]}
    for size in sorted({size for size in wrong if size < len(leaves)} | {len(leaves)}):
        grown, _ = merkle.extend(grown, map(merkle.leaf_hash, leaves[grown.size : size]))
        signed.append(sign_checkpoint(size, grown.root, signer=signer))
    with opened(case.database) as database:
        note = sign_checkpoint(grown.size, grown.root, signer=signer.renamed(f"{LOG}/pending")).note
        database.execute("UPDATE pending SET note = ? WHERE log = ?", (note, LOG))
    if case.row.adversary is not Adversary.DATABASE:
        _publish(case.state, signed)
    if case.row.adversary is not Adversary.DATABASE and case.row.way is not Way.UNSIGNED:
        folder = case.state / "keys" / CLIENT
        (folder / "verifier.key").write_text(signer.verifier.render() + "\n")
        (folder / "signing.key").write_text(signer.render() + "\n")


def _publish(state: Path, checkpoints: Sequence[Checkpoint]) -> None:
    """Have these checkpoints, and no others."""
    folder = state / "checkpoints" / CLIENT
    shutil.rmtree(folder)
    folder.mkdir()
    for checkpoint in checkpoints:
        (folder / f"{checkpoint.size:010d}-20261123T140000Z.checkpoint").write_text(checkpoint.note)
        (folder / "latest").write_text(checkpoint.note)


def write_rows(path: Path, leaves: Sequence[bytes], *, nodes: bool) -> None:
    """Have these leaves in the rows of the log; an empty one is a row that is not there. The tripwires are put back."""
    with opened(path) as database:
        wires = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in wires:
            database.execute(f"DROP TRIGGER {name}")
        database.execute("DELETE FROM entries WHERE log = ?", (LOG,))
        rows = [(LOG, index, leaf) for index, leaf in enumerate(leaves) if leaf]
        database.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)
        if nodes:
            _, made = merkle.extend(Frontier(), map(merkle.leaf_hash, leaves))
            database.execute("DELETE FROM nodes WHERE log = ?", (LOG,))
            database.executemany("INSERT INTO nodes VALUES (?, ?, ?, ?)", [(LOG, *node) for node in made])
        for _, statement in wires:
            database.execute(statement)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, as anybody opens a SQLite file."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA synchronous = OFF")
        yield database
        database.commit()

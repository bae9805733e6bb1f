"""What of a log goes into a bundle: one reading from the first row to the last, that also holds it against its head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import bundle
from provisioner.ledger.bundle import Scope
from provisioner.ledger.checkpoint import verify_checkpoint
from provisioner.ledger.entry import parse_entry
from provisioner.ledger.head import HINT
from provisioner.ledger.walk import walk_through

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from provisioner.ledger.book import Book
    from provisioner.ledger.checkpoint import Checkpoint
    from provisioner.ledger.entry import Entry
    from provisioner.ledger.history import KeyHistory, Tenure


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to put into a bundle: the entries of an `intervention`, or of a period (aware instants, `until` excluded).

    With neither, the whole log. `details` adds the personal values that these entries cite.
    """

    intervention: str = ""
    since: datetime | None = None
    until: datetime | None = None
    details: bool = False


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What goes in: the scope, of an intervention its `own` entries, and what all that rests on.

    `signer` is the key that signed the checkpoint; `contracts` and `references` are what the chosen entries cite.
    """

    scope: Scope
    own: tuple[int, ...]
    keys: KeyHistory
    signer: Tenure
    contracts: frozenset[str]
    references: frozenset[str]


def choose(book: Book, wanted: Wanted, checkpoint: Checkpoint) -> Chosen:
    """Return what of the log goes into the bundle of what is wanted, against its newest checkpoint.

    Raises LedgerError when the log does not give the checkpoint; UsageError when nothing was recorded of what is
    wanted, or when entries of it lie above the checkpoint, where nothing proves them.
    """
    notes = _Notes(wanted)
    rows = notes.pass_on(book.leaves(0, checkpoint.size))
    walk = walk_through(rows, origin=book.origin, sizes={checkpoint.size})
    head = walk.anchors.get(checkpoint.size)
    keys = walk.keys
    if walk.broken or walk.bad_key or keys is None or head is None or head.root != checkpoint.root:
        why = walk.broken or (walk.bad_key or (None, "the entries do not give its newest checkpoint"))[1]
        raise LedgerError(f"the log {book.origin} is not what was signed: {why}", hint=HINT)
    if keys.misfit(checkpoint):
        raise LedgerError(f"the newest checkpoint vouches for nothing: {keys.misfit(checkpoint)}", hint=HINT)
    proved = list(notes.own)
    for _ in notes.pass_on(book.leaves(checkpoint.size)):
        pass
    above = notes.own[len(proved) :]
    if above:
        raise UsageError(
            f"no checkpoint covers entry {above[0]} of {book.origin} yet, which belongs to this: it cannot be proved",
            hint="audit.checkpoint signs one now",
        )
    if not proved:
        raise UsageError(f"{book.origin} has no entry of that {notes.what}", hint="see audit.log")
    return Chosen(
        scope=notes.scope(proved),
        own=tuple(proved) if wanted.intervention else (),
        keys=keys,
        signer=_signer(keys, checkpoint),
        contracts=frozenset(notes.contracts),
        references=frozenset(notes.references),
    )


def _signer(keys: KeyHistory, checkpoint: Checkpoint) -> Tenure:
    able = [tenure for tenure in keys.tenures if tenure.may_sign(checkpoint.size)]
    return next(tenure for tenure in reversed(able) if verify_checkpoint(checkpoint, tenure.key))


class _Notes:
    """What is noted of the rows that are passed on: the wanted ones among them, and what they cite."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._period = Scope(since=wanted.since, until=wanted.until)
        self.own: list[int] = []
        self.contracts: set[str] = set()
        self.references: set[str] = set()

    @property
    def what(self) -> str:
        return f"intervention {self._wanted.intervention!r}" if self._wanted.intervention else "period"

    def pass_on(self, rows: Iterator[tuple[object, object]]) -> Iterator[tuple[object, object]]:
        mark = f'"{self._wanted.intervention}"'.encode() if self._wanted.intervention else b""
        for index, leaf in rows:
            if isinstance(leaf, bytes) and mark in leaf:
                self._look(parse_entry(leaf))
            yield index, leaf

    def scope(self, own: list[int]) -> Scope:
        if self._wanted.intervention:
            return Scope(intervention=self._wanted.intervention)
        return Scope(first=own[0], last=own[-1], since=self._wanted.since, until=self._wanted.until)

    def _look(self, entry: Entry) -> None:
        if not self._is_wanted(entry):
            return
        self.own.append(entry.index)
        found = entry.body.get("digest" if entry.kind == "contract" else "contract_digest")
        if isinstance(found, str) and found in bundle.cited(entry.leaf):
            self.contracts.add(found)
        if self._wanted.details:
            self.references.update(text for text in bundle.cited(entry.leaf) if text[:3] in ("op-", "pv-"))

    def _is_wanted(self, entry: Entry) -> bool:
        if self._wanted.intervention:
            return entry.body.get("intervention") == self._wanted.intervention
        return self._period.covers(entry.at)

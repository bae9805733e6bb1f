"""From the first row to the last: the tree, derived again from bytes, and the keys that the log names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger import merkle
from provisioner.ledger.entry import KEY, Entry, blanked_texts, parse_entry
from provisioner.ledger.history import KeyHistory, begun, followed
from provisioner.ledger.merkle import Frontier

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

BATCH = 1000

Finding = tuple[int | None, str]
"""Which entry (None where none can be named), and a sentence."""


@dataclass
class Walk:
    """What re-deriving found: the tree, its state at each size asked for, the keys, and why it went no further.

    `bad_key` is the first `key` entry that breaks the chain, `keys` the chain as far as it holds. `blanked` is what
    erasures left of contract texts: the digest of that, by the digest of the whole.
    """

    frontier: Frontier = field(default_factory=Frontier)
    anchors: dict[int, Frontier] = field(default_factory=lambda: {0: Frontier()})
    keys: KeyHistory | None = None
    bad_key: Finding | None = None
    blanked: dict[str, str] = field(default_factory=dict)
    broken: str = ""


def walk_through(rows: Iterable[tuple[object, object]], *, origin: str, sizes: Collection[int]) -> Walk:
    """Hash every row (index, leaf) of the log `origin` in order, until one is not the entry that its place asks for.

    `sizes` are those whose tree is kept. Needs memory for these, one batch and the keys, whatever the number of rows.
    """
    walk, batch = Walk(), list[bytes]()

    def grow() -> None:
        walk.frontier, _ = merkle.extend(walk.frontier, batch)
        batch.clear()

    try:
        for expected, (index, leaf) in enumerate(rows):
            entry = _entry(expected, index, leaf)
            if entry.kind == KEY or expected == 0:
                _follow_key(walk, entry, origin)
            walk.blanked.update(blanked_texts(entry))
            batch.append(entry.hash)
            if expected + 1 in sizes:
                grow()
                walk.anchors[expected + 1] = walk.frontier
            elif len(batch) == BATCH:
                grow()
    except LedgerError as error:
        walk.broken = str(error)
    grow()
    return walk


def _entry(expected: int, index: object, leaf: object) -> Entry:
    if index != expected:
        raise LedgerError(f"entry {expected} is missing: the next row is {index!r}")
    try:
        entry = parse_entry(leaf if isinstance(leaf, bytes) else b"")
    except LedgerError as error:
        raise LedgerError(f"entry {expected}: {error}") from error
    if entry.index != expected:
        raise LedgerError(f"entry {expected}: the row holds the bytes of entry {entry.index}")
    return entry


def _follow_key(walk: Walk, entry: Entry, origin: str) -> None:
    if walk.bad_key:
        return
    try:
        walk.keys = followed(walk.keys, entry) if walk.keys else begun(entry, origin=origin)
    except LedgerError as error:
        walk.bad_key = (entry.index, str(error))

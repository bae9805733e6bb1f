"""Proofs: what a restore drill, a sabotage, a probe or a restoration came to, as a machine reports it.

Instants are whole POSIX seconds, times spent milliseconds. Paths are percent-encoded; they are for a person's eyes and
never enter an entry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

FULL = 1000
"""All of a thousand files."""

SABOTAGES = (
    "pack_deleted",
    "pack_truncated",
    "bit_flipped",
    "index_lost",
    "wrong_password",
    "stale_lock",
    "forged_time",
)
"""Each kind of damage that a drill must notice."""

NOT_BEGUN = frozenset(
    {"not_empty", "disk_full", "locked", "no_restic", "no_postgresql", "unreadable", "control_failed", "touched"}
)
"""Reasons that say nothing of a backup: the place where it was to be proven was not fit for it."""


class Named(NamedTuple):
    """One object of a comparison: its path, percent-encoded, and in what it differs or what of it was not kept."""

    path: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A restored tree beside its manifest: how many objects ended as what; the first of each sort are named."""

    compared: int
    equal: int
    different: int
    moving: int
    unfaithful: int
    appeared: int
    bytes: int
    differences: Mapping[str, int] = field(default_factory=dict)
    not_kept: Mapping[str, int] = field(default_factory=dict)
    named: tuple[Named, ...] = ()


class Damage(NamedTuple):
    """One kind of damage, whether the drill of the damaged copy noticed it, and for what reasons."""

    kind: str
    noticed: bool
    reasons: tuple[str, ...]


class Restored(NamedTuple):
    """One path that is restored, and whether something is in its way."""

    path: str
    there: bool


class Try(NamedTuple):
    """One thing a probe tried: what on which object, whether it is to be allowed, and what came of it."""

    name: str
    allowed: bool
    answer: str
    changed: bool

    @property
    def kept(self) -> bool:
        """Whether the store behaved as promised: an answer that says no is not enough, and neither is luck."""
        return self.changed if self.allowed else not self.changed and self.answer in ("403", "405")


@dataclass(frozen=True, kw_only=True)
class ProofReport:
    """What one proof came to. `passed` is its own word; `reasons` are codes, `text` one sentence for a person.

    `snapshot` is the id in the vault, `original` the agent's, `of` the instant it saved, `manifest` its digest, and
    `manifest_known` whether the log had that digest before. `plan` and `bytes` are what a restoration brings back.
    """

    at: int
    ended: int
    passed: bool
    full: bool
    reasons: tuple[str, ...] = ()
    text: str = ""
    snapshot: str = ""
    original: str = ""
    of: int | None = None
    manifest: str = ""
    manifest_known: bool = False
    restic: str = ""
    restore_ms: int = 0
    load_ms: int = 0
    compare_ms: int = 0
    whole_ms: int = 0
    compared: Compared | None = None
    canaries: Mapping[str, int] = field(default_factory=dict)
    databases: Mapping[str, int] = field(default_factory=dict)
    sabotage: tuple[Damage, ...] = ()
    untouched: bool = False
    tries: tuple[Try, ...] = ()
    plan: tuple[Restored, ...] = ()
    bytes: int = 0

    @property
    def bytes_a_second(self) -> int | None:
        """How fast bytes came back; None where nothing was restored."""
        if self.compared is None or not self.restore_ms:
            return None
        return self.compared.bytes * 1000 // self.restore_ms

"""The rollout that would begin next. Instants are POSIX seconds, lengths of time seconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class PlannedWave:
    """One wave: its machines, and when it would begin and be through if nothing fails; None where it never would.

    `best` and `worst` are how old an update is when the wave is through, in seconds.
    """

    name: str
    assets: tuple[str, ...]
    begins: int | None
    through: int | None
    best: int | None
    worst: int | None


class Undo(StrEnum):
    """How the updates of a machine are undone, as its last scan found it. No snapshot of a machine is ever made."""

    DOWNGRADE = "downgrade set"
    """Every installed version can be had again, from a repository or apt's cache: the versions before are recorded."""
    NONE = "none"
    """Some installed version is nowhere any more."""
    UNKNOWN = "unknown"
    """The machine was never scanned."""


@dataclass(frozen=True, kw_only=True)
class PlannedMachine:
    """One machine of the plan, by its last scan (`scanned` is None where there was none).

    `taken` updates are pending and would be taken, `security` of them are security updates, `kept` would stay; the
    packages in `lost` cannot go back to what is installed now.
    """

    asset: str
    wave: str
    undo: Undo
    scanned: int | None = None
    taken: int = 0
    security: int = 0
    kept: int = 0
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deadline:
    """A deadline of the contract: how old an update may be on the last machine, best and worst, in seconds.

    Best is one known when the rollout begins; worst one that is known just after, and has to wait for the next.
    """

    name: str
    promised: int
    best: int | None
    worst: int | None

    @property
    def kept(self) -> str:
        """Whether it is kept: `yes`, `not always`, `no`."""
        if self.worst is not None and self.worst <= self.promised:
            return "yes"
        return "not always" if self.best is not None and self.best <= self.promised else "no"


@dataclass(frozen=True, kw_only=True)
class RolloutPlan:
    """What would be done under a contract. `digest` is over contract and waves: not over instants."""

    contract: str
    zone: str
    digest: str
    at: int
    batch: int
    waves: tuple[PlannedWave, ...]
    machines: tuple[PlannedMachine, ...]
    deadlines: tuple[Deadline, ...]
    openings: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class ContractRings:
    """What the windows and waves of one contract make of its deadlines, from the first day of its newest terms on."""

    client: str
    contract: str
    machines: int
    batch: int
    waves: tuple[PlannedWave, ...]
    deadlines: tuple[Deadline, ...]

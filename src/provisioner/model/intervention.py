"""Intervention: the accountable fact. Mission, assets, clause, outcome, evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from provisioner.model.backup import MachineReport
    from provisioner.model.drill import ProofReport
    from provisioner.model.mission import MissionKind
    from provisioner.model.package import PackageChange
    from provisioner.model.patch_level import PatchLevel
    from provisioner.model.verdict import Reason


class Outcome(StrEnum):
    """What became of an intervention, or of one asset in it."""

    HALTED = "halted"
    INTERRUPTED = "interrupted"
    UNKNOWN = "unknown"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"

    @property
    def accepted(self) -> bool:
        """Whether the work was done as promised (rule 12 counts only these)."""
        return self in (Outcome.CHANGED, Outcome.UNCHANGED)


WORST_FIRST: tuple[Outcome, ...] = (
    Outcome.HALTED,
    Outcome.INTERRUPTED,
    Outcome.UNKNOWN,
    Outcome.FAILED,
    Outcome.UNREACHABLE,
    Outcome.CHANGED,
    Outcome.UNCHANGED,
)

EXIT_CODES: Mapping[Outcome, int] = {
    Outcome.HALTED: 6,
    Outcome.INTERRUPTED: 130,
    Outcome.UNKNOWN: 5,
    Outcome.FAILED: 5,
    Outcome.UNREACHABLE: 4,
    Outcome.CHANGED: 0,
    Outcome.UNCHANGED: 0,
    Outcome.REFUSED: 3,
}


def worst(outcomes: tuple[Outcome, ...]) -> Outcome:
    """Given the outcomes of the assets, return that of the whole; none at all is `unknown`, never success."""
    return min(outcomes, key=WORST_FIRST.index) if outcomes else Outcome.UNKNOWN


class CheckResult(StrEnum):
    """What an acceptance check found; `not_applicable` needs a reason and is never a pass."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One promised state: what was asked, what was found; `personal` when its texts name a person."""

    name: str
    asked: str
    found: str
    result: CheckResult
    personal: bool = False


@dataclass(frozen=True, kw_only=True)
class AssetResult:
    """What one machine ended as: counts of tasks, the acceptance table, the first failed task, packages chosen for it.

    When the run was stopped and no task had failed, `failed_task` is the last one seen. `level` is what a scan read,
    `backups` what it reported of backups, `proof` what a proof of one came to.
    """

    name: str
    outcome: Outcome
    ok: int = 0
    changed: int = 0
    failed_task: str | None = None
    reason: Reason | None = None
    checks: tuple[Check, ...] = ()
    packages: tuple[PackageChange, ...] = ()
    level: PatchLevel | None = None
    backups: MachineReport | None = None
    proof: ProofReport | None = None


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """One intervention, as recorded. Instants are aware and UTC; `entries` are ledger indices.

    `warnings` were said before anything was opened; `request` is the file that the client may sign, for a refusal.
    """

    id: str
    client: str
    contract: str
    clause: str
    plan_digest: str
    mission: MissionKind
    operator: str
    outcome: Outcome
    opened: datetime
    closed: datetime | None
    ticket: str | None = None
    simulated: bool = False
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()
    request: str | None = None
    entries: tuple[int, ...] = ()
    assets: tuple[AssetResult, ...] = field(default_factory=tuple)

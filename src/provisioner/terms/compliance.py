"""Deadlines for updates: what the last scan of each machine proves about them at an instant. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.model.advisory import Severity
from provisioner.model.compliance import Compliance, MachineCompliance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioner.model.mission_terms import Deadlines
    from provisioner.model.service_event import Scan

NEVER_SCANNED, TOO_OLD, NO_DEADLINES = "never_scanned", "scan_too_old", "no_deadlines"


def compliance(
    deadlines: Deadlines, assets: Sequence[str], last: Mapping[str, Scan], *, at: int
) -> tuple[MachineCompliance, ...]:
    """Given the deadlines, machines, and the last scan of each that has one, say where each machine stands at `at`.

    Past: an update that the scan found missing was then known for longer than its deadline. Within: none of them was,
    and none that the machine can lack by now has reached its deadline since. What was in time at the scan and would be
    past by now is not evaluable: whether it was installed since, the next scan says.
    """
    promised = {severity: limit for severity in Severity if (limit := getattr(deadlines, severity.value)) is not None}
    seconds = {severity: limit.seconds for severity, limit in promised.items()}
    return tuple(_of(asset, seconds, last.get(asset), at) for asset in assets)


def _of(asset: str, seconds: Mapping[Severity, int], scan: Scan | None, at: int) -> MachineCompliance:
    if not seconds:
        return _without(asset, NO_DEADLINES, scan)
    if scan is None:
        return _without(asset, NEVER_SCANNED, scan)
    if scan.oldest is None:
        return _without(asset, scan.reason.value if scan.reason else "", scan)
    due = {
        severity: scan.oldest[severity.value] + limit
        for severity, limit in seconds.items()
        if severity.value in scan.oldest
    }
    if any(scan.at > limit for limit in due.values()):
        return MachineCompliance(asset=asset, state=Compliance.PAST, scanned=scan.at, due=due)
    # An update that became known right after the scan is due so long after it at the earliest.
    earliest = min(*due.values(), *(scan.at + limit for limit in seconds.values()), at + 1)
    if at > earliest:
        return MachineCompliance(asset=asset, state=Compliance.NOT_EVALUABLE, reason=TOO_OLD, scanned=scan.at, due=due)
    return MachineCompliance(asset=asset, state=Compliance.WITHIN, scanned=scan.at, due=due)


def _without(asset: str, reason: str, scan: Scan | None) -> MachineCompliance:
    return MachineCompliance(
        asset=asset, state=Compliance.NOT_EVALUABLE, reason=reason, scanned=scan.at if scan else None
    )

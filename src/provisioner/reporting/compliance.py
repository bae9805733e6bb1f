"""Where machines stand under the contract's deadlines for updates, as a document and as a section of a page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provisioner.model.advisory import Severity
from provisioner.model.compliance import Compliance
from provisioner.reporting.page import Section
from provisioner.reporting.rollouts import local
from provisioner.reporting.statements import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioner.model.compliance import MachineCompliance


def compliance_document(found: Sequence[MachineCompliance]) -> dict[str, object]:
    """Given where machines stand, return what `patch.status` says of it: every state counted, then each machine."""
    counted = Counter(one.state for one in found)
    return {
        "states": {state.value: counted[state] for state in Compliance},
        "machines": [
            {
                "asset": one.asset,
                "state": one.state.value,
                "reason": one.reason or None,
                "scanned": utc(one.scanned),
                "due": {severity.value: utc(at) for severity, at in one.due.items()},
            }
            for one in found
        ],
    }


def compliance_section(found: Sequence[MachineCompliance], *, zone: str) -> Section:
    """Given the same, return the section of a page; times are those of a zone."""
    counted = Counter(one.state for one in found)
    states = ", ".join(f"{counted[state]} {state}" for state in Compliance)
    rows = tuple(
        (
            one.asset,
            one.state.value,
            one.reason,
            local(one.scanned, zone) or "never",
            *(local(one.due.get(severity), zone) for severity in Severity),
        )
        for one in found
    )
    columns = ("machine", "state", "reason", "last scan", "critical due", "other due")
    lines = (f"{len(found)} machines: {states}",)
    return Section(title="Deadlines, by each machine's last scan", lines=lines, columns=columns, rows=rows)

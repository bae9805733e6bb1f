"""Immutability probes: an agent's own key must change nothing that its store holds. What was tried is evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.missions.backup_drill import places, record
from provisioner.missions.backup_entries import PROBE, text_of
from provisioner.missions.backup_task import Run, carry_out
from provisioner.planning.backup_proofs import plan_probe

if TYPE_CHECKING:
    from provisioner.missions.backup_task import BackupTask
    from provisioner.missions.services import Services
    from provisioner.model.drill import ProofReport
    from provisioner.model.intervention import Intervention

PLAYBOOK = "backup_probe"
FEWEST = 15
"""So many changes are tried at least: five kinds of objects, three ways each."""


@dataclass(frozen=True, kw_only=True)
class Probed:
    """What came of it: the intervention, what the agent told (None: nothing), the index of the entry (None: none)."""

    intervention: Intervention
    host: str
    store: str
    report: ProofReport | None
    entry: int | None

    @property
    def passed(self) -> bool:
        """Whether everything was tried and the store behaved as promised."""
        return self.report is not None and held(self.report)


def probe(task: BackupTask, services: Services, *, host: str, check: bool) -> Probed:
    """Probe the store of one machine from there, as one intervention, and record what it came to.

    A door that nobody could speak to proves nothing, and leaves no entry but the intervention's. Raises UsageError for
    a machine that is none, and what `perform` raises.
    """
    at = int(services.now().timestamp())
    agent, store, _ = places(task, at, host=host, target="")
    run = Run(plan=plan_probe(agent, task.content[PLAYBOOK]), assets=(agent,), check=check)
    intervention = carry_out(task, services, run)
    report = next((one.proof for one in intervention.assets), None)
    entry = None
    if report is not None and report.tries and not intervention.simulated:
        body: dict[str, object] = {
            "kind": PROBE,
            "at": text_of(report.ended),
            "asset": agent.name,
            "store": store.name,
            "passed": held(report),
            "reasons": list(report.reasons),
            "tries": [{"name": one.name, "answer": one.answer, "changed": one.changed} for one in report.tries],
            "intervention": intervention.id,
        }
        entry = record(task, services, body, kind="backup_status")
    return Probed(intervention=intervention, host=agent.name, store=store.name, report=report, entry=entry)


def held(report: ProofReport) -> bool:
    """Whether a report proves that nothing can be changed: its own word is not enough."""
    refused = [one for one in report.tries if not one.allowed]
    return report.passed and len(refused) >= FEWEST and all(one.kept for one in report.tries)

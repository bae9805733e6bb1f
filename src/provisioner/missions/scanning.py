"""Scanning: read what updates a client's machines wait for, as one intervention that changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.missions.bodies import Request
from provisioner.missions.perform import perform
from provisioner.planning.software_updates import plan_patch_scan

if TYPE_CHECKING:
    from provisioner.missions.rollout_task import Task
    from provisioner.missions.services import Services
    from provisioner.model.intervention import Intervention


def scan(task: Task, services: Services, *, host: str = "") -> Intervention:
    """Read what is pending on the covered machines, or on one of hosts.yml: one intervention, which changes nothing.

    Raises UsageError for a machine that is not there, or where none is covered, and what `perform` raises.
    """
    at = int(services.now().timestamp())
    task.terms(at)
    assets = tuple(asset for asset in task.assets if asset.name == host) if host else task.covered(at)
    if not assets:
        raise UsageError(f"no machine to scan: {host or 'none is covered'}", hint="`invoke contract.show` lists them")
    plan = plan_patch_scan(assets, task.content)
    request = Request(contract=task.contract, assets=assets, plan=plan, accept=task.accept, ticket=None, check=False)
    return perform(request, services)

"""What a rollout needs: the contract that decides, the machines, the content, the pool of packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli import wiring
from provisioner.cli.wiring.service import book_if_begun
from provisioner.errors import UsageError
from provisioner.missions.software_updates import Task, where_it_stands
from provisioner.missions.standing import standing_ones

if TYPE_CHECKING:
    from provisioner.cli.wiring import Site
    from provisioner.missions.services import Progress, Services
    from provisioner.model.rollout import RolloutStanding

MISSION, SCAN = "software_updates", "patch_scan"
"""The playbooks of a batch, and of a reading."""


def task(where: Site, client: str, *, contract_id: str, accept: bool, playbook: str = MISSION) -> Task:
    """Read a client's configuration; UsageError where not exactly one contract decides."""
    found = wiring.configuration(where, client)
    ones = standing_ones(found.contracts, wiring.now(), contract_id=contract_id or None)
    if len(ones) > 1:
        ids = ", ".join(one.id for one in ones)
        raise UsageError(f"several contracts are in force: {ids}", hint=f"say which with --contract-id {ones[0].id}")
    return Task(
        client=client,
        contract=ones[0],
        assets=tuple(found.inventory.assets),
        content=wiring.content(where, playbook),
        pool=str(where.settings.state / "pools" / client),
        accept=lambda _fingerprint: accept,
    )


def services(where: Site, task: Task, progress: Progress) -> Services:
    """The services of an intervention on the client's machines; UsageError where there is none."""
    if not task.assets:
        raise UsageError(f"client {task.client} has no machine in hosts.yml", hint="nothing can be rolled out")
    return wiring.services(where, task.assets[0], progress)


def standing(where: Site, client: str, *, contract_id: str) -> RolloutStanding:
    """Where a client's rollout stands, out of the log; nothing is recorded."""
    one = task(where, client, contract_id=contract_id, accept=False)
    at = int(wiring.now().timestamp())
    with book_if_begun(where, client) as book:
        return where_it_stands(one, book, at=at).standing(one)

"""What the rollout of one client works with, and what its contract says of it at an instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.model.mission import MissionKind
from provisioner.planning.waves import plan_waves
from provisioner.terms.coverage import verdict
from provisioner.terms.term import terms_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.model.asset import Asset
    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.mission_terms import SoftwareUpdates
    from provisioner.model.plan import Content
    from provisioner.model.rollout import WavePlan


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a client's rollout works with: contract, covered machines, content, and the folder of the pool.

    `tidy` is told the digests of the files that the pool is to keep; the others go.
    """

    client: str
    contract: LoadedContract
    assets: tuple[Asset, ...]
    content: Content
    pool: str
    accept: Callable[[str], bool]
    tidy: Callable[[frozenset[str]], None]

    def terms(self, at: int) -> tuple[Contract, SoftwareUpdates]:
        """The terms of the day an instant falls on; UsageError where they promise no updates."""
        contract, _ = terms_on(self.contract, datetime.fromtimestamp(at, UTC))
        updates = contract.missions.software_updates
        if updates is None:
            said = f"contract {contract.id} promises no software_updates"
            raise UsageError(said, hint="there is nothing to roll out")
        return contract, updates

    def covered(self, at: int) -> tuple[Asset, ...]:
        """The machines that the contract covers for updates at an instant, by name."""
        when = datetime.fromtimestamp(at, UTC)
        kind = MissionKind.SOFTWARE_UPDATES
        found = [one for one in self.assets if not verdict(self.contract, one, kind, at=when, uses=()).reasons]
        return tuple(sorted(found, key=lambda asset: asset.name))

    def waves(self, at: int) -> tuple[WavePlan, ...]:
        """The waves of a rollout that begins at an instant; UsageError where no machine is covered."""
        contract, updates = self.terms(at)
        machines = {asset.name: asset.groups for asset in self.covered(at)}
        if not machines:
            said = f"contract {contract.id} covers no machine of hosts.yml"
            raise UsageError(said, hint="`invoke contract.show` lists what is covered; nothing was done or recorded")
        return plan_waves(updates, machines)

"""Plan the proofs of a backup: a restore drill or its sabotage, an immutability probe, a restoration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from provisioner.model.drill import FULL
from provisioner.model.mission import MissionKind
from provisioner.model.plan import Plan, Step
from provisioner.planning.digest import plan_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.model.asset import Asset
    from provisioner.model.plan import Content

LONGEST = 12 * 3600
"""Seconds after which a drill is ended: what takes longer is no restoration that anybody waits for."""


class Saved(NamedTuple):
    """What the log says of a snapshot: its id as the agent made it, when it arrived, its manifest's digest or ""."""

    snapshot: str
    arrived: str
    manifest: str


@dataclass(frozen=True, kw_only=True)
class Drilling:
    """What is drilled: the backup of `agent`, its `snapshot` ("" for the newest), so many of a thousand files.

    `seed` is what its canary files are made from, `lot` what draws a sample, `known` what the log has, `databases`
    whether it has any, `sabotage` the damage that is done to a copy instead.
    """

    agent: Asset
    snapshot: str
    permille: int
    lot: str
    seed: str
    known: tuple[Saved, ...]
    sabotage: tuple[str, ...] = ()

    @property
    def databases(self) -> bool:
        """Whether dumps of databases come with the backup; a sample loads none."""
        return bool(self.agent.variables.get("backup_agent_databases")) and self.permille == FULL


def plan_drill(target: Asset, content: Content, work: Drilling) -> Plan:
    """Given the machine that restores, what would run and what is drilled, return the plan."""
    given: dict[str, object] = {
        "backup_proof_databases": work.databases,
        "backup_drill_client": target.client,
        "backup_drill_agent": work.agent.name,
        "backup_drill_snapshot": work.snapshot,
        "backup_drill_permille": work.permille,
        "backup_drill_lot": work.lot,
        "backup_drill_canary_seed": work.seed,
        "backup_drill_known": [one._asdict() for one in work.known],
        "backup_drill_sabotage": list(work.sabotage),
        "backup_drill_seconds": LONGEST,
    }
    return _plan(target, content, given)


def plan_probe(agent: Asset, content: Content) -> Plan:
    """Given an agent and what would run, return the plan that tries, from there, to change what its store holds."""
    return _plan(agent, content, {"backup_probe_seconds": 600})


@dataclass(frozen=True, kw_only=True)
class Restoring:
    """What is restored: of `agent`, under the folder `to`, its `snapshot` ("" for the newest), `paths` (() for all).

    `overwrite` moves aside what is in the way; `id` is part of the names of that; `store` is whether from its vault.
    """

    agent: Asset
    to: str
    snapshot: str
    paths: tuple[str, ...]
    overwrite: bool
    id: str
    known: tuple[Saved, ...]
    store: bool


def plan_restore(target: Asset, content: Content, work: Restoring) -> Plan:
    """Given the machine to restore on, what would run and what is restored, return the plan."""
    given: dict[str, object] = {
        "backup_proof_databases": False,
        "backup_restore_client": target.client,
        "backup_restore_agent": work.agent.name,
        "backup_restore_to": work.to,
        "backup_restore_id": work.id,
        "backup_restore_paths": list(work.paths),
        "backup_restore_overwrite": work.overwrite,
        "backup_restore_snapshot": work.snapshot,
        "backup_restore_known": [one._asdict() for one in work.known],
        "backup_restore_store": work.store,
        "backup_restore_seconds": LONGEST,
    }
    return _plan(target, content, given)


def _plan(asset: Asset, content: Content, given: Mapping[str, object]) -> Plan:
    prefixes = tuple(f"{role}_" for role in content.roles)
    of_client = {name: value for name, value in sorted(asset.variables.items()) if name.startswith(prefixes)}
    steps = (Step(assets=(asset.name,), variables={asset.name: {**of_client, **given}}),)
    mission = MissionKind.BACKUP
    digest = plan_digest(asset.client, mission, content=content, steps=steps)
    return Plan(client=asset.client, mission=mission, content=content, steps=steps, digest=digest)

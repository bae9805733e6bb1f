"""Plan the set-up of one workstation: one playbook on one asset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.model.mission import MissionKind
from provisioner.model.plan import Plan, Step
from provisioner.planning.digest import plan_digest

if TYPE_CHECKING:
    from provisioner.model.asset import Asset
    from provisioner.model.plan import Content


def plan_workstation_setup(asset: Asset, content: Content) -> Plan:
    """Given an asset and the content that would run, return the plan: the variables of the content's roles only."""
    prefixes = tuple(f"{role}_" for role in content.roles)
    variables = {name: value for name, value in sorted(asset.variables.items()) if name.startswith(prefixes)}
    steps = (Step(assets=(asset.name,), variables={asset.name: variables}),)
    mission = MissionKind.WORKSTATION_SETUP
    digest = plan_digest(asset.client, mission, content=content, steps=steps)
    return Plan(client=asset.client, mission=mission, content=content, steps=steps, digest=digest)

"""Plan one batch of a rollout of updates: one playbook on its machines, in the versions of the lock if there is one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioner.model.mission import MissionKind
from provisioner.model.plan import Plan, Step
from provisioner.planning.digest import plan_digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from provisioner.model.asset import Asset
    from provisioner.model.mission_terms import Pin, SoftwareUpdates
    from provisioner.model.package import PackageChange
    from provisioner.model.plan import Content
    from provisioner.model.rollout import Excepted


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is to be done: under which terms on which day, with which lock (None: what is pending), from which pool.

    `pool` is the folder of the controller in which the files of packages are kept, `rollout` the rollout's id,
    `excepted` what is left alone on which machine.
    """

    updates: SoftwareUpdates
    day: date
    lock: tuple[PackageChange, ...] | None
    pool: str
    rollout: str
    excepted: tuple[Excepted, ...] = ()


def plan_patch_scan(assets: Sequence[Asset], content: Content) -> Plan:
    """Given machines and what would run, return the plan that only reads what is pending on them."""
    return _plan(assets, content, {asset.name: {} for asset in assets})


def plan_software_updates(assets: Sequence[Asset], content: Content, work: Work) -> Plan:
    """Given the machines of a batch, what would run and what is to be done, return the plan.

    A package stays as it is until the last day of its hold, included.
    """
    given: dict[str, object] = {
        "patched_packages_locked": work.lock is not None,
        "patched_packages_lock": [package._asdict() for package in work.lock or ()],
        "patched_packages_pinned": [_held(pin) for pin in work.updates.pinned if work.day <= pin.until],
        "patched_packages_sessions": work.updates.sessions.value,
        "patched_packages_free": {path: size.mib for path, size in sorted(work.updates.free.items())},
        "patched_packages_pool": work.pool,
        "patched_packages_rollout": work.rollout,
        "patched_packages_reboot": work.updates.reboot.value,
    }
    prefixes = tuple(f"{role}_" for role in content.roles)
    variables = {
        asset.name: {name: value for name, value in asset.variables.items() if name.startswith(prefixes)}
        | given
        | {"patched_packages_excepted": _left_alone(work.excepted, asset.name)}
        for asset in assets
    }
    return _plan(assets, content, variables)


def _held(pin: Pin) -> dict[str, object]:
    """What the role is told of a package that is held back."""
    conditions = {"hardware": list(pin.hardware), "modules": list(pin.modules), "below": pin.below or ""}
    return {"package": pin.package, "reason": pin.reason, "owner": pin.owner, "until": f"{pin.until}", **conditions}


def _left_alone(excepted: Sequence[Excepted], asset: str) -> list[dict[str, str]]:
    """What the role is told of the updates that are left alone on a machine; `until` is the day of UTC it ends on."""
    return [
        {"name": one.package, "version": one.version, "until": f"{datetime.fromtimestamp(one.until, UTC):%Y-%m-%d}"}
        for one in excepted
        if one.asset == asset
    ]


def _plan(assets: Sequence[Asset], content: Content, variables: dict[str, dict[str, object]]) -> Plan:
    client, mission = assets[0].client, MissionKind.SOFTWARE_UPDATES
    steps = (Step(assets=tuple(asset.name for asset in assets), variables=variables),)
    digest = plan_digest(client, mission, content=content, steps=steps)
    return Plan(client=client, mission=mission, content=content, steps=steps, digest=digest)

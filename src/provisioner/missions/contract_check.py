"""Contract check: a client's folder read as every task reads it, and promises that cannot be kept besides (rule 15)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from itertools import combinations
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from provisioner.config.clients import load_client
from provisioner.errors import ConfigurationError
from provisioner.model.rollout_plan import ContractRings
from provisioner.planning.openings import Openings
from provisioner.planning.rings import foresee
from provisioner.planning.waves import plan_waves
from provisioner.terms.days import first_instant
from provisioner.terms.feasibility import unkept
from provisioner.terms.term import in_force

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from provisioner.config.clients import ClientConfiguration
    from provisioner.config.inventory import Decrypt
    from provisioner.config.role_inputs import RoleInputs
    from provisioner.errors import Problem
    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.inventory import Inventory


@dataclass(frozen=True)
class CheckedClient:
    """What was found: every problem; without any the warnings, and what each contract's waves make of its deadlines."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    rings: tuple[ContractRings, ...] = ()


def check_client(folder: Path, *, roles: RoleInputs, decrypt: Decrypt | None) -> CheckedClient:
    """Given a client's folder, read its contracts and machines, and say what is wrong, doubtful and to be expected."""
    try:
        found = load_client(folder, roles=roles, decrypt=decrypt, also=unkept)
    except ConfigurationError as error:
        return CheckedClient(error.problems)
    of_contracts = (text for contract in found.contracts for text in contract.warnings)
    rings = tuple(_rings(found))
    warnings = (
        *of_contracts,
        *found.inventory.warnings,
        *_disputed(found),
        *(text for one in rings for text in _late(one)),
    )
    return CheckedClient(warnings=warnings, rings=rings)


def _rings(found: ClientConfiguration) -> Iterator[ContractRings]:
    """The rollout of the newest terms of each contract, over the machines that they cover, from their first day on."""
    for loaded in found.contracts:
        day = max(version.effective for version in loaded.versions)
        terms = loaded.as_of(day)
        updates = terms.missions.software_updates
        machines = {one.name: one.groups for one in found.inventory.assets if one.groups.intersection(terms.assets)}
        if updates is not None and machines:
            at = first_instant(datetime.combine(day, time()), ZoneInfo(terms.timezone or "UTC"))
            waves = plan_waves(updates, dict(sorted(machines.items())))
            told = foresee(updates, waves, openings=Openings(terms, updates), at=at)
            yield ContractRings(
                terms.client.id, terms.id, len(machines), updates.batch, waves=told.waves, deadlines=told.deadlines
            )


def _late(rings: ContractRings) -> Iterator[str]:
    """Deadlines that so many machines in such batches do not meet, whatever the windows alone would allow."""
    for deadline in rings.deadlines:
        if deadline.kept == "no" and rings.waves:
            best = "never" if deadline.best is None else f"after {deadline.best / 86400:.1f} d at best"
            said = (
                f"with {rings.machines} machines, {rings.batch} at once, wave {rings.waves[-1].name} is through {best}"
            )
            promised = f"{deadline.promised / 86400:g} d are promised for {deadline.name} updates"
            yield f"{rings.contract}: {said}; {promised}"


def _disputed(found: ClientConfiguration) -> Iterator[str]:
    """Say of each pair of contracts from which day on both decide about the same machines, and about which."""
    for first, second in combinations(found.contracts, 2):
        days = sorted({version.effective for one in (first, second) for version in one.versions})
        for day in days:
            names = _covered(first, day, found.inventory) & _covered(second, day, found.inventory)
            if names:
                who = f"{first.id} and {second.id} are both in force on {day} and cover {', '.join(sorted(names))}"
                yield f"{who}: work on these needs --contract-id"
                break


def _covered(contract: LoadedContract, day: date, inventory: Inventory) -> frozenset[str]:
    """The machines that a contract decides about on a day of its time zone."""
    terms: Contract = contract.as_of(day)
    if not in_force(terms, day):
        return frozenset()
    return frozenset(asset.name for asset in inventory.assets if asset.groups.intersection(terms.assets))

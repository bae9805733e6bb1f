"""Contract check: a client's folder read as every task reads it, and promises that cannot be kept besides (rule 15)."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from provisioner.config.clients import load_client
from provisioner.errors import ConfigurationError
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


def check_client(
    folder: Path, *, roles: RoleInputs, decrypt: Decrypt | None
) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
    """Given a client's folder, return every problem of its contracts and machines; without any, the warnings."""
    try:
        found = load_client(folder, roles=roles, decrypt=decrypt, also=unkept)
    except ConfigurationError as error:
        return error.problems, ()
    of_contracts = (text for contract in found.contracts for text in contract.warnings)
    return (), (*of_contracts, *found.inventory.warnings, *_disputed(found))


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

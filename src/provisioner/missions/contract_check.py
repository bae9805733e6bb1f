"""Contract check: a client's folder read as every task reads it, and promises that cannot be kept besides (rule 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.config.clients import load_client
from provisioner.errors import ConfigurationError
from provisioner.terms.feasibility import unkept

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.config.inventory import Decrypt
    from provisioner.config.role_inputs import RoleInputs
    from provisioner.errors import Problem


def check_client(
    folder: Path, *, roles: RoleInputs, decrypt: Decrypt | None
) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
    """Given a client's folder, return every problem of its contracts and machines; without any, the warnings."""
    try:
        found = load_client(folder, roles=roles, decrypt=decrypt, also=unkept)
    except ConfigurationError as error:
        return error.problems, ()
    of_contracts = (text for contract in found.contracts for text in contract.warnings)
    return (), (*of_contracts, *found.inventory.warnings)

"""Standing: what a day makes of a client's contracts, and which of them work on a machine rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.model.record import Membership
from provisioner.reporting.contracts import Standing
from provisioner.terms.choice import choose, named
from provisioner.terms.term import in_force, last_day, terms_on

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from provisioner.model.asset import Asset
    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.inventory import Inventory
    from provisioner.terms.choice import Choice


def standing(loaded: LoadedContract, inventory: Inventory, at: datetime) -> tuple[Contract, Standing]:
    """Given a contract, the client's machines and an instant, return the terms of that day and where they stand."""
    contract, day = terms_on(loaded, at)
    end = last_day(contract)
    covered = tuple(asset.name for asset in inventory.assets if asset.groups.intersection(contract.assets))
    return contract, Standing(
        day=day,
        in_force=in_force(contract, day),
        last_day=end,
        covered=covered,
        uncovered=tuple(asset.name for asset in inventory.assets if asset.name not in covered),
    )


def deciding(contracts: Sequence[LoadedContract], asset: Asset, *, at: datetime, contract_id: str | None) -> Choice:
    """Given a client's contracts, return the one that work on a machine rests on; UsageError when two decide.

    Where none does, it is the one that came closest, whose verdict will refuse the work with the clause.
    """
    membership = Membership(groups={asset.name: asset.groups})
    return choose(contracts, at=int(at.timestamp()), asset=asset.name, membership=membership, contract_id=contract_id)


def standing_ones(
    contracts: Sequence[LoadedContract], at: datetime, *, contract_id: str | None
) -> tuple[LoadedContract, ...]:
    """Return the contract that was asked for, or the only one, or of several each that is in force.

    Raises UsageError when none has that id, or none of several is in force.
    """
    if contract_id is not None:
        return (named(contracts, contract_id),)
    if len(contracts) == 1:
        return tuple(contracts)
    found = tuple(one for one in contracts if in_force(*terms_on(one, at)))
    if not found:
        why = choose(contracts, at=int(at.timestamp()), asset=None, membership=Membership(groups=None)).why
        raise UsageError(f"no contract is in force: {why}", hint=f"show one with --contract-id {contracts[-1].id}")
    return found

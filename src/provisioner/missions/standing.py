"""Standing: what a day makes of a contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.reporting.contracts import Standing
from provisioner.terms.term import last_day, terms_on

if TYPE_CHECKING:
    from datetime import datetime

    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.inventory import Inventory


def standing(loaded: LoadedContract, inventory: Inventory, at: datetime) -> tuple[Contract, Standing]:
    """Given a contract, the client's machines and an instant, return the terms of that day and where they stand."""
    contract, day = terms_on(loaded, at)
    end = last_day(contract)
    covered = tuple(asset.name for asset in inventory.assets if asset.groups.intersection(contract.assets))
    return contract, Standing(
        day=day,
        in_force=contract.starts <= day and (end is None or day <= end),
        last_day=end,
        covered=covered,
        uncovered=tuple(asset.name for asset in inventory.assets if asset.name not in covered),
    )

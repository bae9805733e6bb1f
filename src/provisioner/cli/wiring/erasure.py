"""What `audit.erase` needs: the wish, with the instant, who asks, and the contract where its term decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli import wiring
from provisioner.config.clients import client_folder
from provisioner.config.contracts import load_contract
from provisioner.missions.erase import Wish

if TYPE_CHECKING:
    from provisioner.cli.wiring import Site


def wish_for(where: Site, client: str, *, person: str) -> Wish:
    """Build the wish for a person, or, where none is named, for what is beyond the term of the client's contract."""
    at, operator = wiring.now(), where.settings.operator
    if person:
        return Wish(at=at, operator=operator, person=person)
    contract = load_contract(client_folder(where.settings.inventories, client) / "contract.yml")
    return Wish(at=at, operator=operator, contract=contract)

"""What `audit.erase` needs: the wish, with the instant, who asks, and the contract where its term decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli import wiring
from provisioner.config.clients import client_folder
from provisioner.config.contracts import load_contracts
from provisioner.missions.erase import Wish

if TYPE_CHECKING:
    from provisioner.cli.wiring import Site


def wish_for(where: Site, client: str, *, person: str) -> Wish:
    """Build the wish for a person, or, where none is named, for what is beyond the term of the client's contracts."""
    at, operator = wiring.now(), where.settings.operator
    if person:
        return Wish(at=at, operator=operator, person=person)
    contracts = load_contracts(client_folder(where.settings.inventories, client))
    return Wish(at=at, operator=operator, contracts=contracts)

"""Workstation set-up: plan it and hand over to the one algorithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.missions.bodies import Request
from provisioner.missions.perform import perform
from provisioner.planning.workstation_setup import plan_workstation_setup

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.missions.services import Services
    from provisioner.model.approval import Offer
    from provisioner.model.asset import Asset
    from provisioner.model.contract import LoadedContract
    from provisioner.model.intervention import Intervention
    from provisioner.model.plan import Content
    from provisioner.model.values import Duration


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One workstation to set up: under which contract, with which content; the rest as in `Request`."""

    asset: Asset
    contract: LoadedContract
    content: Content
    accept: Callable[[str], bool]
    ticket: str | None
    check: bool
    spent: Duration | None
    approval: Offer | None


def set_up_workstation(wish: Wish, services: Services) -> Intervention:
    """Given a wish, plan and perform it; see `perform` for what it returns and raises."""
    request = Request(
        contract=wish.contract,
        assets=(wish.asset,),
        plan=plan_workstation_setup(wish.asset, wish.content),
        accept=wish.accept,
        ticket=wish.ticket,
        check=wish.check,
        spent=wish.spent,
        approval=wish.approval,
    )
    return perform(request, services)

"""Allowances: how many assets a mission includes in a period, and how many are left (rule 12)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from provisioner.model.balance import Balance, Unit
from provisioner.terms.days import day_of
from provisioner.terms.grants import Carrying, Draw, Grant, grant, periods, settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, datetime

    from provisioner.model.contract import LoadedContract
    from provisioner.model.mission import MissionKind
    from provisioner.model.values import Period


@dataclass(frozen=True, kw_only=True)
class Use:
    """One asset of one intervention, as the log has it: what for, when it was opened, and whether it counts.

    It counts when it was accepted (changed or unchanged), was no check run, and did not rest on an approval.
    """

    asset: str
    mission: MissionKind
    at: datetime
    counts: bool


def balance(loaded: LoadedContract, mission: MissionKind, *, day: date, uses: Iterable[Use]) -> Balance | None:
    """Given what was used, return the allowance's balance in the period of `day`; None when the mission is unlimited.

    What is left of a period moves on when the allowance rolls over, oldest first, until it `expires` after the end of
    its period (the end of the next period when absent). A period has the terms of its last day; the one of `day` those
    of `day`, and what was granted by another kind of period does not move on. Days before `starts` have the first
    period's balance.
    """
    terms = loaded.as_of(day).mission(mission)
    if terms is None or terms.allowance is None:
        return None
    zone = loaded.timezone
    draws = (Draw(day_of(use.at, zone), 1, use.asset) for use in uses if use.counts and use.mission is mission)
    *_, now = settle(_grants(loaded, mission, terms.allowance.per, day=day), draws, day=day)
    return Balance(
        contract=loaded.id,
        clause=clause(mission),
        unit=Unit.ASSETS,
        first=now.first,
        last=now.last,
        granted=now.granted,
        used=now.used,
        left=now.left,
        expired=now.expired,
        overage=now.overage,
        assets=now.names,
    )


def clause(mission: MissionKind) -> str:
    """The line of the contract that an allowance stands in."""
    return f"missions.{mission}.allowance"


def _grants(loaded: LoadedContract, mission: MissionKind, per: Period, *, day: date) -> Iterator[Grant]:
    contract = loaded.as_of(day)
    for span, (_, next_last) in pairwise(periods(contract, per)):
        terms = loaded.as_of(min(span[1], day)).mission(mission)
        allowance = terms.allowance if terms else None
        if allowance is None or allowance.per is not per:
            yield Grant(*span, 0, span[1])
        else:
            carrying = Carrying(rollover=allowance.rollover, expires=allowance.expires)
            yield grant(span, next_last, allowance.count, carrying=carrying, contract=contract)

"""Allowances: how much of a mission a period includes, and how much of it is left (rule 12)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from provisioner.model.values import Duration, Period
from provisioner.terms.days import day_of, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.model.contract import Contract
    from provisioner.model.mission import MissionKind
    from provisioner.model.mission_terms import Allowance

MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12, Period.CONTRACT_YEAR: 12}


@dataclass(frozen=True, kw_only=True)
class Use:
    """One asset of one intervention, as the log has it: what for, when it was opened, and whether it counts.

    It counts when it was accepted (changed or unchanged) and was no check run.
    """

    asset: str
    mission: MissionKind
    at: datetime
    counts: bool


@dataclass(frozen=True, kw_only=True)
class Balance:
    """An allowance on a day: first and last day of its period, what it grants (carried included), who used it.

    `left` is how many more assets are included that day; never below zero.
    """

    first: date
    last: date
    granted: int
    left: int
    used: frozenset[str]

    def admits(self, asset: str) -> bool:
        """Whether work on the asset is included: something is left, or it was counted already in this period."""
        return asset in self.used or self.left > 0


def periods(contract: Contract, per: Period) -> Iterator[tuple[date, date]]:
    """Yield the first and last day of each period, from the one that `starts` falls in.

    Calendar periods begin on the first of a month; a contract year on the anniversary of `starts`.
    """
    months = MONTHS[per]
    anchor = contract.starts
    if per is not Period.CONTRACT_YEAR:
        anchor = anchor.replace(month=(anchor.month - 1) // months * months + 1, day=1)
    span = Duration(months, "mo")
    times = 0
    while True:
        first, after = step(anchor, span, times), step(anchor, span, times + 1)
        yield first, after - timedelta(days=1)
        times += 1


def balance(contract: Contract, mission: MissionKind, *, day: date, uses: Iterable[Use]) -> Balance | None:
    """Given what was used, return the allowance's balance in the period of `day`; None when the mission is unlimited.

    What is left of a period moves on when the allowance rolls over, oldest first, until it `expires` after the end of
    its period (the end of the next period when absent). Days before `starts` have the first period's balance.
    """
    terms = contract.mission(mission)
    if terms is None or terms.allowance is None:
        return None
    counted = [use for use in uses if use.counts and use.mission is mission]
    waiting = deque(sorted((day_of(use.at, contract.timezone), use.asset) for use in counted))
    left: dict[date, int] = {}  # by the last day on which it can be drawn, oldest first
    for (first, last), (_, next_last) in pairwise(periods(contract, terms.allowance.per)):
        left = {until: amount for until, amount in left.items() if amount and until >= first}
        left[_until(terms.allowance, last, next_last)] = terms.allowance.count
        used: dict[str, date] = {}
        while waiting and waiting[0][0] <= last:
            on, asset = waiting.popleft()
            if on >= first:
                used.setdefault(asset, on)
        drawn = _draw(left, used.values())
        if day <= last:
            usable = sum(amount for until, amount in left.items() if until >= day)
            return Balance(first=first, last=last, granted=drawn + usable, left=usable, used=frozenset(used))
    raise AssertionError("periods do not end")


def _until(allowance: Allowance, last: date, next_last: date) -> date:
    """The last day on which what a period grants can be drawn, given the last days of it and of the next one."""
    if not allowance.rollover:
        return last
    if allowance.expires is None:
        return next_last
    return step(last + timedelta(days=1), allowance.expires, 1) - timedelta(days=1)


def _draw(left: dict[date, int], days: Iterable[date]) -> int:
    """Take one for each day from the oldest in `left` that can still be drawn then; return how many there were."""
    drawn = 0
    for day in days:
        until = next((until for until, amount in left.items() if amount and until >= day), None)
        if until is not None:
            left[until] -= 1
            drawn += 1
    return drawn

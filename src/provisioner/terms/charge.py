"""Charge: what a run would draw, foreseen before anything is opened (rule 12)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from provisioner.model.mission import MissionKind
from provisioner.model.values import Percentage
from provisioner.model.verdict import Reason, Verdict
from provisioner.terms import allowances, prepaid
from provisioner.terms.days import day_of
from provisioner.terms.prepaid import Labour, Work, labour_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from provisioner.model.balance import Balance
    from provisioner.model.contract import LoadedContract
    from provisioner.terms.allowances import Use

WARN_AT = (Percentage(Decimal(80)), Percentage(Decimal(100)))
"""Shares of an allowance at which to warn; the prepaid hours say theirs in `warn_at`."""


def included(loaded: LoadedContract, mission: MissionKind, *, at: datetime) -> bool:
    """Whether work of the mission that the contract admits is inside an allowance: it has one, so it draws no hours."""
    terms = loaded.as_of(day_of(at, loaded.timezone)).mission(mission)
    return terms is not None and terms.allowance is not None


def allowance_warnings(
    loaded: LoadedContract, mission: MissionKind, *, at: datetime, uses: Sequence[Use], more: Sequence[Use]
) -> tuple[str, ...]:
    """Given the uses so far and those that a run would add, return a sentence if they come to 80% or 100%."""
    day = day_of(at, loaded.timezone)
    before = allowances.balance(loaded, mission, day=day, uses=uses)
    after = allowances.balance(loaded, mission, day=day, uses=[*uses, *more])
    if before is None or after is None:
        return ()
    said = f"this run makes {after.used} of {after.usable} assets of {after.clause} for {after.first} to {after.last}"
    return tuple(f"{said}: {share} of it" for share in _passed(before, after, WARN_AT))


def foresee(loaded: LoadedContract, work: Work, *, labour: Iterable[Labour]) -> tuple[Verdict, tuple[str, ...]]:
    """Given the labour so far and work to come, say whether the prepaid hours allow it, and sentences of warning.

    Refused (`prepaid_used`) is labour beyond the hours where the contract has no price for it. Work that draws nothing
    is allowed whatever is left.
    """
    drawn, day = labour_of(loaded, work), day_of(work.at, loaded.timezone)
    so_far = tuple(labour)
    before = prepaid.balance(loaded, so_far, day=day)
    after = prepaid.balance(loaded, (*so_far, drawn), day=day)
    terms = loaded.as_of(day).prepaid
    allowed = Verdict(clause=prepaid.CLAUSE)
    if before is None or after is None or terms is None or not drawn.seconds:
        return allowed, ()
    said = f"this run makes {shown(after.used)} of {shown(after.usable)} prepaid for {after.first} to {after.last}"
    warnings = [f"{said}: {share} of it" for share in _passed(before, after, terms.warn_at)]
    beyond = after.overage - before.overage
    if not beyond:
        return allowed, tuple(warnings)
    period = f"the prepaid hours of {after.first} to {after.last} have {shown(before.left)} left"
    if terms.overage_hourly is None:
        text = f"{period} for {shown(after.used - before.used + beyond)} of labour, and the contract prices no more"
        reason = Reason(code="prepaid_used", clause=prepaid.CLAUSE, text=text)
        return Verdict(clause=prepaid.CLAUSE, reasons=(reason,)), tuple(warnings)
    priced = f"{shown(beyond)} at {terms.overage_hourly} {loaded.as_of(day).currency} an hour"
    return allowed, (*warnings, f"{period}: this run goes {priced} beyond them")


def balances(
    loaded: LoadedContract, *, at: datetime, uses: Iterable[Use], labour: Iterable[Labour]
) -> tuple[Balance, ...]:
    """Given what was used until `at`, return the balance of each allowance and of the prepaid hours, in that order."""
    day, known = day_of(at, loaded.timezone), [use for use in uses if use.at <= at]
    counts = (allowances.balance(loaded, mission, day=day, uses=known) for mission in MissionKind)
    hours = prepaid.balance(loaded, (each for each in labour if each.at <= at), day=day)
    return tuple(one for one in (*counts, hours) if one is not None)


def shown(seconds: int) -> str:
    """Given seconds, return them for a person: `1 h 15 min`, `45 min`; the odd seconds of a rest as `36 s`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount) or "0 min"


def _passed(before: Balance, after: Balance, shares: Iterable[Percentage]) -> list[Percentage]:
    """The highest of the shares that `before` has not come to and `after` has; none or one."""
    passed = [
        share
        for share in shares
        if before.used * 100 < share.value * before.usable and after.used * 100 >= share.value * after.usable
    ]
    return [max(passed)] if passed else []

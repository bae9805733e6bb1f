"""Prepaid hours: labour rounded up each time, oldest first; what goes beyond is priced once a period (rule 12)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from provisioner.model.balance import Balance, Unit
from provisioner.model.mission_terms import Draws
from provisioner.model.values import Money
from provisioner.terms.days import day_of
from provisioner.terms.grants import Carrying, Draw, Grant, grant, periods, settle
from provisioner.terms.term import last_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, datetime

    from provisioner.model.contract import Contract, LoadedContract, Prepaid
    from provisioner.model.mission import MissionKind
    from provisioner.model.values import Duration, Period
    from provisioner.terms.grants import Settled

CLAUSE = "prepaid"
CENT = Decimal("0.01")
HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class Labour:
    """Time that people spent, in seconds before any rounding, on the day of `at`; `what` names the work or ticket."""

    at: datetime
    seconds: int
    what: str


@dataclass(frozen=True, kw_only=True)
class Work:
    """What an intervention says of its labour: what `--spent` said, and for an unattended run how long it took.

    `included` says that the work was inside an allowance; `counts` that it was accepted, and no check run.
    """

    at: datetime
    what: str
    mission: MissionKind
    counts: bool
    included: bool
    spent: Duration | None = None
    elapsed: int = 0
    unattended: bool = False


def labour_of(loaded: LoadedContract, work: Work) -> Labour:
    """Given an intervention, return the labour that it draws; of none at all it is no second.

    Work inside an allowance draws none, nor does work that was not accepted. An unattended run draws what it took if
    the mission says `draws: elapsed`, and nothing otherwise.
    """
    seconds = work.spent.seconds if work.spent else 0
    if work.unattended:
        terms = loaded.as_of(day_of(work.at, loaded.timezone)).mission(work.mission)
        seconds = work.elapsed if terms is not None and terms.draws is Draws.ELAPSED else 0
    return Labour(at=work.at, seconds=0 if work.included or not work.counts else seconds, what=work.what)


def rounded(seconds: int, prepaid: Prepaid) -> int:
    """Given labour in seconds, return it rounded up to `round_up_to`; as it is when the contract names no unit."""
    unit = prepaid.round_up_to.seconds if prepaid.round_up_to else 1
    return -(-seconds // unit) * unit


def balances(loaded: LoadedContract, labour: Iterable[Labour], *, day: date) -> tuple[Balance, ...]:
    """Given labour, return the balance of each period from the first to that of `day`, in seconds; none without hours.

    Each has the terms of its last day, the one of `day` those of `day`; labour is rounded by the terms of its own day.
    Labour on days without prepaid hours, or outside the term, draws nothing. The overage of a period is priced once,
    half-up to the cent.
    """
    prepaid = loaded.as_of(day).prepaid
    if prepaid is None:
        return ()
    settled = settle(_grants(loaded, prepaid.per, day=day), _draws(loaded, labour), day=day)
    return tuple(_balance(loaded, one, day=day) for one in settled)


def balance(loaded: LoadedContract, labour: Iterable[Labour], *, day: date) -> Balance | None:
    """Given labour, return the balance of the prepaid hours in the period of `day`; None when there are none."""
    found = balances(loaded, labour, day=day)
    return found[-1] if found else None


def price(seconds: int, hourly: Money) -> Money:
    """Given seconds beyond the prepaid hours and the price of an hour, return what they cost, half-up to the cent."""
    return Money((seconds * hourly.amount / HOUR).quantize(CENT, ROUND_HALF_UP))


def _balance(loaded: LoadedContract, one: Settled, *, day: date) -> Balance:
    prepaid = loaded.as_of(min(one.last, day)).prepaid
    hourly = prepaid.overage_hourly if prepaid else None
    return Balance(
        contract=loaded.id,
        clause=CLAUSE,
        unit=Unit.SECONDS,
        first=one.first,
        last=one.last,
        granted=one.granted,
        used=one.used,
        left=one.left,
        expired=one.expired,
        overage=one.overage,
        overage_amount=price(one.overage, hourly) if hourly else None,
    )


def _draws(loaded: LoadedContract, labour: Iterable[Labour]) -> Iterator[Draw]:
    for each in labour:
        on = day_of(each.at, loaded.timezone)
        terms = loaded.as_of(on)
        if terms.prepaid is not None and _in_term(terms, on):
            yield Draw(on, rounded(each.seconds, terms.prepaid))


def _in_term(terms: Contract, day: date) -> bool:
    end = last_day(terms)
    return terms.starts <= day and (end is None or day <= end)


def _grants(loaded: LoadedContract, per: Period, *, day: date) -> Iterator[Grant]:
    contract = loaded.as_of(day)
    for span, (_, next_last) in pairwise(periods(contract, per)):
        prepaid = loaded.as_of(min(span[1], day)).prepaid
        if prepaid is None or prepaid.per is not per:
            yield Grant(*span, 0, span[1])
        else:
            carrying = Carrying(rollover=prepaid.rollover, expires=prepaid.expires)
            yield grant(span, next_last, int(prepaid.hours * HOUR), carrying=carrying, contract=contract)

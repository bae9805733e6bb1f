"""Grants: what each period brings, drawn oldest first, until it expires. For counts and for hours (rule 12)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from provisioner.model.values import Duration, Period
from provisioner.terms.days import step
from provisioner.terms.term import last_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.model.contract import Contract

ONE_DAY = timedelta(days=1)

MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12, Period.CONTRACT_YEAR: 12}


class Grant(NamedTuple):
    """What a period of these days brings, and the last day on which it can be drawn."""

    first: date
    last: date
    amount: int
    until: date


class Draw(NamedTuple):
    """Something taken on a day. In one period the same name takes once; without a name it takes each time."""

    on: date
    amount: int
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Settled:
    """A period and what became of its grant: granted (carried in included) = used + left + expired.

    `overage` was taken beyond it; `names` are those that took.
    """

    first: date
    last: date
    granted: int
    used: int
    left: int
    expired: int
    overage: int
    names: frozenset[str]


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
        yield first, after - ONE_DAY
        times += 1


@dataclass(frozen=True, kw_only=True)
class Carrying:
    """Whether what is left of a period moves on, and how long after its end (None: to the end of the next one)."""

    rollover: bool
    expires: Duration | None


def grant(span: tuple[date, date], next_last: date, amount: int, *, carrying: Carrying, contract: Contract) -> Grant:
    """Given a period, the last day of the next one, and the terms, return its grant.

    Nothing can be drawn after the contract's last day, and a period that begins after it brings nothing.
    """
    first, last = span
    if not carrying.rollover:
        until = last
    elif carrying.expires is None:
        until = next_last
    else:
        until = step(last + ONE_DAY, carrying.expires, 1) - ONE_DAY
    end = last_day(contract)
    if end is None:
        return Grant(first, last, amount, until)
    return Grant(first, last, amount if first <= end else 0, min(until, end))


class _Pot:
    """What can be drawn, oldest grant first."""

    def __init__(self) -> None:
        self._grants: list[Grant] = []

    @property
    def left(self) -> int:
        return sum(grant.amount for grant in self._grants)

    def add(self, grant: Grant) -> None:
        self._grants.append(grant)

    def expire(self, day: date) -> int:
        """Throw away what cannot be drawn on `day` any more; return how much that was."""
        before = self.left
        self._grants = [grant for grant in self._grants if grant.until >= day and grant.amount]
        return before - self.left

    def take(self, amount: int) -> int:
        """Take up to `amount`; return how much there was."""
        wanted = amount
        for place, grant in enumerate(self._grants):
            part = min(wanted, grant.amount)
            self._grants[place] = grant._replace(amount=grant.amount - part)
            wanted -= part
        return amount - wanted


def settle(grants: Iterable[Grant], draws: Iterable[Draw], *, day: date) -> Iterator[Settled]:
    """Given what periods bring, oldest first, and what was taken, yield each period up to that of `day`.

    The last one stands as of `day` (a day before the first period: as it begins), the others as of their end. What is
    taken before the first period, or after `day`, is not looked at.
    """
    waiting, pot = deque(sorted(draws)), _Pot()
    for period in grants:
        while waiting and waiting[0].on < period.first:
            waiting.popleft()
        carried = pot.left
        pot.add(period)
        end, taken = min(period.last, day), list[Draw]()
        while waiting and waiting[0].on <= end:
            taken.append(waiting.popleft())
        yield _settled(period, carried, pot, taken=taken, after=day if day <= period.last else period.last + ONE_DAY)
        if day <= period.last:
            return


def _settled(period: Grant, carried: int, pot: _Pot, *, taken: Iterable[Draw], after: date) -> Settled:
    """Draw from the pot what was taken in a period; `after` is the day on which the result stands."""
    names = set[str]()
    used = overage = expired = 0
    for draw in taken:
        if draw.name in names:
            continue
        names.update(filter(None, [draw.name]))
        expired += pot.expire(draw.on)
        drawn = pot.take(draw.amount)
        used, overage = used + drawn, overage + draw.amount - drawn
    expired += pot.expire(after)
    return Settled(
        first=period.first,
        last=period.last,
        granted=carried + period.amount,
        used=used,
        left=pot.left,
        expired=expired,
        overage=overage,
        names=frozenset(names),
    )

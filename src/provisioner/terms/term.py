"""The term of a contract: from which day to which it binds, and with which terms (rules 8 and 9)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from provisioner.model.contract import RenewalKind
from provisioner.terms.days import day_of, step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from provisioner.model.contract import Contract, LoadedContract

ONE_DAY = timedelta(days=1)


def terms_on(loaded: LoadedContract, at: datetime) -> tuple[Contract, date]:
    """Given a contract and an aware instant, return the terms in force then, amendments applied, and the day it is.

    The day is that of the contract's time zone, which no amendment changes (rule 8).
    """
    day = day_of(at, loaded.versions[0].contract.timezone)
    return loaded.as_of(day), day


def ends_of_terms(contract: Contract) -> Iterator[date]:
    """Yield the last day of the first term, then of each tacit renewal; without tacit renewal there is only the first.

    A renewal runs on for `term` from the day after `ends`, so a term that ends with a month goes on ending with one.
    """
    yield contract.ends
    renewal = contract.renewal
    if renewal.kind is not RenewalKind.TACIT or renewal.term is None:
        return
    times = 1
    while (last := step(contract.ends + ONE_DAY, renewal.term, times) - ONE_DAY) < date(2500, 1, 1):
        yield last
        times += 1


def last_useful_day(contract: Contract, end: date) -> date:
    """Given the end of a term, return the last day on which notice can be received that ends the contract there."""
    notice = contract.renewal.notice
    return step(end, notice, -1) if notice is not None else end


def last_day(contract: Contract) -> date | None:
    """Return the last day in force; None while a tacitly renewed contract runs on and nobody gave notice."""
    given = contract.renewal.notice_given
    if contract.renewal.kind is not RenewalKind.TACIT:
        return contract.ends
    if given is None:
        return None
    return next((end for end in ends_of_terms(contract) if given.on <= last_useful_day(contract, end)), None)


def in_force(terms: Contract, day: date) -> bool:
    """Whether the contract binds on a day of its time zone, given its terms of that day."""
    end = last_day(terms)
    return terms.starts <= day and (end is None or day <= end)

"""Credits: what breaches give back, each rounded once, and what the cap leaves of a month's sum (rules 8 and 10)."""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, NamedTuple

from provisioner.errors import UsageError
from provisioner.model.measurement import Credit, MonthTotal, State
from provisioner.model.sentence import Sentence
from provisioner.model.values import Money, Period
from provisioner.terms.grants import periods
from provisioner.terms.objectives.promise import day_at, month_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.measurement import Bounds, Measurement
    from provisioner.model.objective import Objective, Penalty, Tier
    from provisioner.model.values import Percentage

_CENT = Decimal("0.01")


def share(percent: Percentage, fee: Money) -> Money:
    """Given a percentage and a fee, return the amount, half a cent rounded up."""
    return Money((fee.amount * percent.value / 100).quantize(_CENT, ROUND_HALF_UP))


def credits_for(measurements: Iterable[Measurement], contracts: Mapping[str, LoadedContract]) -> tuple[Credit, ...]:
    """Given measurements, and contracts by id, return the credits of those that are breached and have a penalty.

    One for each objective and ticket, one for each objective and month where it is measured by month: of several
    assets the worst. The penalty is that of the terms that bound the measurement, the fee the one in force at the
    breach (rule 8). A result below the target and below no step of its tiers costs nothing.
    """
    worst: dict[tuple[str, str, str], Measurement] = {}
    for found in measurements:
        if found.state is State.BREACHED and found.objective is not None:
            key = (found.contract, found.objective, f"ticket {found.ticket}" if found.ticket else found.month or "")
            if key not in worst or found.elapsed_seconds > worst[key].elapsed_seconds:
                worst[key] = found
    owed = (_credit(found, contracts[found.contract]) for found in worst.values())
    return tuple(credit for credit in owed if credit is not None)


def _credit(found: Measurement, loaded: LoadedContract) -> Credit | None:
    if found.bound is None or found.breached_at is None:
        raise ValueError("a breach has an instant, and terms that bound it")
    objective = _objective(loaded.as_of(day_at(found.bound, loaded)), found.objective)
    if objective.penalty is None:
        return None
    terms = loaded.as_of(day_at(found.breached_at, loaded))
    owed = _amount(objective.penalty, terms.monthly_fee, found.bounds)
    if owed is None:
        return None
    amount, reason = owed
    return Credit(
        contract=loaded.id,
        objective=objective.id,
        clause=f"{found.clause}.penalty",
        month=found.month or month_of(found.breached_at, loaded),
        amount=amount,
        reason=reason,
        measurement=found,
    )


def _objective(terms: Contract, wanted: str | None) -> Objective:
    return next(objective for objective in terms.objectives if objective.id == wanted)


def _amount(penalty: Penalty, fee: Money, bounds: Bounds | None) -> tuple[Money, Sentence] | None:
    """The amount and its arithmetic; None below no step of the tiers."""
    if penalty.per_breach is not None:
        return penalty.per_breach, Sentence("{amount} a breach", amount=penalty.per_breach)
    if penalty.percent_of_fee is not None:
        percent = penalty.percent_of_fee
        amount = share(percent, fee)
        said = "{percent} of the monthly fee of {fee} is {amount}"
        return amount, Sentence(said, percent=percent, fee=fee, amount=amount)
    tier = _worst_tier(penalty, bounds)
    if tier is None:
        return None
    amount = share(tier.percent_of_fee, fee)
    said = "below {below}: {percent} of the monthly fee of {fee} is {amount}"
    return amount, Sentence(said, below=tier.below, percent=tier.percent_of_fee, fee=fee, amount=amount)


def _worst_tier(penalty: Penalty, bounds: Bounds | None) -> Tier | None:
    if bounds is None:
        return None
    reached = [tier for tier in penalty.tiers if bounds.value < tier.below.value]
    return min(reached, key=lambda tier: tier.below.value, default=None)


class _Part(NamedTuple):
    """The credits of one contract and month that fall into one period of its cap; the month itself without a cap."""

    month: str
    first: date
    last: date
    contract: str


def totals(owed: Iterable[Credit], contracts: Mapping[str, LoadedContract]) -> dict[str, MonthTotal]:
    """Given credits, and contracts by id, return the sum of each month that has any, before and after the cap.

    The cap holds for the credits of its period, months in order; it is a share of the fee on the month's last day.
    Raises UsageError where a month has credits in two currencies.
    """
    parts: defaultdict[_Part, list[Credit]] = defaultdict(list)
    for credit in owed:
        parts[_part(credit, contracts[credit.contract])].append(credit)
    found: dict[str, MonthTotal] = {}
    paid: list[tuple[str, date, Decimal]] = []
    currencies: dict[str, str] = {}
    for part in sorted(parts):
        loaded = contracts[part.contract]
        terms = loaded.as_of(_last_of(part.month))
        if currencies.setdefault(part.month, terms.currency) != terms.currency:
            message = f"the credits of {part.month} are in {currencies[part.month]} and in {terms.currency}"
            raise UsageError(message, hint="state one contract at a time with --contract-id")
        before = sum((credit.amount.amount for credit in parts[part]), Decimal(0))
        used = sum((sum_ for id_, day, sum_ in paid if id_ == loaded.id and part.first <= day <= part.last), Decimal(0))
        after, said = _capped(part, before, used, terms)
        paid.append((loaded.id, max(_day(credit, loaded) for credit in parts[part]), after))
        found[part.month] = _added(
            found.get(part.month), MonthTotal(before_cap=Money(before), after_cap=Money(after), cap=said)
        )
    return found


def _part(credit: Credit, loaded: LoadedContract) -> _Part:
    last = _last_of(credit.month)
    cap = loaded.as_of(last).penalty_cap
    first = last.replace(day=1)
    if cap is not None and cap.per is not Period.MONTH:
        day = _day(credit, loaded)
        first, last = next(span for span in periods(loaded.versions[0].contract, cap.per) if day <= span[1])
    return _Part(credit.month, first, last, loaded.id)


def _day(credit: Credit, loaded: LoadedContract) -> date:
    """The day of the breach; for a result by month, judged when it has ended, the last day measured."""
    at = credit.measurement.breached_at or 0
    return day_at(at - 1 if credit.measurement.month else at, loaded)


def _last_of(month: str) -> date:
    year, number = (int(part) for part in month.split("-"))
    return date(year, number, monthrange(year, number)[1])


def _capped(part: _Part, before: Decimal, used: Decimal, terms: Contract) -> tuple[Decimal, str]:
    """What the cap leaves of a sum, where `used` is what the months before took of it; and the cap as a sentence."""
    cap = terms.penalty_cap
    if cap is None:
        return before, ""
    limit = share(cap.percent_of_fee, terms.monthly_fee)
    after = min(before, max(limit.amount - used, Decimal(0)))
    values = {"percent": cap.percent_of_fee, "fee": terms.monthly_fee, "limit": limit}
    if cap.per is Period.MONTH:
        return after, Sentence("at most {percent} of the monthly fee of {fee}, {limit}, a month", **values)
    said = "at most {percent} of the monthly fee of {fee}, {limit}, from {first} to {last}; {used} was used before"
    return after, Sentence(said, **values, first=part.first, last=part.last, used=Money(used))


def _added(known: MonthTotal | None, more: MonthTotal) -> MonthTotal:
    """Two parts of a month together: sums added, one sentence after the other."""
    if known is None:
        return more
    caps = [cap for cap in (known.cap, more.cap) if cap]
    return MonthTotal(
        before_cap=Money(known.before_cap.amount + more.before_cap.amount),
        after_cap=Money(known.after_cap.amount + more.after_cap.amount),
        cap=Sentence("{first}; {second}", first=caps[0], second=caps[1]) if len(caps) == 2 else "".join(caps),
    )

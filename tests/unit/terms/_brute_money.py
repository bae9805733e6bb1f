"""Availability minute by minute and asset by asset, and credits in whole cents: the oracle of rules 10 and 11."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.unit.terms._brute_clock import Calendars, day_of, end_of
from tests.unit.terms._brute_force import DAY, MINUTE

from provisioner.model.objective import Unknown
from provisioner.model.service_event import AssetEvent, AssetEventKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from decimal import Decimal

    from tests.unit.terms._brute_tickets import Expected

    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.objective import Objective
    from provisioner.model.values import Money, Percentage

Kind = AssetEventKind


def midnight(day: date, zone: ZoneInfo) -> int:
    """The first instant at which the clock on the wall shows midnight of a day, or later."""
    wanted = datetime(day.year, day.month, day.day)  # noqa: DTZ001
    at = int((wanted - datetime(1970, 1, 1)).total_seconds()) - DAY  # noqa: DTZ001
    while datetime.fromtimestamp(at, zone).replace(tzinfo=None) < wanted:
        at += MINUTE
    return at


def first_of_next(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


@dataclass(frozen=True)
class Month:
    """What a month came to: seconds by kind (`service`, `maintenance`, `excluded`, `down`, `unknown`), the state."""

    month: str
    state: str
    seconds: Counter[str]
    lower: Fraction
    upper: Fraction
    breached_at: int | None = None
    objective: Objective | None = None


def availability(
    loaded: LoadedContract, events: Sequence[AssetEvent], *, objective: str, assets: Iterable[str] | None, as_of: int
) -> list[Month]:
    """The months of one availability objective, from the first day of the contract to an instant.

    A month, or the part of it that the term leaves, is judged at its end. It is not when nothing was heard of any asset
    until then, nor when all of it is unknown where that counts as up. `assets` None are those that were named by then.
    """
    zone = ZoneInfo(loaded.versions[0].contract.timezone)
    day, over = loaded.versions[0].contract.starts, end_of(loaded)
    found, seen = [], [event for event in events if event.at <= as_of]
    while (start := midnight(day, zone)) < min(as_of, over or as_of):
        after = midnight(first_of_next(day), zone)
        terms = loaded.as_of(day)
        (one,) = [each for each in terms.objectives if each.id == objective]
        last = min(after, as_of, over or after)
        named = assets or sorted({event.asset for event in seen if event.at < min(after, over or after)})
        found.append(_month(one, terms, seen, list(named), (start, last), ended=min(after, over or after) <= as_of))
        found[-1] = Month(f"{day:%Y-%m}", *_judged(found[-1], one, min(after, over or after)), one)
        day = first_of_next(day)
    return found


def _judged(month: Month, objective: Objective, after: int) -> tuple[str, Counter[str], Fraction, Fraction, int | None]:
    state = month.state
    if state == "met" and _share(month, objective) < Fraction(_target(objective)):
        state = "breached"
    return state, month.seconds, month.lower, month.upper, after if state == "breached" else None


def _share(month: Month, objective: Objective) -> Fraction:
    return month.upper if objective.unknown_counts.value == "up" else month.lower


def _target(objective: Objective) -> Decimal:
    return objective.target.value  # type: ignore[union-attr]


def _month(
    objective: Objective,
    terms: Contract,
    events: list[AssetEvent],
    assets: list[str],
    between: tuple[int, int],
    *,
    ended: bool,
) -> Month:
    minutes = _CALENDARS.of(terms, objective.calendar)
    seconds = Counter[str]()
    for asset in assets:
        own = [event for event in events if event.asset == asset]
        cuts = sorted({at for event in own for at in (event.at, event.until) if at is not None})
        for start, end in _cells(between, cuts):
            if minutes.service(start):
                seconds["service"] += end - start
                seconds[_state(own, start, objective)] += end - start
    whole = seconds["service"] - seconds["excluded"] - seconds["maintenance"]
    up = Fraction(100 * (whole - seconds["down"]), whole) if whole else Fraction(0)
    low = Fraction(100 * (whole - seconds["down"] - seconds["unknown"]), whole) if whole else Fraction(0)
    heard = any(one.kind is not Kind.MAINTENANCE and one.at < between[1] and one.asset in assets for one in events)
    blind = objective.unknown_counts is Unknown.UP and whole == seconds["unknown"]
    state = "running" if not ended else "met" if whole and heard and not blind else "not_evaluable"
    return Month("", state, seconds, low, up)


_CALENDARS = Calendars()


def _cells(between: tuple[int, int], cuts: list[int]) -> Iterator[tuple[int, int]]:
    """The minutes between two instants, cut where something happened."""
    at, end = between
    waiting = [cut for cut in cuts if cut > at]
    while at < end:
        following = min(at + MINUTE - at % MINUTE, end, *waiting[:1])
        yield at, following
        at = following
        waiting = waiting[1:] if waiting and waiting[0] <= at else waiting


def _state(events: list[AssetEvent], at: int, objective: Objective) -> str:
    """What an asset is at an instant: agreed maintenance before anything else, then what was seen last."""
    last = None
    for event in events:
        if event.kind is Kind.MAINTENANCE:
            if event.until is not None and event.at <= at < event.until and event.recorded <= event.at:
                return "maintenance"
        elif event.at <= at:
            last = event
    if last is None or last.kind is Kind.UNKNOWN:
        return "unknown"
    if last.kind is Kind.UP:
        return "up"
    return "excluded" if last.cause in objective.excludes else "down"


def half_up(amount: Fraction) -> int:
    """Whole cents; exactly half a cent is a whole one."""
    return int((2 * amount + 1) // 2)


def cents(money: Money) -> int:
    return int(money.amount * 100)


def share(percentage: Percentage, fee: int) -> int:
    return half_up(Fraction(fee) * Fraction(percentage.value) / 100)


def credit(loaded: LoadedContract, one: Expected | Month) -> tuple[str, int] | None:
    """The month and the cents that a breach gives back, None when it gives none (rule 10)."""
    objective = one.objective if isinstance(one, Month) else _breached(one)
    if one.state != "breached" or objective is None or objective.penalty is None or one.breached_at is None:
        return None
    penalty, zone = objective.penalty, ZoneInfo(loaded.versions[0].contract.timezone)
    month = one.month if isinstance(one, Month) else f"{datetime.fromtimestamp(one.breached_at, zone):%Y-%m}"
    fee = cents(loaded.as_of(day_of(one.breached_at, loaded)).monthly_fee)
    if penalty.per_breach is not None:
        return month, cents(penalty.per_breach)
    if penalty.percent_of_fee is not None:
        return month, share(penalty.percent_of_fee, fee)
    assert isinstance(one, Month)
    reached = [step for step in penalty.tiers if _share(one, objective) < Fraction(step.below.value)]
    return (month, share(min(reached, key=lambda step: step.below.value).percent_of_fee, fee)) if reached else None


def _breached(one: Expected) -> Objective | None:
    return next((clock.objective for clock in one.clocks if clock.breached_at == one.breached_at), None)


def totals(loaded: LoadedContract, credits: Iterable[tuple[str, int] | None]) -> dict[str, tuple[int, int]]:
    """The cents of each month with a credit, before and after the cap."""
    before: Counter[str] = Counter()
    for month, amount in (one for one in credits if one is not None):
        before[month] += amount
    return {month: (amount, min(amount, _cap(loaded, month, amount))) for month, amount in before.items()}


def _cap(loaded: LoadedContract, month: str, amount: int) -> int:
    last = first_of_next(date.fromisoformat(f"{month}-01")) - timedelta(days=1)
    terms = loaded.as_of(last)
    return share(terms.penalty_cap.percent_of_fee, cents(terms.monthly_fee)) if terms.penalty_cap else amount

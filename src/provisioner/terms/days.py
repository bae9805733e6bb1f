"""Days of a contract: which day an instant is, and steps of calendar months (rule 1)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

if TYPE_CHECKING:
    from provisioner.model.values import Duration

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall time


def day_of(at: datetime, zone: str) -> date:
    """Given an aware instant, return the day it falls on in the contract's time zone (UTC when it names none)."""
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return at.astimezone(ZoneInfo(zone) if zone else UTC).date()


def step(anchor: date, span: Duration, times: int) -> date:
    """Given an anchor day, return the day `times` spans after it (before it when negative).

    Months count from the anchor and are clamped to the month's last day: 31 Aug + 6mo = 28 Feb, + 2 x 6mo = 31 Aug.
    """
    if span.unit == "mo":
        return anchor + relativedelta(months=span.amount * times)
    if span.unit == "d":
        return anchor + timedelta(days=span.amount * times)
    raise ValueError(f"{span} is not a span of days or months")


def first_instant(wall: datetime, zone: ZoneInfo) -> int:
    """Given a wall time without a zone, return the first instant at which the clock of the zone shows it or later.

    In a gap that is the first valid instant, in a fold the first of the two.
    """
    shown = (wall - _EPOCH) // timedelta(seconds=1)
    before, after = _offset(wall, zone), _offset(wall.replace(fold=1), zone)
    low, high = shown - after, shown - before
    if low >= high:
        return high
    while low < high:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).replace(tzinfo=None) < wall:
            low = middle + 1
        else:
            high = middle
    return low


def _offset(wall: datetime, zone: ZoneInfo) -> int:
    return int((zone.utcoffset(wall) or timedelta()).total_seconds())


@lru_cache(maxsize=4096)
def midnight(day: date, zone: ZoneInfo) -> int:
    """Given a day, return its first instant in the zone."""
    return first_instant(datetime.combine(day, time.min), zone)

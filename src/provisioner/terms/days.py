"""Days of a contract: which day an instant is, and steps of calendar months (rule 1)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

if TYPE_CHECKING:
    from provisioner.model.values import Duration


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

"""Hours, calendars, windows and freezes: when service runs, when change is allowed and when it is forbidden."""

# ruff: noqa: TC003 - the annotations of nouns are read at run time

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

from provisioner.model.values import (
    TIME_PATTERN,
    Day,
    EndTime,
    Identifier,
    Shorthand,
    SomeElapsed,
    StartTime,
    Text,
    Words,
    Zone,
)

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, order=True)
class Hours:
    """Minutes after midnight of the day it opens on, end exclusive; `closes` passes 1440 when it ends the day after."""

    opens: int
    closes: int

    @classmethod
    def parse(cls, text: str) -> Hours:
        """Given `08:00-12:00`, return it (rule 2): `24:00` may end it; an end not after the start is the next day's."""
        if not re.fullmatch(_HOURS_PATTERN, text):
            raise ValueError(f"expected hours such as 08:00-12:00, found {text!r}")
        opens, closes = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
        return cls(opens, closes if closes > opens else closes + _DAY_MINUTES)

    def __str__(self) -> str:
        closes = self.closes - _DAY_MINUTES if self.closes > _DAY_MINUTES else self.closes
        return f"{_clock(self.opens)}-{_clock(closes)}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@dataclass(frozen=True)
class Days:
    """Weekdays from `first` to `last`, both included, Monday being 0; it may pass Sunday."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> Days:
        """Given `mon-fri` or `sat`, return it; raise ValueError otherwise."""
        if not re.fullmatch(_DAYS_PATTERN, text):
            raise ValueError(f"expected days such as mon-fri or sat, found {text!r}")
        first, _, last = text.partition("-")
        return cls(WEEKDAYS.index(first), WEEKDAYS.index(last or first))

    def __str__(self) -> str:
        ends = [WEEKDAYS[self.first], WEEKDAYS[self.last]]
        return "-".join(ends if self.first != self.last else ends[:1])

    def __contains__(self, weekday: int) -> bool:
        return (weekday - self.first) % 7 <= (self.last - self.first) % 7


_HOURS_PATTERN = f"{TIME_PATTERN}-({TIME_PATTERN}|24:00)"
_DAYS_PATTERN = "{0}(-{0})?".format("(" + "|".join(WEEKDAYS) + ")")

HoursText = Annotated[Hours, Text(Hours.parse, _HOURS_PATTERN, "hours such as 08:00-12:00")]
DaysText = Annotated[Days, Text(Days.parse, _DAYS_PATTERN, "days such as mon-fri or sat")]
Week = Annotated[
    Mapping[DaysText, tuple[HoursText, ...]],
    Shorthand(lambda _: {"mon-sun": ["00:00-24:00"]}, pattern="always", expected="`always`"),
]


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Service time: weekly hours, less holidays and closed days, plus the hours of days in `open` (rule 2)."""

    timezone: Zone
    """The zone its hours are read in."""
    hours: Week
    """`always`, or days with their hours."""
    holidays: (
        Annotated[str, Text(str, "[A-Z]{2}(-[A-Z0-9]{1,3})?", "a country, or country and subdivision, such as FR-57")]
        | None
    ) = None
    """Whose public holidays have no service: a country, or a country and its subdivision."""
    closed: tuple[Day, ...] = ()
    """More days on which no span opens."""
    open: Mapping[Day, tuple[HoursText, ...]] = field(default_factory=dict)
    """Days with hours of their own, in addition."""

    def weekly(self, weekday: int) -> tuple[Hours, ...]:
        """Given a weekday (Monday is 0), return the spans that open on it, earliest first."""
        return tuple(sorted(span for days, spans in self.hours.items() if weekday in days for span in spans))


@dataclass(frozen=True, kw_only=True)
class Window:
    """When change is allowed (rule 3): a recurrence of `start`, for `duration` elapsed or until the wall time `end`."""

    name: Identifier
    """What reports call it."""
    rrule: Words
    """RFC 5545 recurrence rule, without DTSTART: that is the contract's first day at `start`."""
    start: StartTime
    """Wall time at which it opens."""
    duration: SomeElapsed | None = None
    """Elapsed time until it closes; either this or `end`."""
    end: EndTime | None = None
    """Wall time at which it closes, so that a DST night is shorter or longer."""
    timezone: Zone | None = None
    """The zone of `start` and `end`; the contract's when absent."""


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """Days on which change is forbidden, both ends included, in the contract's zone."""

    from_: Day
    """First day."""
    to: Day
    """Last day."""
    reason: Words
    """Why, for the refusal."""

    def __contains__(self, day: date) -> bool:
        return self.from_ <= day <= self.to

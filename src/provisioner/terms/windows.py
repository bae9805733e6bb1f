"""Windows: when change is allowed, as instants (rule 3). RFC 5545 by dateutil."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from provisioner.model.values import NO_TIME
from provisioner.terms.days import first_instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.model.window import Window

ONE_DAY = timedelta(days=1)


def occurrences(window: Window, *, starts: date, zone: str, between: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield when a window opens and closes (exclusive), earliest first, where that touches `between` (start, end).

    Instants are POSIX seconds. The recurrence begins on `starts` at the window's `start`, a wall time of its own zone
    or of `zone`. It stays open for `duration` of elapsed time, or until the wall time `end`, of the next day when that
    is not after `start`. A wall time in a DST gap is the first valid instant after it, in a fold the first of the two.
    An UNTIL without a time includes that day.
    """
    first, last = between
    place = ZoneInfo(window.timezone or zone or "UTC")
    begins = datetime.combine(starts, window.start)
    rule = rrulestr(re.sub(r"(UNTIL=[0-9]{8})(?=;|$)", r"\1T235959", window.rrule), dtstart=begins)
    since = max(begins, datetime.fromtimestamp(first, place).replace(tzinfo=None) - _longest(window))
    until = datetime.fromtimestamp(last, place).replace(tzinfo=None) + ONE_DAY
    for wall in rule.xafter(since, inc=True):
        if wall > until:
            return
        opens = first_instant(wall, place)
        closes = _closes(window, wall, opens=opens, place=place)
        if opens < closes and opens < last and closes > first:
            yield opens, closes


def _longest(window: Window) -> timedelta:
    """No shorter than a window can be in wall time, and the two days that zones and DST can make of it."""
    length = timedelta(seconds=window.duration.seconds) if window.duration else ONE_DAY
    return length + 2 * ONE_DAY


def _closes(window: Window, wall: datetime, *, opens: int, place: ZoneInfo) -> int:
    if window.end is None:
        return opens + (window.duration or NO_TIME).seconds
    day = wall.date() if window.end > window.start else wall.date() + ONE_DAY
    return first_instant(datetime.combine(day, window.end), place)

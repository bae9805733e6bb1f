"""Service time, minute by minute: what a calendar says of each minute of UTC, from the words of rule 2 alone.

A second derivation of what `provisioner.terms` computes: slow, without any arithmetic on spans, and written without
reading that code. Every minute is turned into wall time with zoneinfo and looked up in the hours of its day and of the
day before.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import holidays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.model.window import Calendar

MINUTE = 60
DAY = 86400
AHEAD = 3 * 3600
"""How long before a stretch the walk begins, so that it knows what the wall clock has shown: longer than any fold."""


@cache
def public_holidays(place: str, year: int, language: str) -> dict[date, str]:
    """The public holidays of a country, or of a country and its subdivision, as the package `holidays` has them."""
    country, _, subdivision = place.partition("-")
    found = holidays.country_holidays(country, subdiv=subdivision or None, years=year, language=language)
    return dict(found.items())


class Minutes:
    """Which minutes are service time of a calendar; every one when there is no calendar."""

    def __init__(self, calendar: Calendar | None, language: str = "fr") -> None:
        self.calendar = calendar
        self.zone = ZoneInfo(calendar.timezone if calendar else "UTC")
        self.language = language
        self._days: dict[int, list[date | None]] = {}
        self._spans: dict[date, list[tuple[int, int]]] = {}

    def owner(self, at: int) -> date | None:
        """The day whose hours an instant falls in, None when it is outside all of them.

        Of two days whose hours overlap, the earlier: with both, what is asked is only whether there is one.
        """
        minute, day = at // MINUTE % 1440, at // DAY
        if day not in self._days:
            self._days[day] = list(self._walk(day))
        return self._days[day][minute]

    def service(self, at: int) -> bool:
        """Whether the second that begins at `at` is service time."""
        return self.owner(at) is not None

    def first_service(self, at: int, *, within_days: int = 60) -> int | None:
        """The first service instant at or after `at`."""
        minute = at
        while minute < at + within_days * DAY:
            if self.service(minute):
                return minute
            minute += MINUTE - minute % MINUTE
        return None

    def count(self, start: int, end: int) -> int:
        """The service seconds from `start` to `end`, added up minute by minute."""
        total = 0
        while start < end:
            following = min(end, start + MINUTE - start % MINUTE)
            total += following - start if self.service(start) else 0
            start = following
        return total

    def business_days(self, started: int, number: int) -> int | None:
        """The service seconds from `started` to the last closing of the Nth day with service after its own (rule 1).

        The minutes are walked: each belongs to the day whose hours it falls in; the day of `started` is that of its
        own minute. The closing is the end of the last minute of that day.
        """
        own = self.owner(started) or datetime.fromtimestamp(started, self.zone).date()
        seen: list[date] = []
        seconds, at, answer = 0, started, None
        while at < started + 60 * DAY:
            owner, following = self.owner(at), at + MINUTE - at % MINUTE
            if owner is not None and owner > own and owner not in seen:
                if len(seen) == number:
                    break
                seen.append(owner)
            seconds += following - at if owner is not None else 0
            if owner is not None and len(seen) == number and owner == seen[-1]:
                answer = seconds
            at = following
        return answer

    def holidays_of(self, start: int, end: int) -> set[date]:
        """The public holidays that took service time between two instants: their weekly hours, where none are open."""
        if self.calendar is None or self.calendar.holidays is None:
            return set()
        found = set()
        for at, shown in self._shown(start // DAY * DAY, end):
            if max(at, start) < min(at + MINUTE, end) and not self.service(at):
                for day in (shown.date(), shown.date() - timedelta(days=1)):
                    if self._holiday(day) and self._falls(shown, day, self._weekly(day)):
                        found.add(day)
        return found

    def _walk(self, number: int) -> Iterator[date | None]:
        first = number * DAY
        for at, shown in self._shown(first, first + DAY):
            if at >= first:
                yield self._owner(shown)

    def _shown(self, first: int, end: int) -> Iterator[tuple[int, datetime]]:
        """Each minute, and the latest that the clock on the wall has shown until then (decision 2).

        A wall time is reached when the clock shows it or later for the first time. In a fold the clock goes back:
        nothing that it shows again is reached again.
        """
        latest = datetime.fromtimestamp(first - AHEAD, self.zone).replace(tzinfo=None)
        for at in range(first - AHEAD, end, MINUTE):
            wall = datetime.fromtimestamp(at, self.zone).replace(tzinfo=None)
            latest = max(latest, wall)
            yield at, latest

    def _owner(self, shown: datetime) -> date | None:
        if self.calendar is None:
            return shown.date()
        for day in (shown.date() - timedelta(days=1), shown.date()):
            if day not in self._spans:
                self._spans[day] = self._hours(day)
            if self._falls(shown, day, self._spans[day]):
                return day
        return None

    def _hours(self, day: date) -> list[tuple[int, int]]:
        """The hours that open on a day, in minutes after its midnight (rule 2)."""
        calendar = self.calendar
        assert calendar is not None
        weekly = [] if day in calendar.closed or self._holiday(day) else self._weekly(day)
        return weekly + [(hours.opens, hours.closes) for hours in calendar.open.get(day, ())]

    def _weekly(self, day: date) -> list[tuple[int, int]]:
        calendar = self.calendar
        assert calendar is not None
        return [
            (hours.opens, hours.closes)
            for days, spans in calendar.hours.items()
            if days.first <= day.weekday() <= days.last
            or (days.last < days.first and not days.last < day.weekday() < days.first)
            for hours in spans
        ]

    def _holiday(self, day: date) -> bool:
        calendar = self.calendar
        assert calendar is not None
        return calendar.holidays is not None and day in public_holidays(calendar.holidays, day.year, self.language)

    @staticmethod
    def _falls(shown: datetime, day: date, hours: list[tuple[int, int]]) -> bool:
        minute = (shown.date() - day).days * 1440 + shown.hour * 60 + shown.minute
        return any(opens <= minute < closes for opens, closes in hours)

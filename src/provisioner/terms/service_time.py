"""Service time: when the clocks of a calendar run (rules 1, 2 and 14), as sorted arrays of instants.

Instants are whole POSIX seconds. Days and zones exist only where a year of a calendar is unfolded; after that an
elapsed time is two searches.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from provisioner.errors import UsageError
from provisioner.model.measurement import Holiday, Stretch
from provisioner.model.window import Calendar
from provisioner.terms.days import first_instant
from provisioner.terms.public_holidays import LAST_YEAR, public_holidays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.model.contract import Language
    from provisioner.model.window import Hours

_EPOCH = datetime.combine(date(1970, 1, 1), time.min)
_DAY = 24 * 60
_HORIZON = 2200
"""Days of a contract are before it."""


class Removed(NamedTuple):
    """A day whose weekly hours do not count: why (`holiday`, `closed day`), its name, where it ends, what it took."""

    start: int
    end: int
    why: str
    name: str
    day: date
    spans: tuple[tuple[int, int], ...]


class ServiceTime:
    """The service time of one calendar: the union of its spans, unfolded by years as they are asked for.

    Given equal calendars, equal answers in whatever order they are asked.
    """

    def __init__(self, calendar: Calendar | None, *, language: Language) -> None:
        """Unfold nothing yet; without a calendar every second is service time."""
        self._calendar = calendar
        self._language = language
        self._opens: list[int] = []
        self._closes: list[int] = []
        self._before: list[int] = []
        self._days: list[int] = []
        self._spans_of: list[tuple[tuple[int, int], ...]] = []
        self._removed: list[Removed] = []
        self._years = (0, 0)
        self._since = self._until = 0
        self._final = _HORIZON
        if calendar is None:
            self._opens, self._closes, self._before = [0], [_utc(_HORIZON, 1, 1)], [0]
            self._since, self._until = 0, _utc(_HORIZON, 1, 1)
            return
        self._zone = ZoneInfo(calendar.timezone)
        self._weekly = [calendar.weekly(weekday) for weekday in range(7)]
        self._closed = frozenset(calendar.closed)
        if calendar.holidays is not None:
            self._final = LAST_YEAR

    def elapsed(self, start: int, end: int) -> int:
        """Given two instants, return the service seconds from the first to the second (exclusive); 0 when none."""
        if end <= start:
            return 0
        if start < self._since or end > self._until:
            self._cover(start, end)
        opens = self._opens
        last = bisect_right(opens, end) - 1
        if last < 0:
            return 0
        closes = self._closes[last]
        opened = opens[last]
        if start >= opened:
            return (end if end < closes else closes) - start if start < closes else 0
        return self._before[last] + (end if end < closes else closes) - opened - self._count(start)

    def advance(self, at: int, seconds: int) -> int | None:
        """Given an instant and service seconds, return the first instant at which that much has elapsed since.

        At a closing that is the closing itself, not the next opening. None when service ends before.
        """
        if seconds <= 0:
            return at
        if not self._since <= at <= self._until:
            self._cover(at, at)
        while True:
            wanted = self._count(at) + seconds
            index = bisect_left(self._before, wanted) - 1
            if index >= 0 and (reached := self._opens[index] + wanted - self._before[index]) <= self._closes[index]:
                return reached
            if not self._extend():
                return None

    def opens_at(self, at: int) -> int | None:
        """Given an instant, return the first service instant at or after it; None when there is none any more."""
        if not self._since <= at <= self._until:
            self._cover(at, at)
        while True:
            index = bisect_right(self._opens, at)
            if index and at < self._closes[index - 1]:
                return at
            if index < len(self._opens):
                return self._opens[index]
            if not self._extend():
                return None

    def closing_of_nth_day(self, at: int, number: int) -> int | None:
        """Given an instant, return the last closing of the `number`-th day after its own that has service (rule 1).

        A day has the spans that open on it, and the day of an instant in a span is that of the span (rule 2); the
        earlier of two. None when there are not so many days; ValueError without a calendar.
        """
        if self._calendar is None:
            raise ValueError("business days need a calendar")
        self._cover(at, at)
        day = datetime.fromtimestamp(at, self._zone).toordinal()
        index = bisect_left(self._days, day - 1)
        if index < len(self._days) and self._days[index] < day:
            day -= any(opened <= at < closed for opened, closed in self._spans_of[index])
        while True:
            index = bisect_right(self._days, day) + number - 1
            if index < len(self._days):
                return max(closed for _, closed in self._spans_of[index])
            if not self._extend():
                return None

    def spans(self, start: int, end: int) -> list[tuple[int, int]]:
        """Given two instants, return what is service time between them, earliest first: opening and closing."""
        if end <= start:
            return []
        self._cover(start, end)
        first = max(bisect_right(self._opens, start) - 1, 0)
        last = bisect_left(self._opens, end)
        cut = ((max(self._opens[i], start), min(self._closes[i], end)) for i in range(first, last))
        return [(opened, closed) for opened, closed in cut if opened < closed]

    def stretches(self, start: int, end: int) -> Iterator[Stretch]:
        """Given two instants, yield the stretches between them without gap: service, or why there is none.

        A holiday (with its name) or closed day is the time without service of a day that lost hours to it.
        """
        at = start
        for opened, closed in self.spans(start, end):
            yield from self._without(at, opened)
            yield Stretch(opened, closed, counted=True, why="service")
            at = closed
        yield from self._without(at, end)

    def holidays_between(self, start: int, end: int) -> tuple[Holiday, ...]:
        """Given two instants, return the public holidays that took service time between them, in order (rule 14)."""
        if end > start:
            self._cover(start, end)
        found = []
        for day in self._removed_between(start, end):
            cut = [(max(opened, start), min(closed, end)) for opened, closed in day.spans]
            if day.why == "holiday" and any(a < b and self.elapsed(a, b) < b - a for a, b in cut):
                found.append(Holiday(day.day, day.name))
        return tuple(found)

    def _removed_between(self, start: int, end: int) -> Iterator[Removed]:
        """Days that lost hours, from the one before the first: its hours may reach into the next day."""
        first = max(bisect_right(self._removed, start, key=_start) - 2, 0)
        return takewhile(lambda day: day.start < end, islice(self._removed, first, None))

    def _without(self, start: int, end: int) -> Iterator[Stretch]:
        at = start
        for day in self._removed_between(start, end):
            first, last = max(at, day.start), min(end, day.end)
            if first < last:
                if at < first:
                    yield Stretch(at, first, counted=False, why="closed")
                yield Stretch(first, last, counted=False, why=day.why, detail=day.name)
                at = last
        if at < end:
            yield Stretch(at, end, counted=False, why="closed")

    def _count(self, at: int) -> int:
        """Service seconds before an instant, from an origin that stays the same until an earlier year is asked for."""
        index = bisect_right(self._opens, at) - 1
        if index < 0:
            return 0
        closes = self._closes[index]
        return self._before[index] + (at if at < closes else closes) - self._opens[index]

    def _cover(self, start: int, end: int) -> None:
        """Unfold the years of both instants, with a margin for the tails of spans and the offsets of zones."""
        if start >= self._since and end <= self._until:
            return
        first, last = _year(start) - 1, _year(end) + 1
        if self._calendar is None or last > self._final + 1:
            raise UsageError(f"service time is known up to {self._final}")
        known = self._years
        if known == (0, 0) or first < known[0]:
            self._forget()
            self._years = (first, first - 1)
            self._since = _utc(first, 1, 4)
            last = max(last, known[1])
        while self._years[1] < min(last, self._final):
            self._extend()

    def _forget(self) -> None:
        for array in (self._opens, self._closes, self._before, self._days, self._spans_of, self._removed):
            array.clear()

    def _extend(self) -> bool:
        """Unfold one more year; False when there is none."""
        first, last = self._years
        if self._calendar is None or last >= self._final:
            return False
        year = last + 1
        place = self._calendar.holidays
        names = public_holidays(place, year, language=self._language) if place else {}
        for ordinal in range(date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal()):
            self._unfold(self._calendar, date.fromordinal(ordinal), names.get(date.fromordinal(ordinal)))
        self._years = (first, year)
        self._until = _utc(year, 12, 29)
        return True

    def _unfold(self, calendar: Calendar, day: date, holiday: str | None) -> None:
        weekly, added = self._weekly[day.weekday()], calendar.open.get(day, ())
        if weekly and (holiday is not None or day in self._closed):
            spans = tuple(self._instants(day, weekly))
            end = max([self._instant(day, _DAY), *(closed for _, closed in spans)])
            why = "closed day" if holiday is None else "holiday"
            self._removed.append(Removed(self._instant(day, 0), end, why, holiday or "", day, spans))
            weekly = ()
        spans = tuple(self._instants(day, (*weekly, *added)))
        for opened, closed in spans:
            self._add(opened, closed)
        if spans:
            self._days.append(day.toordinal())
            self._spans_of.append(spans)

    def _instants(self, day: date, hours: tuple[Hours, ...]) -> Iterator[tuple[int, int]]:
        for span in sorted(hours):
            opened, closed = self._instant(day, span.opens), self._instant(day, span.closes)
            if opened < closed:
                yield opened, closed

    def _add(self, opened: int, closed: int) -> None:
        if self._closes and opened <= self._closes[-1]:
            self._closes[-1] = max(self._closes[-1], closed)
            return
        before = self._before[-1] + self._closes[-1] - self._opens[-1] if self._opens else 0
        self._opens.append(opened)
        self._closes.append(closed)
        self._before.append(before)

    def _instant(self, day: date, minute: int) -> int:
        return first_instant(datetime.combine(day, time.min) + timedelta(minutes=minute), self._zone)


def _start(day: Removed) -> int:
    return day.start


def service_time(calendar: Calendar | None, *, language: Language) -> ServiceTime:
    """Given a calendar, return its service time, the same for equal calendars; None is every second of every day.

    Names of holidays are in the language.
    """
    if calendar is None:
        return _every_second(language)
    hours = tuple((days, tuple(spans)) for days, spans in calendar.hours.items())
    added = tuple((day, tuple(spans)) for day, spans in calendar.open.items())
    return _unfolded(calendar.timezone, hours, (calendar.holidays, tuple(calendar.closed), added), language)


@lru_cache(maxsize=8)
def _every_second(language: Language) -> ServiceTime:
    return ServiceTime(None, language=language)


@lru_cache(maxsize=256)
def _unfolded(zone: str, hours: tuple, exceptions: tuple, language: Language) -> ServiceTime:  # type: ignore[type-arg]
    holidays, closed, added = exceptions
    calendar = Calendar(timezone=zone, hours=dict(hours), holidays=holidays, closed=closed, open=dict(added))
    return ServiceTime(calendar, language=language)


def _utc(year: int, month: int, day: int) -> int:
    return (date(year, month, day).toordinal() - _EPOCH.toordinal()) * 86_400


def _year(at: int) -> int:
    return datetime.fromtimestamp(at, UTC).year

"""Rules of calendars: hours that overlap, holidays that nobody knows."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from provisioner.config.document import Loc, did_you_mean
from provisioner.config.findings import Finding, repeated
from provisioner.model.window import WEEKDAYS, Calendar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.model.contract import Contract

_DAY_MINUTES = 24 * 60


def calendar_problems(contract: Contract) -> Iterator[Finding]:
    """Given a contract whose fields are each valid, yield what is wrong with its calendars.

    Weekly hours may touch, not overlap, those that pass midnight included; so may the hours of one day in `open`. Those
    of `open` may overlap the weekly ones, which they add to: most often on a day that a holiday would take away.
    """
    for name, calendar in contract.calendars.items():
        loc: Loc = ("calendars", name, "hours")
        if not any(calendar.weekly(day) for day in range(7)) and not any(calendar.open.values()):
            yield loc, "this calendar never has service time"
        yield from _overlaps(calendar, loc=loc)
        for day, spans in calendar.open.items():
            if any(first.closes > second.opens for first, second in pairwise(sorted(spans))):
                yield ("calendars", name, "open", str(day)), f"hours of {day} overlap"
        yield from repeated(("calendars", name, "closed"), map(str, calendar.closed))
        if calendar.holidays and (problem := _unknown_place(calendar.holidays)):
            yield ("calendars", name, "holidays"), problem


def _overlaps(calendar: Calendar, *, loc: Loc) -> Iterator[Finding]:
    for weekday, name in enumerate(WEEKDAYS):
        spans = calendar.weekly(weekday)
        for first, second in pairwise(spans):
            if first.closes > second.opens:
                yield loc, f"hours on {name} overlap: {first} and {second}"
        tomorrow, following = (weekday + 1) % 7, calendar.weekly((weekday + 1) % 7)
        last = max(spans, key=lambda span: span.closes, default=None)
        if last is not None and following and last.closes - _DAY_MINUTES > following[0].opens:
            said = f"{last} of {name} and {following[0]} of {WEEKDAYS[tomorrow]}"
            yield loc, f"hours overlap after midnight: {said}"


@cache
def _unknown_place(place: str) -> str:
    """Why nobody knows the holidays of a place such as FR-57 (ISO 3166); empty when they are known (rule 14)."""
    import holidays
    from holidays.registry import COUNTRIES

    country, _, subdivision = place.partition("-")
    codes = {name for names in COUNTRIES.values() for name in names if len(name) == 2}
    if country not in codes:
        hint = did_you_mean(country, codes)
        return f"the public holidays of {country} are not known; expected a code of ISO 3166 such as FR{hint}"
    kind = getattr(holidays, country)
    parts = {part for part in (*kind.subdivisions, *kind.subdivisions_aliases) if len(part) <= 3}
    if not subdivision or subdivision in parts:
        return ""
    known = f"{country} has {', '.join(sorted(parts)) or 'none'}"
    return f"{country} has no part {subdivision} with public holidays of its own; {known}"

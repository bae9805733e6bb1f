"""Is a recurrence rule one that we serve? RFC 5545, read by dateutil; only what a window can mean."""

from __future__ import annotations

import re
from calendar import isleap
from datetime import date, datetime, time

from dateutil.rrule import rrulestr

_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = {
    "FREQ": "|".join(_FREQUENCIES),
    "INTERVAL": "[1-9][0-9]{0,2}",
    "COUNT": "[1-9][0-9]{0,4}",
    "UNTIL": "[0-9]{8}(T[0-9]{6})?",
    "BYDAY": "([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)(,([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU))*",
    "BYMONTHDAY": "-?(3[01]|[12][0-9]|[1-9])(,-?(3[01]|[12][0-9]|[1-9]))*",
    "BYMONTH": "(1[0-2]|[1-9])(,(1[0-2]|[1-9]))*",
    "BYSETPOS": "-?[1-9][0-9]{0,2}(,-?[1-9][0-9]{0,2})*",
    "WKST": "MO|TU|WE|TH|FR|SA|SU",
}


def recurrence_problem(rule: str, *, starts: date) -> str:
    """Given a rule and the contract's first day, return what is wrong with it in a sentence, or nothing."""
    parts = [part.partition("=") for part in rule.split(";")]
    names = [name for name, _, _ in parts]
    for name, _, value in parts:
        if name not in _PARTS:
            return f"expected the parts {', '.join(_PARTS)} of RFC 5545, found {name[:40]!a}"
        if not re.fullmatch(_PARTS[name], value):
            return f"{name} cannot be {value[:40]!a} in a window's recurrence rule (RFC 5545)"
    if "FREQ" not in names or len(set(names)) < len(names) or {"COUNT", "UNTIL"} <= set(names):
        return "expected one FREQ, no part twice, and at most one of COUNT and UNTIL, such as FREQ=WEEKLY;BYDAY=TU"
    try:
        possible = _occurs(";".join(f"{n}={v}" for n, _, v in parts if n not in ("COUNT", "UNTIL")), near=_late(starts))
        meant = possible and _occurs(rule, near=starts)
    except (ValueError, OverflowError, TypeError) as error:
        return f"not a recurrence rule of RFC 5545: {error}"
    return "" if meant else "this rule never gives a window"


def recurrence_warning(rule: str) -> str:
    """Given a valid rule, return a sentence when it skips months that are probably meant, or nothing."""
    days = re.search(r"BYMONTHDAY=([0-9,-]+)", rule)
    late = [day for day in (days[1].split(",") if days else ()) if int(day) > 28]
    if not late or "BYMONTH=" in rule:
        return ""
    return f"BYMONTHDAY={late[0]} skips the months without that day; write BYMONTHDAY=-1 for the last day of each"


def _occurs(rule: str, *, near: date) -> bool:
    return next(iter(rrulestr(rule, dtstart=datetime.combine(near, time()))), None) is not None


def _late(day: date) -> date:
    """The same day in a year of the same shape close to the last one that dateutil knows.

    A rule that never matches is searched until year 9999; from here that takes milliseconds instead of seconds.
    """
    shape = (isleap(day.year), date(day.year, 1, 1).weekday())
    year = next(year for year in range(9960, 9988) if (isleap(year), date(year, 1, 1).weekday()) == shape)
    return day.replace(year=year)

"""What the flags of `audit.*` share."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from provisioner.errors import UsageError

CLIENT = "the client whose log it is"
INSTANT = "a day such as 2026-11-23 (UTC) or an instant such as 2026-11-23T14:00:00Z"


def instant_of(flag: str, text: str, *, whole_day: bool) -> datetime | None:
    """Given a day or an instant, return it aware; with `whole_day` a day means its end, and the last one no end."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--{flag} {text!r} is no day and no instant", hint=f"write {INSTANT}") from None
    if len(text) == 10:
        day = found.replace(tzinfo=UTC)
        if not whole_day:
            return day
        return day + timedelta(days=1) if found.date() < date.max else None
    if found.tzinfo is None:
        raise UsageError(f"--{flag} {text!r} names no time zone", hint="end it with Z for UTC")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise UsageError(f"--{flag} {text!r} is beyond the years 1 to 9999 in UTC") from None


def filled(flag: str, value: str | None) -> str:
    """Given what arrived for a flag, None where it was not typed, return its text, empty where it was not typed.

    Raises UsageError for one that was typed without a value: a script whose variable is unset must not compare nothing.
    """
    if value is not None and not value.strip(" ,"):
        raise UsageError(f"--{flag} was given, but is empty", hint="give a value, or leave the flag away")
    return value or ""

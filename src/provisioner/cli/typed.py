"""What is typed for a service event, from the texts of flags to the event; every complaint names the flag."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from provisioner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.model.contract import Language
    from provisioner.model.service_event import AssetEvent, TicketEvent

AT = "when it happened: 2026-11-24T09:12:00+01:00, or 2026-11-24T09:12 in the contract's time zone (default: now)"


def event_of(kind: str, said: Mapping[str, str | int]) -> TicketEvent | AssetEvent:
    """Given a kind of event, and by key the texts that were typed and the instants in POSIX seconds, return the event.

    Empty texts were not typed; a ticket may be opened without a number. Raises UsageError for a key that is missing or
    cannot hold its text.
    """
    from provisioner.config.service_events import readers
    from provisioner.model.service_event import AssetEvent, TicketEvent

    shape = readers()[kind]
    values: dict[str, Any] = {"ticket": ""} if kind == "opened" else {}
    for key, text in said.items():
        if text == "":
            continue
        try:
            values[key] = shape.keys[key](_utc(text) if isinstance(text, int) else text)
        except ValueError as error:
            raise UsageError(f"--{key}: {error}") from error
    for key in shape.needs:
        if key not in values:
            raise UsageError(f"--{key} is missing", hint="`invoke -h` with the task's name shows its flags")
    try:
        event = shape.make(kind, 0, values)
    except ValueError as error:
        raise UsageError(f"--{error}") from error
    assert isinstance(event, TicketEvent | AssetEvent)
    return event


def instant_of(flag: str, text: str, *, zone: str) -> int:
    """Given an instant, or wall time without an offset, return it in POSIX seconds.

    Wall time is that of `zone` (empty: no one zone is known). Raises UsageError for what is neither, has a fraction of
    a second, or is wall time that the change to summer time skipped, or the change back showed twice.
    """
    try:
        found = datetime.fromisoformat(text) if len(text) > len("2026-11-24") else None
    except ValueError:
        found = None
    if found is None or found.microsecond:
        hint = "write it such as 2026-11-24T09:12, or 2026-11-24T09:12:00+01:00"
        raise UsageError(f"--{flag} {text[:40]!a} is no instant", hint=hint)
    aware = found if found.tzinfo else _on_the_wall(flag, found, zone)
    try:
        return int(aware.astimezone(UTC).timestamp())
    except OverflowError:
        raise UsageError(f"--{flag} {text[:40]!a} is beyond the years 1 to 9999 in UTC") from None


def _on_the_wall(flag: str, wall: datetime, zone: str) -> datetime:
    if not zone:
        said = f"--{flag} names no offset, and the client's contracts have several time zones"
        raise UsageError(said, hint="end it with Z or an offset such as +01:00")
    first = wall.replace(tzinfo=ZoneInfo(zone))
    second = first.replace(fold=1)
    if first.utcoffset() == second.utcoffset():
        return first
    shown = f"{wall:%Y-%m-%d %H:%M}"
    if first.astimezone(UTC).astimezone(first.tzinfo).replace(tzinfo=None) != wall:
        said = f"--{flag}: the clocks in {zone} never showed {shown}, since summer time began"
    else:
        said = f"--{flag}: the clocks in {zone} showed {shown} twice, since summer time ended"
    raise UsageError(said, hint=f"end it with the offset that you mean: {_offset(first)} or {_offset(second)}")


def _offset(at: datetime) -> str:
    return at.isoformat()[-6:]


def _utc(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def local(at: int, zone: str) -> str:
    """An instant in POSIX seconds as people read it: wall time of the zone, and its offset."""
    return datetime.fromtimestamp(at, ZoneInfo(zone or "UTC")).isoformat(" ", "seconds" if at % 60 else "minutes")


def length(seconds: int) -> str:
    """Seconds as people read them: `7h 30m`, `45m`, `20s`; negative ones with a sign."""
    hours, rest = divmod(abs(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{left}s" if left else ""]
    return ("-" if seconds < 0 else "") + (" ".join(filter(None, parts)) or "0m")


def language_of(text: str) -> Language | None:
    """Given what --language says, return it, None for nothing; UsageError for one that documents are not written in."""
    from provisioner.model.contract import Language

    if text and text not in list(Language):
        raise UsageError(f"--language {text[:40]!a} is not known", hint=f"one of: {', '.join(Language)}")
    return Language(text) if text else None

"""Service events as `sla.replay --events` writes them: which keys each kind has, and what each key may hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, get_args

from provisioner.model.advisory import Severity, Unaged
from provisioner.model.mission import MissionKind
from provisioner.model.service_event import (
    AssetEvent,
    AssetEventKind,
    BackupStatus,
    Drill,
    Scan,
    TicketEvent,
    TicketEventKind,
)
from provisioner.model.values import Cause, Duration, HostName, Identifier, Party, Priority, Text, shown

ServiceEvent = TicketEvent | AssetEvent | Scan | BackupStatus | Drill
Read = Callable[[Any], Any]
"""Given what JSON holds, return the value; raise ValueError with what was expected otherwise."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_LAST = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp())
_SEVERITIES = tuple(severity.value for severity in Severity)


class Shape(NamedTuple):
    """The keys of a kind: those it needs, all it may have with how each is read, and what they make together."""

    needs: tuple[str, ...]
    keys: Mapping[str, Read]
    make: Callable[[str, int, dict[str, Any]], ServiceEvent]
    """From the kind, the place and the values; ValueError for values that do not go together."""


def instant(value: object) -> int:
    """Given `2026-11-02T09:00:00+01:00` or with `Z`, return POSIX seconds; raise ValueError otherwise."""
    if type(value) is str and _INSTANT.fullmatch(value):
        try:
            seconds = int(datetime.fromisoformat(value).timestamp())
        except (ValueError, OverflowError):
            raise ValueError(f"{value} is not an instant of the calendar") from None
        if 0 <= seconds < _LAST:
            return seconds
        raise ValueError(f"expected an instant between 1970 and 2199, found {value}")
    said = "an instant with whole seconds and an offset, such as 2026-11-02T09:00:00+01:00"
    raise ValueError(f"expected {said}{_found(value)}")


def _found(value: object) -> str:
    return f", found {shown(value)}" if isinstance(value, str) else ""


def _ticket(value: object) -> str:
    if type(value) is str and 0 < len(value) <= 64 and value.isprintable() and value == value.strip():
        return value
    raise ValueError(f"expected the name of a ticket: printable text of at most 64 characters{_found(value)}")


def _spent(value: object) -> Duration:
    if type(value) is str and re.fullmatch("[0-9]{1,5}(m|h|d)", value, re.ASCII) and Duration.parse(value).amount:
        return Duration.parse(value)
    raise ValueError(f"expected time spent, such as 45m or 2h{_found(value)}")


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"expected true or false{_found(value)}")


def _oldest(value: object) -> dict[str, int]:
    if not isinstance(value, dict) or not value.keys() <= set(_SEVERITIES):
        raise ValueError(f"expected an object with {' and '.join(_SEVERITIES)}, each an instant")
    return {severity: instant(since) for severity, since in value.items()}


def _remembered(read: Read) -> Read:
    """What `read` says of text, computed once: a year of tickets names few assets, causes and priorities."""
    known: dict[str, Any] = {}

    def remembered(value: object) -> Any:
        if type(value) is not str:
            return read(value)
        if value not in known:
            known[value] = read(value)
        return known[value]

    return remembered


def _text(noun: Any) -> Read:
    text: Text = get_args(noun)[1]
    return text


def _day(value: object) -> date:
    if type(value) is str and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError(f"expected a day such as 2026-11-02{_found(value)}")


def _one_of(choices: type[Cause] | type[Party] | type[MissionKind] | type[Unaged]) -> Read:
    known = {choice.value: choice for choice in choices}

    def read(value: object) -> Any:
        if isinstance(value, str) and value in known:
            return known[value]
        raise ValueError(f"expected one of {', '.join(known)}{_found(value)}")

    return read


_Made = tuple[Mapping[str, Read], Mapping[str, Read], Callable[[str, int, dict[str, Any]], ServiceEvent]]


def readers() -> dict[str, Shape]:
    """Return the shape of each kind of event. What readers remember lasts as long as the table."""
    asset, store = _remembered(_text(HostName)), _remembered(_text(Identifier))
    ticket: dict[str, Read] = {"at": instant, "ticket": _remembered(_ticket)}
    labour: dict[str, Read] = {"spent": _remembered(_spent)}
    priority: dict[str, Read] = {"priority": _remembered(_text(Priority))}
    cause: dict[str, Read] = {"cause": _one_of(Cause)}
    order: dict[str, Read] = {"asset": asset, "mission": _one_of(MissionKind)}
    on_asset: dict[str, Read] = {"at": instant, "asset": asset}
    shapes: dict[str, _Made] = {
        TicketEventKind.OPENED: (ticket | priority, order | labour, _ticket_event),
        TicketEventKind.RESPONDED: (ticket, labour, _ticket_event),
        TicketEventKind.REPLIED: (ticket | {"by": _one_of(Party)}, labour, _ticket_event),
        TicketEventKind.HELD: (ticket | cause, labour, _ticket_event),
        TicketEventKind.RESUMED: (ticket, labour, _ticket_event),
        TicketEventKind.PRIORITY_CHANGED: (ticket | priority, labour, _ticket_event),
        TicketEventKind.RESOLVED: (ticket, labour, _ticket_event),
        TicketEventKind.REOPENED: (ticket, labour, _ticket_event),
        TicketEventKind.ACCEPTED: (ticket | {"asset": asset}, labour, _ticket_event),
        AssetEventKind.DOWN: (on_asset, cause, _asset_event),
        AssetEventKind.UP: (on_asset, {}, _asset_event),
        AssetEventKind.UNKNOWN: (on_asset, {}, _asset_event),
        AssetEventKind.MAINTENANCE: (on_asset | {"until": instant}, {"recorded": instant}, _asset_event),
        "scan": (on_asset, {"oldest": _oldest, "reason": _one_of(Unaged), "dated": _day}, _scan),
        "backup_status": (on_asset | {"store": store}, {}, _backup_status),
        "drill": (on_asset | {"ended": instant, "passed": _flag}, {"full": _flag}, _drill),
    }
    return {str(kind): Shape(tuple(needs), {**needs, **more}, make) for kind, (needs, more, make) in shapes.items()}


_TICKET_KINDS = {kind.value: kind for kind in TicketEventKind}
_ASSET_KINDS = {kind.value: kind for kind in AssetEventKind}


def _ticket_event(kind: str, place: int, said: dict[str, Any]) -> TicketEvent:
    return TicketEvent(place=place, kind=_TICKET_KINDS[kind], **said)


def _asset_event(kind: str, place: int, said: dict[str, Any]) -> AssetEvent:
    if said.get("until", _LAST) <= said["at"]:
        raise ValueError("until: the maintenance ends before it begins")
    return AssetEvent(place=place, kind=_ASSET_KINDS[kind], **{"recorded": said["at"], **said})


def _scan(_kind: str, place: int, said: dict[str, Any]) -> Scan:
    if ("oldest" in said) == ("reason" in said):
        raise ValueError("oldest: an event scan needs this key, or `reason`: why it is not known; not both")
    if (said.get("reason") is Unaged.STALE_ADVISORIES) != ("dated" in said):
        raise ValueError("dated: goes with the reason stale_advisories, which needs this key, and with no other")
    if any(since > said["at"] for since in said.get("oldest", {}).values()):
        raise ValueError("oldest: an update that is known only after the scan that found it")
    return Scan(place=place, **{"oldest": None, **said})


def _backup_status(_kind: str, place: int, said: dict[str, Any]) -> BackupStatus:
    return BackupStatus(place=place, **said)


def _drill(_kind: str, place: int, said: dict[str, Any]) -> Drill:
    if said["ended"] < said["at"]:
        raise ValueError("ended: the drill ends before it begins")
    return Drill(place=place, **{"full": False, **said})

"""Calendars, contracts and ticket events of tests, written as a contract and an events file write them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from provisioner.model.mission import MissionKind
from provisioner.model.objective import Metric, Objective, parse_target
from provisioner.model.record import Membership
from provisioner.model.service_event import TicketEvent, TicketEventKind
from provisioner.model.values import Cause, Duration, Party
from provisioner.model.window import Calendar, Days, Hours
from provisioner.terms.choice import Chooser, chooser
from provisioner.terms.tickets import measure_tickets
from provisioner.testing import loaded, make_contract

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioner.model.contract import Contract
    from provisioner.model.measurement import Measurement

PARIS = "Europe/Paris"
OFFICE = {"mon-fri": ["08:00-12:00", "14:00-18:00"]}
ALWAYS = {"mon-sun": ["00:00-24:00"]}
EVERYWHERE = Membership(groups=None)


def calendar(hours: Mapping[str, Sequence[str]] = OFFICE, **more: Any) -> Calendar:
    week = {Days.parse(days): tuple(map(Hours.parse, spans)) for days, spans in hours.items()}
    return Calendar(hours=week, **{"timezone": PARIS, **more})


def at(text: str, zone: str = PARIS) -> int:
    """`2026-11-10 17:00` on the clock of the zone (the first of two), with or without an offset, in POSIX seconds."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).timestamp())


def objective(name: str, metric: str, target: str, **more: Any) -> Objective:
    grace = Duration.parse(more.pop("grace", "0m"))
    excludes = tuple(Cause(cause) for cause in more.pop("excludes", ()))
    return Objective(
        id=name, metric=Metric(metric), target=parse_target(target), grace=grace, excludes=excludes, **more
    )


def terms(*objectives: Objective, **more: Any) -> Contract:
    calendars = {"office": calendar(holidays="FR"), "always": calendar(ALWAYS), **more.pop("calendars", {})}
    days = {"starts": date(2026, 1, 1), "ends": date(2027, 12, 31), "timezone": PARIS}
    return make_contract(objectives=objectives, calendars=calendars, **{**days, **more})


def chosen(contract: Contract, *amended: tuple[date, Contract], membership: Membership = EVERYWHERE) -> Chooser:
    """The choice of one contract, amended from each day on."""
    return chooser([loaded(contract, *amended)], membership=membership)


def events(*lines: str, ticket: str = "T-1", asset: str | None = "srv-01") -> list[TicketEvent]:
    """Events such as `2026-11-10 17:00 opened P1`, `… held client`, `… replied provider`, `… opened P1 order`."""
    return [_event(line, place, ticket, asset) for place, line in enumerate(lines, 1)]


def _event(line: str, place: int, ticket: str, asset: str | None) -> TicketEvent:
    day, time, kind, *words = line.split()
    said: dict[str, Any] = {}
    if kind in ("opened", "priority_changed"):
        said["priority"] = words[0]
    if kind == "opened":
        said["asset"] = asset
        said["mission"] = MissionKind.WORKSTATION_SETUP if "order" in words else None
    if kind == "replied":
        said["by"] = Party(words[0])
    if kind == "held":
        said["cause"] = Cause(words[0])
    return TicketEvent(at=at(f"{day} {time}"), place=place, ticket=ticket, kind=TicketEventKind(kind), **said)


def measured(contract: Contract, lines: Sequence[str], as_of: str, **more: Any) -> dict[str | None, Measurement]:
    """What each objective came to for one ticket."""
    found = measure_tickets(events(*lines), chosen(contract), as_of=at(as_of), **more)
    assert len({one.objective for one in found}) == len(found)
    return {one.objective: one for one in found}

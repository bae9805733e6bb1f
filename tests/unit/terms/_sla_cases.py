"""Made-up contracts, calendars and event logs for property tests: whatever a contract can say about clocks.

A case is drawn around a night or a day on which clocks go wrong: both DST nights, a leap day, the turn of a year, long
weekends of holidays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from provisioner.model.contract import Effect, Holds, Notice, Renewal, RenewalKind
from provisioner.model.mission import MissionKind
from provisioner.model.objective import Metric, Objective, Penalty, PenaltyCap, Tier, Unknown
from provisioner.model.record import Membership
from provisioner.model.service_event import AssetEvent, AssetEventKind, TicketEvent, TicketEventKind
from provisioner.model.values import Cause, Duration, Money, Party, Percentage
from provisioner.model.window import Calendar, Days, Hours
from provisioner.testing import loaded, make_contract

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.model.contract import LoadedContract

DAY = 86400
ZONES = (
    "Europe/Paris",
    "UTC",
    "America/New_York",
    "Pacific/Auckland",
    "Australia/Lord_Howe",
    "Indian/Reunion",
    "America/St_Johns",
    "Asia/Kathmandu",
)
PLACES = (None, "FR", "FR-57", "FR-57", "FR-6AE", "DE-BY")
NIGHTS = (
    date(2026, 4, 2),
    date(2026, 3, 29),
    date(2026, 10, 25),
    date(2028, 2, 29),
    date(2026, 12, 31),
    date(2026, 5, 14),
    date(2026, 7, 14),
    date(2026, 3, 8),
    date(2026, 11, 1),
    date(2026, 4, 5),
    date(2026, 9, 27),
    date(2026, 12, 25),
    date(2026, 6, 10),
)
MONDAYS = Days(0, 4)
ASSETS = ("srv-01", "ws-01", "elsewhere")
GROUPS = {
    "srv-01": frozenset({"servers", "all"}),
    "ws-01": frozenset({"workstations", "all"}),
    "elsewhere": frozenset({"all"}),
}


@dataclass(frozen=True)
class Case:
    """What is asked of both: contract, membership, events of tickets in the order of their file, an instant."""

    contract: LoadedContract
    membership: Membership
    events: tuple[TicketEvent, ...]
    as_of: int


def _hours(draw: st.DrawFn, cuts: list[int]) -> tuple[Hours, ...]:
    """Hours between the cuts, two by two; the last may pass midnight, before the first of the next day opens."""
    spans = [Hours(first, last) for first, last in zip(cuts[::2], cuts[1::2], strict=False)]
    if draw(st.integers(0, 3)) == 0 and spans:
        until = draw(st.integers(0, spans[0].opens // 15)) * 15
        spans[-1] = Hours(spans[-1].opens, 1440 + min(until, spans[-1].opens))
    return tuple(spans)


_GRID = st.integers(0, 288).map(lambda five: five * 5)
_CUTS = st.one_of(
    st.just([480, 720, 840, 1080]),
    st.just([540, 1020]),
    st.just([0, 1440]),
    st.just([0, 120, 150, 1440]),
    st.just([120, 180]),
    st.lists(_GRID, min_size=2, max_size=6, unique=True).map(sorted).map(lambda cuts: cuts[: len(cuts) // 2 * 2]),
)
WEEKS = ((Days(0, 6),), (Days(0, 4),), (Days(0, 4), Days(5, 5)), (Days(5, 1), Days(2, 4)), (Days(6, 6), Days(0, 3)))


@st.composite
def calendars(draw: st.DrawFn, around: date) -> Calendar:
    zone, place = draw(st.sampled_from(ZONES)), draw(st.sampled_from(PLACES))
    near = st.integers(-3, 6).map(lambda days: around + timedelta(days=days))
    if draw(st.integers(0, 4)) == 0:
        hours: dict[Days, tuple[Hours, ...]] = {Days(0, 6): (Hours(0, 1440),)}
    else:
        cuts = draw(_CUTS)
        hours = {days: _hours(draw, cuts) for days in draw(st.sampled_from(WEEKS))}
    extra = {day: (Hours(600, 660), Hours(690, 700)) for day in draw(st.lists(near, max_size=2))}
    closed = tuple(draw(st.lists(near, max_size=2, unique=True)))
    return Calendar(timezone=zone, hours=hours, holidays=place, closed=closed, open=extra)


_MINUTES = st.one_of(st.integers(1, 600), st.sampled_from([30, 60, 240, 480, 600, 720, 1440]))
_LENGTHS = st.one_of(
    _MINUTES.map(lambda n: Duration(n, "m")),
    st.integers(1, 30).map(lambda n: Duration(n, "h")),
    st.just(Duration(1, "d")),
)
_TARGETS = st.one_of(_LENGTHS, _LENGTHS, st.integers(1, 3).map(lambda n: Duration(n, "bd")))
_CAUSES = st.lists(st.sampled_from(Cause), max_size=2, unique=True).map(tuple)
_TICKETED = (Metric.RESPONSE_TIME, Metric.RESOLUTION_TIME, Metric.UPDATE_TIME, Metric.SETUP_LEAD_TIME)


@st.composite
def objectives(draw: st.DrawFn) -> tuple[Objective, ...]:
    """By priority or for all of them: at most one of a metric for a ticket, unless one of them is for a group."""
    found = []
    for metric in _TICKETED:
        shape = draw(st.sampled_from(["none", "all", "priorities", "priorities", "group"]))
        if metric in (Metric.UPDATE_TIME, Metric.SETUP_LEAD_TIME) and shape == "priorities":
            shape = "all"
        priorities = {"none": (), "all": (None,), "group": (None,), "priorities": ("P1", "P2", "P3")}[shape]
        for priority in priorities:
            if priority == "P3" and draw(st.integers(0, 2)) == 0:
                continue
            target = draw(_TARGETS)
            found.append(
                Objective(
                    id=f"{metric.value}-{priority or shape}",
                    metric=metric,
                    target=target,
                    priority=priority,
                    group="servers" if shape == "group" else None,
                    calendar=draw(st.sampled_from(["one", "two", None] if target.unit != "bd" else ["one", "two"])),
                    grace=Duration(draw(st.sampled_from([0, 0, 5, 30, 61])), "m"),
                    excludes=draw(_CAUSES),
                    penalty=draw(_PENALTIES),
                )
            )
    return tuple(found)


_CENTS = st.integers(0, 99999).map(lambda cents: Money.parse(f"{cents // 100}.{cents % 100:02}"))
_SHARES = st.integers(1, 40000).map(lambda n: Percentage.parse(f"{n // 1000}.{n % 1000:03}%"))
_PENALTIES = st.one_of(
    st.none(),
    _CENTS.map(lambda money: Penalty(per_breach=money)),
    _SHARES.map(lambda share: Penalty(percent_of_fee=share)),
)
_EFFECTS = st.fixed_dictionaries({cause.value: st.sampled_from(["pauses", "counts"]) for cause in Cause})


@st.composite
def contracts(draw: st.DrawFn, around: date) -> LoadedContract:
    """A contract in force around a day, which may end, renew or be amended near it."""
    near = st.integers(-1, 4).map(lambda days: around + timedelta(days=days))
    ends = draw(st.one_of(st.just(around + timedelta(days=300)), near))
    effects = st.builds(lambda named: Holds(**{name: Effect(text) for name, text in named.items()}), _EFFECTS)
    signed = make_contract(
        timezone=draw(st.sampled_from(ZONES)),
        monthly_fee=draw(_CENTS),
        starts=around - timedelta(days=draw(st.sampled_from([40, 1, 2]))),
        ends=ends,
        renewal=draw(_renewals(ends)),
        assets=("servers", "workstations"),
        calendars={"one": draw(calendars(around)), "two": draw(calendars(around))},
        objectives=draw(objectives()),
        holds=draw(effects),
        penalty_cap=draw(st.one_of(st.none(), _SHARES.map(lambda share: PenaltyCap(percent_of_fee=share)))),
    )
    if not draw(st.booleans()):
        return loaded(signed)
    changed = tuple(
        replace(one, target=draw(_TARGETS if one.calendar else _LENGTHS), penalty=draw(_PENALTIES))
        for one in signed.objectives
    )
    amended = replace(signed, monthly_fee=draw(_CENTS), objectives=changed, holds=draw(effects))
    day = max(draw(near), signed.starts + timedelta(days=1))
    return loaded(signed, (day, amended))


@st.composite
def _renewals(draw: st.DrawFn, ends: date) -> Renewal:
    kind = draw(st.sampled_from(RenewalKind))
    if kind is not RenewalKind.TACIT:
        return Renewal(kind=kind)
    on = draw(st.one_of(st.none(), st.integers(-12, 2).map(lambda days: ends + timedelta(days=days))))
    given = Notice(on=on, by=Party.CLIENT) if on else None
    return Renewal(kind=kind, term=Duration(3, "d"), notice=Duration(5, "d"), notice_given=given)


def midnight_of(day: date) -> int:
    """Midnight UTC of a day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


@dataclass
class _Desk:
    """A ticket while its events are made up: what may happen next."""

    draw: st.DrawFn
    open: bool = True
    held: bool = False
    responded: bool = False
    settled: bool = False
    priority: str = "P1"

    def possible(self) -> list[TicketEventKind]:
        kind = TicketEventKind
        found = [kind.REPLIED, kind.PRIORITY_CHANGED, kind.ACCEPTED]
        if not self.open:
            return [*found[:2], kind.REOPENED, kind.REOPENED]
        if not self.settled:
            found += [kind.RESPONDED] * 2
        found += [kind.RESUMED] * 2 if self.held else [kind.HELD] * 2
        return [*found, kind.RESOLVED]

    def impossible(self) -> list[tuple[TicketEventKind, dict[str, object]]]:
        """What would contradict what it is; a reply stands for an event out of order."""
        kind = TicketEventKind
        cause: dict[str, object] = {"cause": Cause.CLIENT}
        found: list[tuple[TicketEventKind, dict[str, object]]] = [
            (kind.OPENED, {"priority": "P1"}),
            (kind.PRIORITY_CHANGED, {"priority": self.priority}),
            (kind.REPLIED, {"by": Party.CLIENT}),
            (kind.HELD, cause) if self.held or not self.open else (kind.RESUMED, {}),
        ]
        found += [(kind.RESPONDED, {})] if self.settled else []
        return found + ([(kind.REOPENED, {})] if self.open else [(kind.RESOLVED, {}), (kind.RESUMED, {})])

    def next(self) -> tuple[TicketEventKind, dict[str, object]]:
        """What happens, and its details; what the ticket is afterwards."""
        kind = self.draw(st.sampled_from(self.possible()))
        more: dict[str, object] = {}
        if kind is TicketEventKind.REPLIED:
            more["by"] = self.draw(st.sampled_from(Party))
        elif kind is TicketEventKind.HELD:
            more["cause"], self.held = self.draw(st.sampled_from(Cause)), True
        elif kind is TicketEventKind.RESUMED:
            self.held = False
        elif kind is TicketEventKind.PRIORITY_CHANGED:
            self.priority = self.draw(st.sampled_from([one for one in ("P1", "P2", "P3") if one != self.priority]))
            more["priority"] = self.priority
        elif kind in (TicketEventKind.RESPONDED, TicketEventKind.RESOLVED):
            self.held, self.settled = False, True
            self.open = kind is TicketEventKind.RESPONDED
        elif kind is TicketEventKind.REOPENED:
            self.open = True
        return kind, more


_GAPS = st.one_of(
    st.integers(0, 300).map(lambda n: n * 60),
    st.sampled_from([0, 1, 60, 3600, 4 * 3600, 8 * 3600, 86400]),
    st.integers(0, 40000),
)


@st.composite
def tickets(draw: st.DrawFn, name: str, around: date) -> list[TicketEvent]:
    """The events of one ticket, in order and without a contradiction; places are given later."""
    return _log(draw, name, around)[0]


def _log(draw: st.DrawFn, name: str, around: date) -> tuple[list[TicketEvent], _Desk]:
    at = midnight_of(around) + draw(st.integers(-24 * 60, 30 * 60)) * 60
    desk = _Desk(draw, priority=draw(st.sampled_from(["P1", "P2", "P3"])))
    asset = draw(st.sampled_from([*ASSETS[:2], *ASSETS[:2], None, *ASSETS]))
    order = draw(st.sampled_from([None, MissionKind.WORKSTATION_SETUP]))
    kind = TicketEventKind.OPENED
    events = [TicketEvent(at, 0, name, kind, priority=desk.priority, asset=asset, mission=order)]
    for _ in range(draw(st.integers(0, 9))):
        at += draw(_GAPS)
        kind, more = desk.next()
        events.append(TicketEvent(at, 0, name, kind, **more))  # type: ignore[arg-type]
    return events, desk


@st.composite
def contradictions(draw: st.DrawFn) -> tuple[Case, int]:
    """A case with one event that contradicts those before it, and the place of that event."""
    around = draw(st.sampled_from(NIGHTS))
    log, desk = _log(draw, "T-1", around)
    kind, more = draw(st.sampled_from(desk.impossible()))
    at = log[-1].at + draw(_GAPS)
    if kind is TicketEventKind.REPLIED:  # what is wrong with it is when it is said to have been
        at = log[-1].at - draw(st.integers(1, 9999))
    wrong = TicketEvent(at, 0, "T-1", kind, **more)  # type: ignore[arg-type]
    if draw(st.integers(0, 9)) == 0:
        log, wrong = [], log[-1]._replace(kind=TicketEventKind.REPLIED, by=Party.CLIENT)
    other = draw(tickets("T-2", around))
    events = merged(lambda waiting: draw(st.sampled_from(waiting)), [[*log, wrong, *log[1:2]], other])
    place = [event.place for event in events if event.ticket == "T-1"][len(log)]
    as_of = max(event.at for event in events) + draw(_GAPS)
    return Case(draw(contracts(around)), Membership(groups=None), events, as_of), place


def merged(
    choose: Callable[[list[list[TicketEvent]]], list[TicketEvent]], logs: list[list[TicketEvent]]
) -> tuple[TicketEvent, ...]:
    """The events of several tickets as lines of one file: each ticket's in its order, `choose` says whose is next."""
    waiting = [list(log) for log in logs]
    lines: list[TicketEvent] = []
    while any(waiting):
        source = choose([log for log in waiting if log])
        lines.append(source.pop(0)._replace(place=len(lines) + 1))
    return tuple(lines)


@st.composite
def cases(draw: st.DrawFn, *, most: int = 2, nights: tuple[date, ...] = NIGHTS) -> Case:
    around = draw(st.sampled_from(nights))
    logs = [draw(tickets(f"T-{number}", around)) for number in range(1, draw(st.integers(1, most)) + 1)]
    events = merged(lambda waiting: draw(st.sampled_from(waiting)), logs)
    last = max(event.at for event in events)
    as_of = draw(st.one_of(_GAPS.map(lambda gap: last + gap), st.integers(min(e.at for e in events), last)))
    membership = Membership(groups=draw(st.sampled_from([GROUPS, GROUPS, None])))
    return Case(draw(contracts(around)), membership, events, as_of)


@dataclass(frozen=True)
class AssetCase:
    """What is asked about availability: `assets` are those that it is about, None for all that are named."""

    contract: LoadedContract
    membership: Membership
    events: tuple[AssetEvent, ...]
    assets: tuple[str, ...] | None
    as_of: int


@st.composite
def _availability(draw: st.DrawFn) -> Objective:
    target = draw(st.sampled_from(["99.5%", "90%", "50%", "100%"]))
    steps = [Tier(below=Percentage.parse(below), percent_of_fee=draw(_SHARES)) for below in (target, "49.999%", "10%")]
    return Objective(
        id="availability",
        metric=Metric.AVAILABILITY,
        target=Percentage.parse(target),
        calendar=draw(st.sampled_from(["one", "two", None])),
        excludes=draw(_CAUSES),
        unknown_counts=draw(st.sampled_from(Unknown)),
        penalty=draw(st.one_of(_PENALTIES, st.just(Penalty(tiers=tuple(steps))))),
    )


@st.composite
def _asset_events(draw: st.DrawFn, asset: str, start: int) -> list[AssetEvent]:
    at, found = start + draw(st.integers(-DAY, DAY)), []
    for _ in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(AssetEventKind))
        until = at + draw(_GAPS) + 1 if kind is AssetEventKind.MAINTENANCE else None
        late = draw(st.sampled_from([0, 0, -3600, 60])) if until else 0
        cause = draw(st.one_of(st.none(), st.sampled_from(Cause))) if kind is AssetEventKind.DOWN else None
        found.append(AssetEvent(at, 0, asset, kind, at + late, until=until, cause=cause))
        at += draw(st.one_of(_GAPS, st.integers(0, 12 * DAY)))
    return found


@st.composite
def asset_cases(draw: st.DrawFn) -> AssetCase:
    """One availability objective over two assets, a month or two, and an instant in or after them."""
    around = draw(st.sampled_from(NIGHTS))
    base = draw(contracts(around)).versions
    promise = draw(_availability())
    versions = [replace(version.contract, objectives=(promise,)) for version in base]
    contract = loaded(versions[0], *zip((version.effective for version in base[1:]), versions[1:], strict=True))
    logs = [draw(_asset_events(asset, midnight_of(around))) for asset in ASSETS[:2]]
    events = sorted((event for log in logs for event in log), key=lambda event: event.at)
    as_of = max(event.at for event in events) + draw(st.integers(-2 * DAY, 20 * DAY))
    groups = draw(st.sampled_from([{name: GROUPS[name] for name in ASSETS[:2]}, None]))
    assets = ASSETS[:2] if groups is not None else None
    placed = tuple(event._replace(place=line) for line, event in enumerate(events, start=1))
    return AssetCase(contract, Membership(groups=groups), placed, assets, as_of)

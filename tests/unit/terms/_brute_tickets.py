"""The tickets of a record, walked minute by minute from the words of rules 4 to 9: the oracle of `measure_tickets`.

At each instant the events are applied, then every clock sees the cell that follows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.unit.terms._brute_clock import Calendars, Clock, day_of, end_of, last_day
from tests.unit.terms._brute_force import MINUTE

from provisioner.model.contract import Effect
from provisioner.model.objective import Metric
from provisioner.model.service_event import TicketEvent, TicketEventKind
from provisioner.model.values import Cause, Party

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.objective import Objective
    from provisioner.model.record import Membership

Kind = TicketEventKind


@dataclass(frozen=True)
class Expected:
    """What the oracle says of one objective of one ticket. `clocks` are those it rests on (several for updates)."""

    ticket: str
    objective: str | None
    state: str
    reason: str = ""
    started: int | None = None
    due: int | None = None
    stopped: int | None = None
    breached_at: int | None = None
    elapsed: int = 0
    held: tuple[tuple[str, int], ...] = ()
    clocks: tuple[Clock, ...] = ()


class Ticket:
    """A ticket that is walked through time under one contract."""

    def __init__(self, loaded: LoadedContract, membership: Membership, calendars: Calendars) -> None:
        self.loaded, self.membership, self.calendars = loaded, membership, calendars
        self.clocks: dict[str, list[Clock]] = {}
        self.judged: set[str] = set()
        self.hold: Cause | None = None
        self.settled = False
        self.resolved = False
        self.opened: TicketEvent | None = None
        self.priority: str | None = None

    def terms(self, at: int) -> Contract:
        """The terms of the day of an instant (rule 8)."""
        return self.loaded.as_of(day_of(at, self.loaded))

    def applying(self, at: int) -> dict[str, Objective]:
        """The objectives for this ticket's priority and asset by the terms of an instant's day."""
        assert self.opened is not None
        asset = self.opened.asset
        return {
            one.id: one
            for one in self.terms(at).objectives
            if one.metric in (Metric.RESPONSE_TIME, Metric.UPDATE_TIME, Metric.RESOLUTION_TIME)
            or (one.metric is Metric.SETUP_LEAD_TIME and self.opened.mission is not None)
            if one.priority is None or one.priority == self.priority
            if one.group is None or (asset is not None and self.membership.in_any(asset, frozenset([one.group])))
        }

    def clock(self, objective: Objective, at: int) -> Clock:
        """A fresh clock under the terms of this instant."""
        terms = self.terms(at)
        pausing = {cause for cause in Cause if getattr(terms.holds, cause.value) is Effect.PAUSES}
        minutes = self.calendars.of(terms, objective.calendar)
        clock = Clock(objective, minutes, frozenset(pausing | set(objective.excludes)), at, hold=self.hold)
        clock.begin(minutes.first_service(at))
        return clock

    def live(self, *metrics: Metric) -> Iterator[Clock]:
        for clocks in self.clocks.values():
            yield from (one for one in clocks if one.live and one.objective.metric in metrics)

    def apply(self, event: TicketEvent) -> None:
        """What an event does at its instant (rule 6)."""
        at = event.at
        does: dict[TicketEventKind, Callable[[], None]] = {
            Kind.OPENED: lambda: self.open(event),
            Kind.HELD: lambda: self.set_hold(event.cause),
            Kind.RESUMED: lambda: self.set_hold(None),
            Kind.RESPONDED: lambda: self.respond(at),
            Kind.RESOLVED: lambda: self.resolve(at),
            Kind.ACCEPTED: lambda: self.stop(at, Metric.SETUP_LEAD_TIME),
            Kind.REOPENED: self.reopen,
            Kind.REPLIED: lambda: self.reply(event),
            Kind.PRIORITY_CHANGED: lambda: self.change_priority(event),
        }
        does[event.kind]()

    def open(self, event: TicketEvent) -> None:
        self.opened, self.priority = event, event.priority
        for one in self.applying(event.at).values():
            self.clocks[one.id] = [] if one.metric is Metric.UPDATE_TIME else [self.clock(one, event.at)]

    def resolve(self, at: int) -> None:
        self.respond(at)
        self.resolved = True
        self.stop(at, Metric.RESOLUTION_TIME, Metric.UPDATE_TIME)

    def set_hold(self, cause: Cause | None) -> None:
        self.hold = cause
        for clocks in self.clocks.values():
            for one in clocks:
                one.hold = cause if one.live else None

    def stop(self, at: int, *metrics: Metric) -> None:
        for one in list(self.live(*metrics)):
            one.stop(at)

    def respond(self, at: int) -> None:
        """The first response is given, or the ticket is resolved without one; a hold ends."""
        self.set_hold(None)
        self.settled = True
        self.stop(at, Metric.RESPONSE_TIME)

    def reopen(self) -> None:
        """Resolution goes on, with its seconds; the response does not."""
        self.resolved = False
        for clocks in self.clocks.values():
            for one in clocks:
                if one.objective.metric is Metric.RESOLUTION_TIME and not one.fate:
                    one.stopped = None

    def reply(self, event: TicketEvent) -> None:
        if event.by is Party.PROVIDER:
            self.stop(event.at, Metric.UPDATE_TIME)
        elif self.settled:
            for one in self.applying(event.at).values():
                if one.metric is Metric.UPDATE_TIME:
                    self.clocks.setdefault(one.id, []).append(self.clock(one, event.at))

    def change_priority(self, event: TicketEvent) -> None:
        """Rule 7 and decision 7."""
        at, before = event.at, set(self.applying(event.at))
        self.priority = event.priority
        after = self.applying(at)
        dropped: dict[Metric, list[Clock]] = {}
        for one in [clock for metric in Metric for clock in self.past(metric)]:
            one.look(at)
            if not one.fate and one.objective.id not in after:
                dropped.setdefault(one.objective.metric, []).append(one)
        for objective in (after[name] for name in after if name not in before):
            self.retarget(objective, dropped.get(objective.metric, []), at)
        for one in (clock for clocks in dropped.values() for clock in clocks):
            if one.live and one.breached_at is None:
                one.fate, one.hold = "superseded", None

    def retarget(self, objective: Objective, dropped: list[Clock], at: int) -> None:
        """The new objective's clock: kept, already judged, or with the seconds of the one that it replaces."""
        known = self.clocks.get(objective.id, [])
        if any(not one.fate for one in known):
            return
        past = [one for one in self.past(objective.metric) if not one.fate]
        # Nothing is waited for any more: what could stop such a clock has happened (rule 6).
        done = self.settled if objective.metric is Metric.RESPONSE_TIME else self.resolved
        if done or any(not one.live or one.breached_at is not None for one in past):
            self.judged.add(objective.id)
            return
        self.judged.discard(objective.id)
        old = dropped or [one for one in self.past(objective.metric) if one.fate]
        fresh = self.clock(objective, at)
        if old:
            fresh.carry(max(old, key=lambda one: one.elapsed), at)
        self.clocks[objective.id] = [fresh]

    def past(self, metric: Metric) -> list[Clock]:
        """The clocks of a metric that priorities before gave, the one that is being replaced included."""
        return [
            one
            for clocks in self.clocks.values()
            for one in clocks
            if one.objective.metric is metric and one.objective.priority is not None
        ]

    def see(self, start: int, end: int) -> None:
        for clocks in self.clocks.values():
            for one in clocks:
                one.see(start, end)


def walk(ticket: Ticket, events: Sequence[TicketEvent], end: int) -> None:
    """Walk a ticket from its opening to `end`: events at an instant first, then the cell that follows."""
    at, waiting = events[0].at, list(events)
    while True:
        while waiting and waiting[0].at <= at:
            ticket.apply(waiting.pop(0))
        if at >= end:
            return
        following = min([at + MINUTE - at % MINUTE, end, *(one.at for one in waiting[:1])])
        if not any(one.live for clocks in ticket.clocks.values() for one in clocks):
            following = min([end, *(one.at for one in waiting[:1])])
        ticket.see(at, following)
        at = following


def expect(
    loaded: LoadedContract,
    events: Iterable[TicketEvent],
    *,
    membership: Membership,
    as_of: int,
    calendars: Calendars | None = None,
) -> list[Expected]:
    """What the words of the contract say of every ticket at an instant: one for each objective, in no order."""
    tickets: dict[str, list[TicketEvent]] = {}
    for event in events:
        if event.at <= as_of:
            tickets.setdefault(event.ticket, []).append(event)
    found = []
    for name, own in tickets.items():
        ticket = Ticket(loaded, membership, calendars or Calendars())
        found += _of(ticket, name, own, as_of)
    return found


def _of(ticket: Ticket, name: str, events: list[TicketEvent], as_of: int) -> list[Expected]:
    reason = _outside(ticket, events[0])
    if reason:
        return [Expected(name, None, "not_applicable", reason)]
    end = end_of(ticket.loaded)
    over = end is not None and as_of >= end
    last = end if over and end is not None else as_of
    walk(ticket, [one for one in events if not over or one.at < last], last)
    found = [_judged(name, one, clocks, last=last, over=over) for one, clocks in ticket.clocks.items() if clocks]
    judged = [one for one in ticket.judged if not ticket.clocks.get(one)]
    found += [Expected(name, one, "not_applicable", "already judged") for one in judged]
    return found or [Expected(name, None, "not_applicable", "no objective")]


def _outside(ticket: Ticket, opened: TicketEvent) -> str:
    terms, day = ticket.terms(opened.at), day_of(opened.at, ticket.loaded)
    end = last_day(terms)
    if day < terms.starts:
        return "not started"
    if end is not None and day > end:
        return "expired"
    if opened.asset is not None and not ticket.membership.in_any(opened.asset, frozenset(terms.assets)):
        return "uncovered"
    return ""


def _judged(name: str, objective: str, clocks: list[Clock], *, last: int, over: bool) -> Expected:
    for one in clocks:
        one.look(last)
    live = [one for one in clocks if one.live]
    breaches = [one.breached_at for one in clocks if one.breached_at is not None]
    worst = max(clocks, key=lambda one: one.elapsed)
    if breaches:
        worst = next(one for one in clocks if one.breached_at == min(breaches))
    elif live:
        worst = max(live, key=lambda one: one.elapsed)
    due = worst.due if worst.due is not None else None if worst.fate else worst.project(_from(worst, last))
    state, reason = "met", ""
    if breaches:
        state = "breached"
    elif any(one.fate for one in clocks):
        state, reason = "not_applicable", "superseded"
    elif live and over:
        state, reason = "not_applicable", "contract ended"
    elif live:
        state = "held" if any(one.paused for one in live) else "running"
    return Expected(
        name,
        objective,
        state,
        reason,
        started=worst.started,
        due=None if state == "held" else due,
        stopped=worst.stopped,
        breached_at=min(breaches, default=None),
        elapsed=max(one.elapsed for one in clocks),
        held=_held(clocks),
        clocks=tuple(clocks),
    )


def _held(clocks: list[Clock]) -> tuple[tuple[str, int], ...]:
    """By cause, all that was held: of clocks that waited for one answer, the first's."""
    total: Counter[Cause] = Counter()
    for index, one in enumerate(clocks):
        if not any(before.stopped is None or before.stopped > one.opened for before in clocks[:index]):
            total += one.held
    return tuple(sorted((cause.value, seconds) for cause, seconds in total.items() if seconds))


def _from(clock: Clock, last: int) -> int:
    return clock.stopped if clock.stopped is not None else last

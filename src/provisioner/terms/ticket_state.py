"""One ticket as its events leave it: which clocks it has, what stops them, what contradicts it (rules 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from provisioner.model.objective import Metric
from provisioner.model.service_event import TicketEvent, TicketEventKind
from provisioner.model.values import Party
from provisioner.terms import clock as clocks
from provisioner.terms.clock_terms import ClockTerms, Subject, is_order

if TYPE_CHECKING:
    from provisioner.model.values import Cause
    from provisioner.terms.choice import Choice
    from provisioner.terms.clock import Clock

Kind = TicketEventKind
Applying = Callable[[int, Subject], tuple[ClockTerms, ...]]
"""Given an instant and what objectives are chosen for, return the terms of those that apply then."""

_AFTER_RESOLVED = frozenset({Kind.REOPENED, Kind.REPLIED, Kind.PRIORITY_CHANGED, Kind.ACCEPTED})
_UPDATE = Metric.UPDATE_TIME


class Contradiction(ValueError):
    """An event that contradicts those before it; `place` is its line, or the index of its entry."""

    def __init__(self, place: int, message: str) -> None:
        """Say where and what."""
        super().__init__(message)
        self.place = place


class TicketState:
    """A ticket after the events it was given; it holds the clocks of one ticket, by objective.

    An objective has several clocks only for updates, one for each message that waited. `judged` are the terms of
    objectives that came when another of their metric was judged already (rule 7).
    """

    __slots__ = (
        "answered",
        "applying",
        "cause",
        "choice",
        "clocks",
        "end",
        "judged",
        "last",
        "opened",
        "priority",
        "resolved",
        "subject",
        "traced",
    )

    def __init__(self, opened: TicketEvent, choice: Choice, *, applying: Applying, end: int | None) -> None:
        """Begin with the `opened` event, the contract chosen for it, and the end of that contract."""
        self.opened = self.last = opened
        self.choice = choice
        self.applying = applying
        self.end = end
        self.priority = opened.priority
        self.subject = Subject(opened.priority, opened.asset, is_order(opened.mission))
        self.cause: Cause | None = None
        self.answered = self.resolved = self.traced = False
        self.clocks: dict[str, list[Clock]] = {}
        self.judged: dict[str, tuple[ClockTerms, TicketEvent]] = {}

    def begin(self, *, traced: bool) -> None:
        """Start the clocks of the opening."""
        self.traced = traced
        if not self.choice.reason:
            for terms in self.applying(self.opened.at, self.subject):
                found = self.clocks[terms.objective.id] = []
                if terms.metric is not _UPDATE:
                    found.append(self._started(terms, self.opened))

    def apply(self, event: TicketEvent) -> None:
        """Let an event happen; Contradiction when it cannot have. After the end of the contract no clock moves."""
        kind = event.kind
        if wrong := self._wrong(event, kind):
            raise Contradiction(event.place, f"ticket {event.ticket}: {wrong}")
        if not self.choice.reason and (self.end is None or event.at < self.end):
            _MOVES[kind](self, event)
        _NOTES[kind](self, event)
        self.last = event

    def _wrong(self, event: TicketEvent, kind: TicketEventKind) -> str:
        if event.at < self.last.at:
            return f"{kind} is earlier than {self.last.kind} before it"
        if self.resolved and kind not in _AFTER_RESOLVED:
            return "it was opened already" if kind is Kind.OPENED else f"{kind}, and it is resolved"
        refuse = _REFUSALS.get(kind)
        return refuse(self, event) if refuse is not None else ""

    def _note_answer(self, event: TicketEvent) -> None:
        self.answered, self.resolved, self.cause = True, event.kind is Kind.RESOLVED, None

    def _note_hold(self, event: TicketEvent) -> None:
        self.cause = event.cause

    def _note_reopening(self, _event: TicketEvent) -> None:
        self.resolved = False

    def _note_priority(self, event: TicketEvent) -> None:
        self.priority = event.priority
        self.subject = self.subject._replace(priority=event.priority)

    def _note_nothing(self, _event: TicketEvent) -> None:
        """A reply or an accepted workstation changes nothing on the ticket but its clocks."""

    def _started(self, terms: ClockTerms, event: TicketEvent) -> Clock:
        return clocks.start(terms, event.at, place=event.place, cause=self.cause, traced=self.traced)

    def _hold(self, event: TicketEvent) -> None:
        for found in self.clocks.values():
            found[:] = [clocks.hold(one, event.at, cause=event.cause, place=event.place) for one in found]

    def _respond(self, event: TicketEvent) -> None:
        self._stop(event, Metric.RESPONSE_TIME)
        if self.cause is not None:
            self._hold(event)

    def _resolve(self, event: TicketEvent) -> None:
        self._stop(event, Metric.RESPONSE_TIME, Metric.RESOLUTION_TIME, _UPDATE)
        if self.cause is not None:
            self._hold(event)

    def _accept(self, event: TicketEvent) -> None:
        self._stop(event, Metric.SETUP_LEAD_TIME)

    def _stop(self, event: TicketEvent, *metrics: Metric) -> None:
        for found in self.clocks.values():
            if found and found[-1].stopped is None and found[-1].terms.metric in metrics:
                found[-1] = clocks.stop(found[-1], event.at, place=event.place)

    def _reopen(self, event: TicketEvent) -> None:
        for found in self.clocks.values():
            if found and found[0].terms.metric is Metric.RESOLUTION_TIME:
                found[0] = clocks.reopen(found[0], event.at, place=event.place)

    def _reply(self, event: TicketEvent) -> None:
        if event.by is Party.PROVIDER:
            self._stop(event, _UPDATE)
        elif self.answered:
            for terms in self.applying(event.at, self.subject):
                name = terms.objective.id
                if terms.metric is _UPDATE:
                    found = self.clocks.setdefault(name, [])
                    if not found or not found[-1].alive:
                        found.append(self._started(terms, event))

    def _change(self, event: TicketEvent) -> None:
        """Rule 7: what no longer applies is superseded unless it was judged; what applies now goes on from it."""
        at, place = event.at, event.place
        chosen = self.applying(at, self.subject._replace(priority=event.priority))
        before = {terms.objective.id for terms in self.applying(at, self.subject)}
        names = {terms.objective.id for terms in chosen}
        for name, found in self.clocks.items():
            if name not in names and found and found[-1].alive:
                last = clocks.settle(found[-1], at)
                if not last.breached_by(at):
                    found[-1] = clocks.give_up(last, at, fate=clocks.SUPERSEDED)
        past = [one for found in self.clocks.values() for one in found if one.terms.objective.priority is not None]
        for terms in chosen:
            name, metric = terms.objective.id, terms.metric
            known = self.clocks.get(name, [])
            if name in before or any(not one.fate for one in known):
                continue  # it goes on, or was judged when it applied before
            theirs = [one for one in past if one.terms.metric is metric]
            superseded = [one for one in theirs if one.fate and one.ended == at] or theirs
            if any(not one.fate for one in theirs):
                self.judged[name] = (terms, event)
            elif superseded:
                self.clocks[name] = [clocks.retarget(superseded, terms, at, place=place, cause=self.cause)]
            else:
                self.clocks[name] = [] if metric is _UPDATE else [self._started(terms, event)]


Move = Callable[[TicketState, TicketEvent], None]

_MOVES: dict[TicketEventKind, Move] = {
    Kind.HELD: TicketState._hold,
    Kind.RESUMED: TicketState._hold,
    Kind.RESPONDED: TicketState._respond,
    Kind.RESOLVED: TicketState._resolve,
    Kind.ACCEPTED: TicketState._accept,
    Kind.REOPENED: TicketState._reopen,
    Kind.REPLIED: TicketState._reply,
    Kind.PRIORITY_CHANGED: TicketState._change,
}
"""What each event does to the clocks."""

_NOTES: dict[TicketEventKind, Move] = {
    Kind.HELD: TicketState._note_hold,
    Kind.RESUMED: TicketState._note_hold,
    Kind.RESPONDED: TicketState._note_answer,
    Kind.RESOLVED: TicketState._note_answer,
    Kind.ACCEPTED: TicketState._note_nothing,
    Kind.REOPENED: TicketState._note_reopening,
    Kind.REPLIED: TicketState._note_nothing,
    Kind.PRIORITY_CHANGED: TicketState._note_priority,
}
"""What each event leaves on the ticket."""

_REFUSALS: dict[TicketEventKind, Callable[[TicketState, TicketEvent], str]] = {
    Kind.OPENED: lambda _ticket, _event: "it was opened already",
    Kind.RESPONDED: lambda ticket, _event: "it had its first response already" if ticket.answered else "",
    Kind.HELD: lambda ticket, _event: f"held, and it is held already ({ticket.cause})" if ticket.cause else "",
    Kind.RESUMED: lambda ticket, _event: "" if ticket.cause else "resumed, and it is not held",
    Kind.REOPENED: lambda ticket, _event: "" if ticket.resolved else "reopened, and it is open",
    Kind.PRIORITY_CHANGED: lambda ticket, event: (
        f"its priority is {ticket.priority} already" if event.priority == ticket.priority else ""
    ),
}
"""Why each event cannot have happened; empty when it can."""

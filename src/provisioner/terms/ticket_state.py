"""One ticket as its events leave it: which clocks it has, what stops them, what contradicts it (rules 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from provisioner.model.measurement import SUPERSEDED
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
        "runs",
        "subject",
        "traced",
    )

    def __init__(self, opened: TicketEvent, choice: Choice, *, applying: Applying, end: int | None) -> None:
        """Begin with the `opened` event, the contract chosen for it, and the end of that contract."""
        self.opened = self.last = opened
        self.choice = choice
        self.runs = not choice.reason
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
        if self.runs:
            for terms in self.applying(self.opened.at, self.subject):
                found = self.clocks[terms.objective.id] = []
                if terms.metric is not _UPDATE:
                    found.append(self._started(terms, self.opened))

    def apply(self, event: TicketEvent) -> None:
        """Let an event happen; Contradiction when it cannot have. After the end of the contract no clock moves."""
        refuse, move, note, resolved_too = _RULES[event.kind]
        if event.at < self.last.at:
            wrong = f"{event.kind} is earlier than {self.last.kind} before it"
        elif self.resolved and not resolved_too:
            wrong = f"{event.kind}, and it is resolved"
        else:
            wrong = refuse(self, event) if refuse is not None else ""
        if wrong:
            raise Contradiction(event.place, f"ticket {event.ticket}: {wrong}")
        if move is not None and self.runs and (self.end is None or event.at < self.end):
            move(self, event)
        if note is not None:
            note(self, event)
        self.last = event

    def _note_answer(self, event: TicketEvent) -> None:
        self.answered, self.resolved, self.cause = True, event.kind is Kind.RESOLVED, None

    def _note_hold(self, event: TicketEvent) -> None:
        self.cause = event.cause

    def _note_reopening(self, _event: TicketEvent) -> None:
        self.resolved = False

    def _note_priority(self, event: TicketEvent) -> None:
        self.priority = event.priority
        self.subject = self.subject._replace(priority=event.priority)

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
                    found[-1] = clocks.give_up(last, at, fate=SUPERSEDED)
        past = [one for found in self.clocks.values() for one in found if one.terms.objective.priority is not None]
        for terms in chosen:
            name, metric = terms.objective.id, terms.metric
            known = self.clocks.get(name, [])
            if name in before or any(not one.fate for one in known):
                continue  # it goes on, or was judged when it applied before
            theirs = [one for one in past if one.terms.metric is metric]
            superseded = [one for one in theirs if one.fate and one.ended == at] or theirs
            done = {Metric.RESPONSE_TIME: self.answered, Metric.RESOLUTION_TIME: self.resolved}.get(metric, False)
            if done or any(not one.fate for one in theirs):
                self.judged[name] = (terms, event)
            elif superseded:
                self.clocks[name] = [clocks.retarget(superseded, terms, at, place=place, cause=self.cause)]
            else:
                self.clocks[name] = [] if metric is _UPDATE else [self._started(terms, event)]


def _opened(_ticket: TicketState, _event: TicketEvent) -> str:
    return "it was opened already"


def _answered(ticket: TicketState, _event: TicketEvent) -> str:
    return "it had its first response already" if ticket.answered else ""


def _held(ticket: TicketState, _event: TicketEvent) -> str:
    return f"held, and it is held already ({ticket.cause})" if ticket.cause is not None else ""


def _not_held(ticket: TicketState, _event: TicketEvent) -> str:
    return "resumed, and it is not held" if ticket.cause is None else ""


def _open(ticket: TicketState, _event: TicketEvent) -> str:
    return "" if ticket.resolved else "reopened, and it is open"


def _same_priority(ticket: TicketState, event: TicketEvent) -> str:
    return f"its priority is {ticket.priority} already" if event.priority == ticket.priority else ""


class _Rule(NamedTuple):
    """What an event is to a ticket: why it cannot have happened (empty when it can), what it does to the clocks, what
    it leaves on the ticket, and whether it can happen to a resolved one.
    """

    refuse: Callable[[TicketState, TicketEvent], str] | None
    move: Callable[[TicketState, TicketEvent], None] | None
    note: Callable[[TicketState, TicketEvent], None] | None
    resolved_too: bool


_RULES: dict[TicketEventKind, _Rule] = {
    Kind.OPENED: _Rule(_opened, None, None, resolved_too=True),
    Kind.RESPONDED: _Rule(_answered, TicketState._respond, TicketState._note_answer, resolved_too=False),
    Kind.RESOLVED: _Rule(None, TicketState._resolve, TicketState._note_answer, resolved_too=False),
    Kind.HELD: _Rule(_held, TicketState._hold, TicketState._note_hold, resolved_too=False),
    Kind.RESUMED: _Rule(_not_held, TicketState._hold, TicketState._note_hold, resolved_too=False),
    Kind.PRIORITY_CHANGED: _Rule(_same_priority, TicketState._change, TicketState._note_priority, resolved_too=True),
    Kind.REOPENED: _Rule(_open, TicketState._reopen, TicketState._note_reopening, resolved_too=True),
    Kind.REPLIED: _Rule(None, TicketState._reply, None, resolved_too=True),
    Kind.ACCEPTED: _Rule(None, TicketState._accept, None, resolved_too=True),
}
"""Rule 6, event by event."""

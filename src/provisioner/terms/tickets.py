"""The replay of ticket events: what each objective came to for each ticket at an instant (rules 4 to 9)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from provisioner.model.measurement import Measurement, State
from provisioner.model.service_event import TicketEventKind
from provisioner.terms import clock as clocks
from provisioner.terms.clock_terms import NEVER, agreement, applying
from provisioner.terms.ticket_state import Applying, Contradiction, TicketState
from provisioner.terms.trace import holidays_used, trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from provisioner.model.contract import LoadedContract
    from provisioner.model.objective import Objective
    from provisioner.model.service_event import TicketEvent
    from provisioner.model.values import Cause
    from provisioner.terms.choice import Choice, Chooser
    from provisioner.terms.clock import Clock, Reading
    from provisioner.terms.clock_terms import Agreement, ClockTerms, Subject
    from provisioner.terms.service_time import ServiceTime

__all__ = ["Contradiction", "Replay", "RunningClock", "TicketStanding", "measure_tickets", "standing"]

NO_OBJECTIVE = "no objective"
ALREADY_JUDGED = "already judged"


class RunningClock(NamedTuple):
    """A clock that nothing has stopped: what it comes to, the objective and the service time that bind it."""

    measurement: Measurement
    objective: Objective
    service: ServiceTime


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketStanding:
    """A ticket that is open, or that a clock still runs for: where it stands, and its clocks.

    `cause` is that of the hold it is under. A breached clock that nothing has stopped is among the clocks.
    """

    ticket: str
    asset: str | None
    priority: str | None
    opened: int
    cause: Cause | None
    responded: bool
    resolved: bool
    clocks: tuple[RunningClock, ...]

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """What its clocks come to."""
        return tuple(one.measurement for one in self.clocks)


def measure_tickets(
    tickets: Sequence[TicketEvent], choose: Chooser, *, as_of: int, traced: bool = False
) -> list[Measurement]:
    """Given ticket events in the order of their record, return what every objective came to at an instant.

    Measurements are in the order in which tickets were opened; a ticket with nothing to measure has one that says why.
    Events after `as_of` are passed over before anything is checked. Raises Contradiction for events that contradict
    each other, and what `choose` raises. Traces and holidays are filled when `traced`.
    """
    fold = _Fold(choose, traced=traced)
    return [found for ticket in fold.each(tickets, as_of=as_of) for found, _ in _measured(ticket, as_of)]


def standing(tickets: Sequence[TicketEvent], choose: Chooser, *, as_of: int) -> list[TicketStanding]:
    """Given ticket events like `measure_tickets`, return the tickets that wait for something, in order of opening."""
    fold = _Fold(choose, traced=False)
    standings = (_standing(ticket, as_of) for ticket in fold.each(tickets, as_of=as_of))
    return [one for one in standings if one.clocks or not one.resolved]


class Replay:
    """Tickets as far as their events were added; it can be asked at any instant not before them, and goes on.

    A record that is added in parts comes to what it comes to at once.
    """

    def __init__(self, choose: Chooser, *, traced: bool = False) -> None:
        """Begin without a ticket."""
        self._fold = _Fold(choose, traced=traced)
        self._tickets: dict[str, TicketState] = {}

    def add(self, events: Iterable[TicketEvent]) -> None:
        """Let events happen, in the order of their record; Contradiction for one that cannot have."""
        for event in events:
            self._tickets[event.ticket] = self._fold.after(self._tickets.get(event.ticket), event)

    def measurements(self, as_of: int) -> list[Measurement]:
        """Return what every objective comes to at an instant that is not before any event added."""
        return [found for ticket in self._tickets.values() for found, _ in _measured(ticket, as_of)]


class _Fold:
    """Folds events into tickets; it remembers what binds the clocks of each contract."""

    def __init__(self, choose: Chooser, *, traced: bool) -> None:
        self._choose = choose
        self._traced = traced
        self._agreements: dict[int, tuple[Agreement, Applying]] = {}

    def after(self, ticket: TicketState | None, event: TicketEvent) -> TicketState:
        """Given a ticket (None for a new one) and its next event, return the ticket after it."""
        if ticket is None:
            return self._opened(event)
        ticket.apply(event)
        return ticket

    def each(self, events: Iterable[TicketEvent], *, as_of: int) -> Iterator[TicketState]:
        """Yield each ticket of a record as its events up to an instant leave it, in the order of opening.

        One ticket is folded at a time, so that no more than its result is kept. Raises the earliest Contradiction.
        """
        by_ticket: defaultdict[str, list[TicketEvent]] = defaultdict(list)
        for event in events:
            if event.at <= as_of:
                by_ticket[event.ticket].append(event)
        earliest: Contradiction | None = None
        for of_ticket in by_ticket.values():
            try:
                ticket = self._opened(of_ticket[0])
                for event in of_ticket[1:]:
                    ticket.apply(event)
            except Contradiction as found:
                earliest = found if earliest is None or found.place < earliest.place else earliest
            else:
                yield ticket
        if earliest is not None:
            raise earliest

    def _opened(self, event: TicketEvent) -> TicketState:
        if event.kind is not TicketEventKind.OPENED:
            raise Contradiction(event.place, f"ticket {event.ticket}: {event.kind}, and it was not opened")
        choice = self._choose(event.at, event.asset)
        bound, select = self._agreement(choice)
        ticket = TicketState(event, choice, applying=select, end=bound.end)
        ticket.begin(traced=self._traced)
        return ticket

    def _agreement(self, choice: Choice) -> tuple[Agreement, Applying]:
        found = self._agreements.get(id(choice.contract))
        if found is None:
            bound = agreement(choice.contract)
            found = self._agreements[id(choice.contract)] = bound, _selector(bound, choice)
        return found


def _selector(bound: Agreement, choice: Choice) -> Applying:
    """How the objectives of an instant are found, remembered by version and subject."""
    known: dict[tuple[int, Subject], tuple[ClockTerms, ...]] = {}

    def select(at: int, subject: Subject) -> tuple[ClockTerms, ...]:
        contract = bound.terms_at(at)
        key = (id(contract), subject)
        found = known.get(key)
        if found is None:
            found = known[key] = applying(contract, subject, choice.membership)
        return found

    return select


def _standing(ticket: TicketState, as_of: int) -> TicketStanding:
    return TicketStanding(
        ticket=ticket.opened.ticket,
        asset=ticket.opened.asset,
        priority=ticket.priority,
        opened=ticket.opened.at,
        cause=ticket.cause,
        responded=ticket.answered,
        resolved=ticket.resolved,
        clocks=tuple(
            RunningClock(found, clock.terms.objective, clock.terms.service)
            for found, clock in _measured(ticket, as_of)
            if clock is not None and clock.alive
        ),
    )


def _measured(ticket: TicketState, as_of: int) -> list[tuple[Measurement, Clock | None]]:
    """What a ticket comes to, each with the clock it shows; exactly one without a clock where nothing is measured."""
    choice = ticket.choice
    if choice.reason:
        return [(_unmeasured(ticket, reason=choice.reason, clause=choice.clause), None)]
    over = ticket.end is not None and as_of >= ticket.end
    all_found: list[tuple[Measurement, Clock | None]] = []
    for found in ticket.clocks.values():
        if found:
            ended = found if not over else [_ended(one, ticket.end) for one in found]
            all_found.append(_measurement(ticket, [clocks.read(one, as_of) for one in ended]))
    for terms, event in ticket.judged.values():
        if not ticket.clocks.get(terms.objective.id):
            all_found.append((_judged(ticket, terms, event), None))
    return all_found or [(_unmeasured(ticket, reason=NO_OBJECTIVE, clause="objectives"), None)]


def _ended(clock: Clock, end: int | None) -> Clock:
    return clock if end is None else clocks.give_up(clock, end, fate=clocks.CONTRACT_ENDED)


def _measurement(ticket: TicketState, readings: Sequence[Reading]) -> tuple[Measurement, Clock]:
    """What the clocks of one objective come to: breached if any was, elapsed that of the worst (rule 6)."""
    shown = worst = readings[-1]
    held, places = shown.clock.held, shown.clock.places
    if len(readings) > 1:
        worst = max(readings, key=lambda one: one.clock.counted)
        shown = _decisive(readings, worst)
        held = _total([one.clock.held for one in readings])
        places = tuple(sorted({place for one in readings for place in one.clock.places}))
    now = shown.clock
    terms, opened, traced = now.terms, ticket.opened, ticket.traced
    measured = Measurement(
        contract=terms.contract,
        objective=terms.objective.id,
        metric=terms.metric,
        clause=terms.clause,
        state=shown.state,
        reason=now.fate if shown.state is State.NOT_APPLICABLE else "",
        ticket=opened.ticket,
        asset=opened.asset,
        bound=now.bound,
        started=now.started,
        due=shown.due,
        stopped=now.stopped,
        breached_at=shown.breached_at,
        elapsed_seconds=worst.clock.counted,
        target_seconds=now.target if now.target < NEVER else None,
        held_seconds=held,
        holidays=holidays_used(worst.clock, max(shown.due or 0, now.limit or 0)) if traced else (),
        trace=trace(worst.clock) if traced else (),
        places=places,
    )
    return measured, now


def _decisive(readings: Sequence[Reading], worst: Reading) -> Reading:
    """Of several clocks the one whose instants are shown: the first breached, else one that runs, else the worst."""
    breached = [one for one in readings if one.state is State.BREACHED]
    if breached:
        return min(breached, key=lambda one: one.breached_at or 0)
    return worst if readings[-1].state is State.MET else readings[-1]


def _total(held: Iterable[Mapping[Cause, int]]) -> dict[Cause, int]:
    total: dict[Cause, int] = {}
    for one in held:
        for cause, seconds in one.items():
            total[cause] = total.get(cause, 0) + seconds
    return total


def _judged(ticket: TicketState, terms: ClockTerms, event: TicketEvent) -> Measurement:
    return Measurement(
        contract=terms.contract,
        objective=terms.objective.id,
        metric=terms.metric,
        clause=terms.clause,
        state=State.NOT_APPLICABLE,
        reason=ALREADY_JUDGED,
        ticket=ticket.opened.ticket,
        asset=ticket.opened.asset,
        bound=event.at,
        places=(ticket.opened.place, event.place),
    )


def _unmeasured(ticket: TicketState, *, reason: str, clause: str) -> Measurement:
    contract: LoadedContract = ticket.choice.contract
    return Measurement(
        contract=contract.id,
        objective=None,
        metric=None,
        clause=clause,
        state=State.NOT_APPLICABLE,
        reason=reason,
        ticket=ticket.opened.ticket,
        asset=ticket.opened.asset,
        bound=ticket.opened.at,
        places=(ticket.opened.place,),
    )

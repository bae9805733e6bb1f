"""Tickets: a service event enters the log if it contradicts nothing there, and the clocks it changed are told.

Nothing like a help desk: who wrote what to whom stays in the tools that people have for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioner.config.document import did_you_mean
from provisioner.errors import LedgerError, UsageError
from provisioner.ledger.canonical import instant
from provisioner.ledger.entry import Draft
from provisioner.missions.audit import refuse_unknown
from provisioner.missions.recording import under
from provisioner.missions.ticket_entries import KINDS, event_body, record_of
from provisioner.model.service_event import AssetEventKind, TicketEvent, TicketEventKind
from provisioner.model.values import Cause, Party, shown
from provisioner.terms.choice import chooser
from provisioner.terms.escalation import levels
from provisioner.terms.term import terms_on
from provisioner.terms.tickets import Contradiction, measure_tickets, standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provisioner.ledger.book import Book
    from provisioner.model.contract import LoadedContract
    from provisioner.model.measurement import Measurement
    from provisioner.model.record import Membership, Record
    from provisioner.model.service_event import AssetEvent
    from provisioner.terms.choice import Choice, Chooser
    from provisioner.terms.escalation import Level
    from provisioner.terms.tickets import TicketStanding


VERBS = {
    TicketEventKind.OPENED: "open",
    TicketEventKind.RESPONDED: "respond",
    TicketEventKind.REPLIED: "reply",
    TicketEventKind.PRIORITY_CHANGED: "priority",
    TicketEventKind.HELD: "hold",
    TicketEventKind.RESUMED: "resume",
    TicketEventKind.RESOLVED: "resolve",
    TicketEventKind.REOPENED: "reopen",
}
"""What is typed after `ticket.` for each event."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What an event is entered with: the client's contracts and machines, who enters it, and the instant, aware.

    `contract_id` is the contract that was asked for where two decide.
    """

    contracts: tuple[LoadedContract, ...]
    membership: Membership
    operator: str
    at: datetime
    contract_id: str | None = None

    @property
    def now(self) -> int:
        """The instant in whole POSIX seconds: what events are compared with."""
        return int(self.at.timestamp())

    @property
    def chooser(self) -> Chooser:
        """How the contract of an event is chosen."""
        return chooser(self.contracts, membership=self.membership, contract_id=self.contract_id)


@dataclass(frozen=True, kw_only=True)
class Entered:
    """An event that was recorded as entry `entry`: the choice of its contract, and the clocks that it changed."""

    event: TicketEvent | AssetEvent
    entry: int
    choice: Choice
    clocks: tuple[Measurement, ...] = field(default_factory=tuple)


def enter(book: Book, wanted: TicketEvent | AssetEvent, desk: Desk) -> Entered:
    """Record an event, sign, and return it as recorded; `place` of what is wanted says nothing yet.

    A ticket that is opened without a number gets the next free one, T-1 being the first. Raises UsageError, with
    nothing recorded, for an instant in the future, an asset or a ticket that nobody knows, two contracts that decide,
    and for what contradicts the log: then the hint says what may be typed instead.
    """
    _refuse_odd_time(wanted, desk)
    if wanted.asset is not None:
        _refuse_unknown_asset(wanted.asset, desk.membership)
    while True:  # whoever wrote between our look and our entry is looked at too
        last = book.last()
        size = last.index + 1 if last else 0
        record = record_of(book.entries(kinds=KINDS), origin=book.origin)
        entered = _checked(record, wanted._replace(place=size), desk)
        entry = _append(book, entered, desk, size=size)
        if entry is not None:
            book.sign(desk.at)
            return entered if entry == size else _placed(entered, entry)


def _placed(entered: Entered, entry: int) -> Entered:
    return Entered(event=entered.event._replace(place=entry), entry=entry, choice=entered.choice, clocks=entered.clocks)


def _append(book: Book, entered: Entered, desk: Desk, *, size: int) -> int | None:
    """Append the event if the log still has that many entries; return its index, None where it has others."""
    contract = entered.choice.contract
    body = event_body(entered.event, contract=contract.id, digest=contract.digest)
    draft = Draft("ticket", desk.at, book.pseudonym(desk.operator), body)
    entries = book.append(under(book, contract, draft), expected=size)
    return entries[-1].index if entries else None


def _checked(record: Record, event: TicketEvent | AssetEvent, desk: Desk) -> Entered:
    """Return the event as it would be recorded next; UsageError where it contradicts what was."""
    choose = desk.chooser
    if not isinstance(event, TicketEvent):
        return Entered(event=event, entry=event.place, choice=choose(event.at, event.asset))
    named = event if event.ticket else event._replace(ticket=next_number(record))
    before = [known for known in record.tickets if known.ticket == named.ticket]
    opening = before[0] if before else named
    if opening.kind is not TicketEventKind.OPENED:
        raise _unknown_ticket(named.ticket, record)
    after = sorted([*before, named], key=lambda one: (one.at, one.place))
    # Somebody quicker may have recorded an event since this one was typed: it counts, or the two contradict each other.
    as_of = max(desk.now, after[-1].at)
    try:
        clocks = measure_tickets(after, choose, as_of=as_of)
    except Contradiction as error:
        raise UsageError(f"{error}; nothing was recorded", hint=_instead(before, named, desk)) from error
    known = measure_tickets(before, choose, as_of=as_of)
    return Entered(
        event=named,
        entry=named.place,
        choice=choose(opening.at, opening.asset),
        clocks=tuple(clock for clock in clocks if clock not in known),
    )


@dataclass(frozen=True, kw_only=True)
class Which:
    """Which tickets to look at: one, those of a machine, the resolved ones too; empty texts leave none out."""

    ticket: str = ""
    asset: str = ""
    resolved: bool = False


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A ticket as it stands: its opening, its priority now, whether it is open, who holds it, and its clocks.

    One that `waits` is open, or has a clock that still runs, such as an order whose workstation was not accepted yet.
    `levels` are, by objective, the next levels of escalation of the clocks that run.
    """

    opening: TicketEvent
    priority: str | None
    waits: bool
    open: bool
    held_by: Cause | None
    clocks: tuple[Measurement, ...]
    levels: Mapping[str, Level]


def look(book: Book, which: Which, desk: Desk) -> tuple[Shown, ...]:
    """Return the tickets that are wanted, in the order in which they were opened, as of the desk's instant.

    Raises UsageError where the client has no log, or has not the ticket, or not one of the machine, that was named;
    LedgerError where the log cannot be read, or contradicts itself.
    """
    refuse_unknown(book)
    if which.asset:
        _refuse_unknown_asset(which.asset, desk.membership)
    record = record_of(book.entries(kinds=KINDS), origin=book.origin)
    openings = {event.ticket: event for event in record.tickets if event.kind is TicketEventKind.OPENED}
    if which.ticket and which.ticket not in openings:
        raise _unknown_ticket(which.ticket, record)
    named = {
        ticket: event
        for ticket, event in openings.items()
        if which.ticket in ("", ticket) and which.asset in ("", event.asset)
    }
    if which.asset and not named:
        raise UsageError(f"no ticket is about {shown(which.asset)}", hint="`invoke ticket.list --all` shows all")
    events = [event for event in record.tickets if event.ticket in named]
    try:
        found = tuple(_stood(events, desk))
    except Contradiction as error:
        raise LedgerError(f"entry {error.place}: {error}", hint="`invoke audit.show` shows the entry") from error
    return tuple(one for one in found if one.waits or which.resolved or which.ticket)


def _stood(events: Sequence[TicketEvent], desk: Desk) -> Iterator[Shown]:
    choose = desk.chooser
    waiting = {one.ticket: one for one in standing(events, choose, as_of=desk.now)}
    clocks: dict[str, list[Measurement]] = {}
    for clock in measure_tickets(events, choose, as_of=desk.now):
        clocks.setdefault(str(clock.ticket), []).append(clock)
    priorities = {event.ticket: event.priority for event in events if event.priority}
    for event in events:
        if event.kind is TicketEventKind.OPENED:
            stands = waiting.get(event.ticket)
            yield Shown(
                opening=event,
                priority=priorities.get(event.ticket),
                waits=stands is not None,
                open=stands is not None and not stands.resolved,
                held_by=stands.cause if stands else None,
                clocks=tuple(clocks.get(event.ticket, ())),
                levels=_next_levels(stands, choose(event.at, event.asset).contract, desk.now) if stands else {},
            )


def _next_levels(stands: TicketStanding, contract: LoadedContract, now: int) -> dict[str, Level]:
    found = {}
    for clock in stands.clocks:
        bound = datetime.fromtimestamp(clock.measurement.bound or stands.opened, UTC)
        terms, _ = terms_on(contract, bound)
        left = [level for level in levels(terms, clock, cause=stands.cause, as_of=now) if not level.reached]
        if left:
            found[clock.objective.id] = left[0]
    return found


def next_number(record: Record) -> str:
    """Return the first of T-1, T-2, … above all that the record has."""
    numbers = [re.fullmatch(r"T-([0-9]{1,9})", event.ticket) for event in record.tickets]
    return f"T-{max((int(found[1]) for found in numbers if found), default=0) + 1}"


def _instead(before: Sequence[TicketEvent], event: TicketEvent, desk: Desk) -> str:
    """Say what may be typed instead: each kind of event that contradicts nothing at this place."""
    priority = [known.priority for known in before if known.at <= event.at and known.priority]
    other = "P1" if priority[-1:] != ["P1"] else "P2"
    possible = []
    for kind, verb in VERBS.items():
        candidate = TicketEvent(
            event.at, event.place, event.ticket, kind, priority=other, by=Party.CLIENT, cause=Cause.CLIENT
        )
        after = sorted([*before, candidate], key=lambda one: (one.at, one.place))
        try:
            measure_tickets(after, desk.chooser, as_of=max(desk.now, after[-1].at))
        except Contradiction:
            continue
        possible.append(f"ticket.{verb}")
    at = instant(datetime.fromtimestamp(event.at, UTC))
    return f"at {at} possible: {', '.join(possible)}" if possible else f"nothing fits at {at}: see `invoke ticket.list`"


def _refuse_odd_time(event: TicketEvent | AssetEvent, desk: Desk) -> None:
    if event.kind is not AssetEventKind.MAINTENANCE:
        if event.at > desk.now:
            raise UsageError(
                "--at is in the future: only what has happened is recorded", hint="leave --at away for now"
            )
        return
    if event.at < desk.now:
        raise UsageError(
            "this maintenance begins in the past: it would count for nothing, since it was not recorded before",
            hint="maintenance is announced; what was not is `ticket.down`, with --cause",
        )
    if event.until is None or event.until <= event.at:
        raise UsageError("--until is not after --at", hint="say when the maintenance ends")


def _refuse_unknown_asset(asset: str, membership: Membership) -> None:
    known = membership.groups
    if known is not None and asset not in known:
        raise UsageError(f"no machine is called {shown(asset)} in hosts.yml{did_you_mean(asset, known)}")


def _unknown_ticket(ticket: str, record: Record) -> UsageError:
    known = {event.ticket for event in record.tickets}
    hint = "`invoke ticket.list` shows those that are open" if known else "`invoke ticket.open` opens the first one"
    return UsageError(f"there is no ticket {shown(ticket)}{did_you_mean(ticket, known)}", hint=hint)

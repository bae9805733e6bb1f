"""A statement: what contracts promised, what a record comes to under them, and what is owed, at an instant."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provisioner.model.measurement import Statement, holding
from provisioner.model.sentence import Sentence, at_instant
from provisioner.model.service_event import TicketEventKind
from provisioner.terms.choice import chooser
from provisioner.terms.credits import credits_for, totals
from provisioner.terms.objectives import measure_months
from provisioner.terms.objectives.known import known
from provisioner.terms.tickets import measure_tickets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from provisioner.model.contract import LoadedContract
    from provisioner.model.measurement import Measurement
    from provisioner.model.record import Membership, Record
    from provisioner.model.values import Cause
    from provisioner.terms.choice import Chooser
    from provisioner.terms.objectives.known import Known


def statement(
    contracts: Sequence[LoadedContract], record: Record, *, membership: Membership, as_of: int, traced: bool = False
) -> Statement:
    """Given a client's contracts and everything that happened, return what was promised, measured and owed then.

    Events after `as_of` (POSIX seconds) change nothing. Raises Contradiction with the place of an event that
    contradicts others, UsageError where two contracts decide about a ticket, or a month has credits in two currencies.
    """
    choose = chooser(contracts, membership=membership)
    happened = known(record, membership=membership, as_of=as_of)
    tickets = measure_tickets(record.tickets, choose, as_of=as_of, traced=traced)
    measurements = (*tickets, *measure_months(contracts, happened, as_of=as_of, traced=traced))
    by_id = {loaded.id: loaded for loaded in contracts}
    owed = credits_for(measurements, by_id)
    chosen = _chosen(record, choose, as_of=as_of) if len(contracts) > 1 else ()
    return Statement(
        as_of=as_of,
        contracts=tuple(by_id),
        coverage="assumed" if membership.groups is None else "hosts",
        measurements=measurements,
        credits=owed,
        totals=totals(owed, by_id),
        held_seconds=held(measurements),
        notes=(*chosen, *_late(happened)),
    )


def held(measurements: Iterable[Measurement]) -> dict[Cause, int]:
    """Given measurements, return by cause the service seconds that their clocks were held.

    A clock that took over from a superseded one has its seconds: they are not added twice.
    """
    found: Counter[Cause] = Counter()
    for measurement in holding(measurements):
        if measurement.held_seconds:
            found.update(measurement.held_seconds)
    return dict(found)


def _chosen(record: Record, choose: Chooser, *, as_of: int) -> Iterator[str]:
    """Why each ticket is measured by its contract, tickets with the same reason together."""
    tickets: dict[str, list[str]] = {}
    for event in record.tickets:
        if event.at <= as_of and event.kind is TicketEventKind.OPENED:
            tickets.setdefault(choose(event.at, event.asset).why, []).append(event.ticket)
    for why, names in tickets.items():
        first = names[0] if len(names) == 1 else f"{names[0]} (+{len(names) - 1})"
        yield Sentence("{tickets}: {why}", tickets=first, why=why)


def _late(happened: Known) -> Iterator[str]:
    for event in happened.late:
        said = "maintenance of {asset} that began at {at} was recorded at {recorded}, after it began: it does not count"
        yield Sentence(said, asset=event.asset, at=at_instant(event.at), recorded=at_instant(event.recorded))

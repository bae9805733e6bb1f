"""Where the product and the oracle differ about one case: sentences, none when they agree."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.unit.terms._brute_clock import FAR, Calendars, end_of
from tests.unit.terms._brute_force import DAY
from tests.unit.terms._brute_money import Month, availability, cents, credit, totals
from tests.unit.terms._brute_tickets import Expected, expect

from provisioner.model.measurement import Measurement, State
from provisioner.model.objective import Metric
from provisioner.model.service_event import TicketEvent, TicketEventKind
from provisioner.terms.choice import chooser
from provisioner.terms.tickets import measure_tickets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.unit.terms._sla_cases import AssetCase, Case

    from provisioner.model.contract import LoadedContract
    from provisioner.model.measurement import Statement


def measured(case: Case, *, traced: bool = False) -> list[Measurement]:
    """What the product says of the tickets of a case."""
    choose = chooser([case.contract], membership=case.membership)
    return measure_tickets(case.events, choose, as_of=case.as_of, traced=traced)


def expected(case: Case, calendars: Calendars | None = None) -> list[Expected]:
    """What the oracle says."""
    return expect(
        case.contract, case.events, membership=case.membership, as_of=case.as_of, calendars=calendars or Calendars()
    )


def at_the_edges(case: Case, found: Iterable[Expected]) -> Iterator[Case]:
    """The same case asked at the instants at which something changes, and a second later.

    Also with a ticket that is resolved at the very instant at which it is due, or a second later.
    """
    first = min(event.at for event in case.events)
    instants = {at for one in found for clock in one.clocks for at in (clock.due, clock.limit) if at is not None}
    end = end_of(case.contract)
    ends = [end] if end is not None and first < end < case.as_of + 5 * DAY else []
    for at in sorted(at for at in instants if at >= first)[:2] + ends:
        yield from (replace(case, as_of=at), replace(case, as_of=at + 1))
    for one in found:
        if one.state == "running" and one.clocks[0].objective.metric is Metric.RESOLUTION_TIME:
            yield from _resolved_when_due(case, one)


def _resolved_when_due(case: Case, one: Expected) -> Iterator[Case]:
    known = tuple(event for event in case.events if event.at <= case.as_of)
    if one.due is not None and one.due >= case.as_of:
        for at in (one.due, one.due + 1):
            resolved = TicketEvent(at, 1 + len(case.events), one.ticket, TicketEventKind.RESOLVED)
            yield replace(case, events=(*known, resolved), as_of=at)


def differences(wanted: Iterable[Expected], found: Iterable[Measurement]) -> list[str]:
    """Compare to the second; what no rule decides (dates of what is not applicable) is not compared."""
    want = {(one.ticket, one.objective): one for one in wanted}
    got = {(one.ticket, one.objective): one for one in found}
    said = [f"{key}: the product has none" for key in want.keys() - got.keys()]
    said += [f"{key}: only the product has {got[key].state}" for key in got.keys() - want.keys()]
    for key in want.keys() & got.keys():
        said += [f"{key}: {text}" for text in _compared(want[key], got[key])]
    return said


def _compared(want: Expected, got: Measurement) -> Iterator[str]:
    pairs: dict[str, tuple[object, object]] = {
        "state": (want.state, got.state.value),
        "reason": (want.reason, got.reason),
        "breached_at": (want.breached_at, got.breached_at),
    }
    if got.state is not State.NOT_APPLICABLE:
        pairs |= {"started": (want.started, got.started), "stopped": (want.stopped, got.stopped)}
        if want.due is not None or want.state == "held" or got.due is None or got.due < _horizon(want):
            pairs |= {"due": (want.due, got.due)}
    if want.clocks:
        held = tuple(sorted((cause.value, seconds) for cause, seconds in got.held_seconds.items() if seconds))
        pairs |= {"elapsed": (want.elapsed, got.elapsed_seconds), "held": (want.held, held)}
    for name, (wanted, found) in pairs.items():
        if wanted != found:
            yield f"{name} is {found}, by the words of the rules {wanted}"


def _horizon(want: Expected) -> int:
    """How far the oracle looks for a due instant."""
    return min((one.opened for one in want.clocks), default=0) + FAR * DAY


def differences_of_months(case: AssetCase, said: Statement) -> list[str]:
    """Compare months of availability, their seconds and bounds, and the credits of a case.

    A month that has not ended is `running`; whether it may already read `not_evaluable` is not said by any rule.
    """
    months = availability(case.contract, case.events, objective="availability", assets=case.assets, as_of=case.as_of)
    got = {one.month: one for one in said.measurements if one.month is not None}
    if not_there := {one.month for one in months} ^ got.keys():
        return [f"months of one only: {not_there}"]
    found = [f"{one.month}: {text}" for one in months for text in _month(one, got[one.month])]
    return found + differences_of_credits(case.contract, months, said)


def _month(want: Month, got: Measurement) -> Iterator[str]:
    unsaid = want.state == "running" and got.state is State.NOT_EVALUABLE
    if not unsaid and (want.state, want.breached_at) != (got.state.value, got.breached_at):
        yield f"{got.state} at {got.breached_at}, by the words of the rules {want.state} at {want.breached_at}"
    if got.bounds is None:
        return
    seconds = {name: length for name, length in got.bounds.seconds.items() if length}
    if seconds != {name: length for name, length in want.seconds.items() if length and name != "up"}:
        yield f"{seconds}, by the words of the rules {dict(want.seconds)}"
    bounds = Fraction(got.bounds.lower), Fraction(got.bounds.upper)
    if any(abs(one - other) > Fraction(1, 10**20) for one, other in zip(bounds, (want.lower, want.upper), strict=True)):
        yield f"{bounds}, by the words of the rules {want.lower} to {want.upper}"


def differences_of_credits(contract: LoadedContract, wanted: Iterable[Expected | Month], said: Statement) -> list[str]:
    """Compare credits and the totals of months, to the cent."""
    credits = [credit(contract, one) for one in wanted]
    pairs: tuple[tuple[object, object], ...] = (
        (sorted(one for one in credits if one), sorted((one.month, cents(one.amount)) for one in said.credits)),
        (
            totals(contract, credits),
            {month: (cents(one.before_cap), cents(one.after_cap)) for month, one in said.totals.items()},
        ),
    )
    return [f"{found}, by the words of the rules {want}" for want, found in pairs if want != found]

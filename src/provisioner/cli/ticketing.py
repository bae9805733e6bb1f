"""What the tasks `ticket.*` do: one event into the log, or the clocks of tickets, told to a person or as a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.cli.command import print_json, required, say
from provisioner.cli.typed import event_of, instant_of, length, local
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.missions.tickets import Desk, Entered, Shown
    from provisioner.model.measurement import Measurement


@dataclass(frozen=True)
class Typed:
    """What every task of the group is typed with."""

    client: str
    contract_id: str
    at: str
    json: bool


@dataclass(frozen=True)
class Wanted:
    """Which tickets are to be listed."""

    ticket: str
    asset: str
    all: bool


def asset_of(asset: str, host: str) -> str:
    """Return the machine that --asset or --host names, empty for neither; UsageError for two."""
    if asset and host and asset != host:
        raise UsageError(f"--asset {asset!a} and --host {host!a} are two machines", hint="they say the same thing")
    return asset or host


def entered(kind: str, said: Mapping[str, str], typed: Typed) -> int:
    """Record the event of this kind that `said` tells of, and show the clocks that it changed; the exit code."""
    from provisioner.cli import wiring
    from provisioner.cli.wiring import anchors, service
    from provisioner.missions.tickets import enter

    site = wiring.site(writes=True)
    client = service.client_of(site, typed.client, said.get("asset", ""))
    desk = service.desk(site, client, contract_id=typed.contract_id)
    zone = service.zone_of(desk.contracts)
    values: dict[str, str | int] = dict(said)
    values["at"] = instant_of("at", typed.at, zone=zone) if typed.at else desk.now
    if said.get("until"):
        values["until"] = instant_of("until", said["until"], zone=zone)
    with wiring.open_book(site, client) as book:
        done = enter(book, event_of(kind, values), desk)
    _tell(done, desk, client=client, json=typed.json)
    anchors.anchor_quietly(site, client, say=say)
    return 0


def _tell(done: Entered, desk: Desk, *, client: str, json: bool) -> None:
    if json:
        print_json(_document(done, desk, client=client))
        return
    zone, event = done.choice.terms.timezone or "UTC", done.event
    subject = getattr(event, "ticket", None) or event.asset
    until = getattr(event, "until", None)
    span = f" until {local(until, zone)}" if until is not None else ""
    print(f"{subject}: {event.kind.value} at {local(event.at, zone)}{span} ({zone}), entry {done.entry}")
    print(_resting(done))
    if done.clocks:
        _clocks(done.clocks, zone)
    elif hasattr(event, "ticket"):
        print("no clock changed")


def _resting(done: Entered) -> str:
    why = done.choice.why
    return f"{why}: nothing is measured ({done.choice.reason})" if done.choice.reason else why


def _document(done: Entered, desk: Desk, *, client: str) -> dict[str, object]:
    from provisioner.missions.ticket_entries import event_body
    from provisioner.reporting.statements import utc

    contract = done.choice.contract
    return {
        "client": client,
        "entry": done.entry,
        "event": event_body(done.event, contract=contract.id, digest=contract.digest),
        "contract": contract.id,
        "covered": not done.choice.reason,
        "reason": done.choice.reason,
        "why": done.choice.why,
        "as_of": utc(desk.now),
        "clocks": [_clock(clock) for clock in done.clocks],
    }


def _clock(clock: Measurement) -> dict[str, object]:
    from provisioner.reporting.statements import measurement_document

    return {**measurement_document(clock), "left_seconds": _left(clock)}


def _left(clock: Measurement) -> int | None:
    """Service seconds until it is due, below zero when it is past that; None for a clock that has stopped."""
    if clock.target_seconds is None or clock.stopped is not None or clock.state.value not in _LIVE:
        return None
    return clock.target_seconds - clock.elapsed_seconds


_LIVE = ("running", "held", "breached")


def _clocks(clocks: Iterable[Measurement], zone: str) -> None:
    from provisioner.cli.present import table

    table("", CLOCK, [_cells(clock, zone) for clock in clocks])


CLOCK = ("clause", "state", "due", "left")


def _cells(clock: Measurement, zone: str) -> tuple[str, ...]:
    left, due = _left(clock), "" if clock.due is None else local(clock.due, zone)
    state = f"{clock.state.value}: {clock.reason}" if clock.reason else clock.state.value
    return clock.clause, state, due, "" if left is None else length(left)


def _tickets(found: Iterable[Shown], zone: str) -> None:
    from provisioner.cli.present import table

    def rows() -> Iterator[tuple[str, ...]]:
        for one in found:
            opening, held = one.opening, f"by {one.held_by.value}" if one.held_by else ""
            state = "" if one.open else "resolved"
            for clock in one.clocks:
                level = one.levels.get(clock.objective or "")
                told = "" if level is None or level.at is None else f"{level.to}, {local(level.at, zone)}"
                named = (opening.ticket, one.priority or "", opening.asset or "", held or state)
                yield (*named, *_cells(clock, zone), told)

    table("", ("ticket", "priority", "asset", "held", *CLOCK, "next to be told"), [*rows()])


def listed(wanted: Wanted, typed: Typed) -> int:
    """Show the clocks of the tickets that are wanted; the exit code."""
    from provisioner.cli import wiring
    from provisioner.cli.wiring import service
    from provisioner.missions.tickets import Which, look

    site = wiring.site()
    client = required("client", typed.client, "invoke ticket.list --client demo")
    desk = service.desk(site, client, contract_id=typed.contract_id)
    which = Which(ticket=wanted.ticket, asset=wanted.asset, resolved=wanted.all)
    with service.book_if_begun(site, client) as book:
        if book is None:
            raise UsageError(f"nothing was recorded of {client} yet", hint="`invoke ticket.open` records a ticket")
        found = look(book, which, desk)
    if typed.json:
        from provisioner.reporting.statements import utc

        print_json({"client": client, "as_of": utc(desk.now), "tickets": [_shown(one) for one in found]})
    elif found:
        zone = service.zone_of(desk.contracts) or "UTC"
        _tickets(found, zone)
        print(f"tickets: {len(found)}, as of {local(desk.now, zone)} ({zone}); what is left is service time")
    else:
        print(f"no ticket of {client} is open" if not wanted.all else f"no ticket of {client} was recorded")
    return 0


def _shown(one: Shown) -> dict[str, object]:
    from provisioner.reporting.statements import utc

    opening = one.opening
    return {
        "ticket": opening.ticket,
        "asset": opening.asset,
        "priority": one.priority,
        "mission": opening.mission.value if opening.mission else None,
        "opened": utc(opening.at),
        "open": one.open,
        "held_by": one.held_by.value if one.held_by else None,
        "clocks": [{**_clock(clock), "next_level": _level(one, clock)} for clock in one.clocks],
    }


def _level(one: Shown, clock: Measurement) -> dict[str, object] | None:
    """Who is told next about a clock, and when: null while that is not foreseeable."""
    from provisioner.reporting.statements import utc

    level = one.levels.get(clock.objective or "")
    return None if level is None else {"clause": level.clause, "to": level.to, "at": utc(level.at)}

"""`invoke ticket.*`: thin service events for the log, and the clocks that they move. Nothing like a help desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.cli.command import JSON_HELP, command
from provisioner.cli.ticketing import Typed, Wanted, asset_of, entered, listed
from provisioner.cli.typed import AT

if TYPE_CHECKING:
    from invoke.context import Context
    from invoke.tasks import Task

CLIENT = "the client's folder"
TICKET = "the ticket, such as T-1 or the number that another system gave"
ASSET = "the machine's name in hosts.yml"
SPENT = "labour to be charged, such as 45m"
CONTRACT = "the contract it rests on, where two decide"
COMMON = {"client": CLIENT, "at": AT, "contract-id": CONTRACT, "json": JSON_HELP}
ON_TICKET = {**COMMON, "ticket": TICKET, "spent": SPENT}
ON_ASSET = {**COMMON, "asset": ASSET, "host": "the same as --asset", "client": f"{CLIENT}; needed when two have it"}


def _on_ticket(name: str, kind: str, text: str) -> Task[Any]:
    """Declare a task whose event says no more than which ticket, when and how much labour; `text` is its help."""

    @command(help=ON_TICKET)
    def task(
        _context: Context,
        client: str = "",
        ticket: str = "",
        at: str = "",
        spent: str = "",
        contract_id: str = "",
        json: bool = False,
    ) -> int:
        return entered(kind, {"ticket": ticket, "spent": spent}, Typed(client, contract_id, at, json))

    return _named(task, name, text)


def _on_asset(name: str, text: str) -> Task[Any]:
    """Declare a task whose event, of the same name, says no more than which machine and when; `text` is its help."""

    @command(help=ON_ASSET)
    def task(
        _context: Context,
        client: str = "",
        asset: str = "",
        host: str = "",
        at: str = "",
        contract_id: str = "",
        json: bool = False,
    ) -> int:
        return entered(name, {"asset": asset_of(asset, host)}, Typed(client, contract_id, at, json))

    return _named(task, name, text)


def _named(task: Task[Any], name: str, text: str) -> Task[Any]:
    task.__name__, task.__doc__ = name, text
    return task


respond = _on_ticket(
    "respond",
    "responded",
    "Say that the first response was given. Example: invoke ticket.respond --client demo --ticket T-1",
)
resume = _on_ticket(
    "resume", "resumed", "Say that a ticket waits no longer. Example: invoke ticket.resume --client demo --ticket T-1"
)
resolve = _on_ticket(
    "resolve",
    "resolved",
    "Say that a ticket is resolved. Example: invoke ticket.resolve --client demo --ticket T-1 --spent 45m",
)
reopen = _on_ticket(
    "reopen",
    "reopened",
    """Say that a resolved ticket is not: its resolution clock goes on.

    Example: invoke ticket.reopen --client demo --ticket T-1
    """,
)
up = _on_asset("up", "Say that a machine serves. Example: invoke ticket.up --client demo --asset ws-01")
unknown = _on_asset(
    "unknown",
    "Say that nobody knows whether a machine serves. Example: invoke ticket.unknown --client demo --asset ws-01",
)


@command(
    help={
        **ON_TICKET,
        "ticket": "its number; the next free one of T-1, T-2 … when it has none",
        "priority": "P1 to P9, as in the contract's objectives",
        "asset": ASSET + ", when it is about one",
        "host": "the same as --asset",
        "mission": "what it orders, if it is an order: workstation_setup",
    }
)
def open(
    _context: Context,
    client: str = "",
    ticket: str = "",
    priority: str = "",
    asset: str = "",
    host: str = "",
    mission: str = "",
    at: str = "",
    spent: str = "",
    contract_id: str = "",
    json: bool = False,
) -> int:
    """Open a ticket, or an order: its clocks start as the contract says.

    Example: invoke ticket.open --client demo --priority P1 --asset ws-01
    """
    said = {"ticket": ticket, "priority": priority, "asset": asset_of(asset, host), "mission": mission, "spent": spent}
    return entered("opened", said, Typed(client, contract_id, at, json))


@command(help={**ON_TICKET, "by": "who wrote: client or provider"})
def reply(
    _context: Context,
    client: str = "",
    ticket: str = "",
    by: str = "",
    at: str = "",
    spent: str = "",
    contract_id: str = "",
    json: bool = False,
) -> int:
    """Say that somebody wrote after the first response.

    Example: invoke ticket.reply --client demo --ticket T-1 --by client
    """
    said = {"ticket": ticket, "by": by, "spent": spent}
    return entered("replied", said, Typed(client, contract_id, at, json))


@command(help={**ON_TICKET, "priority": "the new one, P1 to P9"})
def priority(
    _context: Context,
    client: str = "",
    ticket: str = "",
    priority: str = "",
    at: str = "",
    spent: str = "",
    contract_id: str = "",
    json: bool = False,
) -> int:
    """Change the priority of a ticket: from then on other targets count.

    Example: invoke ticket.priority --client demo --ticket T-1 --priority P2
    """
    said = {"ticket": ticket, "priority": priority, "spent": spent}
    return entered("priority_changed", said, Typed(client, contract_id, at, json))


@command(help={**ON_TICKET, "cause": "who or what it waits for: client, provider, third_party or force_majeure"})
def hold(
    _context: Context,
    client: str = "",
    ticket: str = "",
    cause: str = "",
    at: str = "",
    spent: str = "",
    contract_id: str = "",
    json: bool = False,
) -> int:
    """Say that a ticket waits, and for whom: the contract says which causes pause its clocks.

    Example: invoke ticket.hold --client demo --ticket T-1 --cause client
    """
    said = {"ticket": ticket, "cause": cause, "spent": spent}
    return entered("held", said, Typed(client, contract_id, at, json))


@command(help={**ON_ASSET, "cause": "who or what it is due to: client, provider, third_party or force_majeure"})
def down(
    _context: Context,
    client: str = "",
    asset: str = "",
    host: str = "",
    cause: str = "",
    at: str = "",
    contract_id: str = "",
    json: bool = False,
) -> int:
    """Say that a machine does not serve. Example: invoke ticket.down --client demo --asset ws-01"""
    said = {"asset": asset_of(asset, host), "cause": cause}
    return entered("down", said, Typed(client, contract_id, at, json))


@command(help={**ON_ASSET, "at": AT.replace("it happened", "it begins, not in the past"), "until": "when it ends"})
def maintenance(
    _context: Context,
    client: str = "",
    asset: str = "",
    host: str = "",
    at: str = "",
    until: str = "",
    contract_id: str = "",
    json: bool = False,
) -> int:
    """Announce agreed maintenance of a machine: that time is taken out of its availability.

    Example: invoke ticket.maintenance --client demo --asset ws-01 --at 2026-11-27T22:00 --until 2026-11-28T02:00
    """
    said = {"asset": asset_of(asset, host), "until": until}
    return entered("maintenance", said, Typed(client, contract_id, at, json))


@command(
    help={
        "client": CLIENT,
        "ticket": "this one only",
        "host": "those of this machine only",
        "asset": "the same as --host",
        "all": "resolved tickets too",
        "contract-id": CONTRACT,
        "json": JSON_HELP,
    }
)
def list(
    _context: Context,
    client: str = "",
    ticket: str = "",
    host: str = "",
    asset: str = "",
    all: bool = False,
    contract_id: str = "",
    json: bool = False,
) -> int:
    """Show the clocks of every open ticket: due, what is left in service time, state, who holds it, who is told next.

    Example: invoke ticket.list --client demo
    """
    return listed(Wanted(ticket, asset_of(asset, host), all), Typed(client, contract_id, "", json))

"""Backup status: read what agents and stores report, record what is new, say where each machine stands.

Silence is a breach: the dead man's switch is here, not on the machine. It opens one ticket, and not a second one while
that one is open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.ledger.entry import Draft
from provisioner.missions.backup_entries import KINDS, history, new_bodies
from provisioner.missions.backup_task import STATUS, Run, carry_out
from provisioner.missions.recording import under
from provisioner.missions.tickets import Desk, enter
from provisioner.model.backup import StoreReport
from provisioner.model.backup_seen import Seen
from provisioner.model.record import Membership
from provisioner.model.service_event import TicketEvent, TicketEventKind
from provisioner.planning.backup import plan_backup_status
from provisioner.planning.backup_standing import stand

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioner.ledger.book import Book
    from provisioner.missions.backup_entries import History
    from provisioner.missions.backup_task import BackupTask
    from provisioner.missions.services import Services
    from provisioner.model.asset import Asset
    from provisioner.model.backup import BackupStanding, Effective
    from provisioner.model.intervention import AssetResult, Intervention

PRIORITY = "P1"
"""The priority of a ticket about silence: a promise is being broken, and nobody else says so."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What a reading came to: the intervention, where each machine stands at `at`, the entries of new snapshots.

    `tickets` are those that this reading opened. Nothing stands where the reading was refused.
    """

    intervention: Intervention
    at: int
    standings: tuple[BackupStanding, ...] = ()
    entries: tuple[int, ...] = ()
    tickets: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """What one reading found at `at`, and on whom."""

    task: BackupTask
    at: datetime
    agents: tuple[Asset, ...]
    results: Mapping[str, AssetResult]

    @property
    def second(self) -> int:
        return int(self.at.timestamp())

    def stores(self, names: Sequence[str], asset: str) -> dict[str, StoreReport | None]:
        """By store, its report of a machine: None where it could not be read, an empty one where it knows nothing."""
        return {name: self._store(name, asset) for name in names if name in self.results}

    def _store(self, name: str, asset: str) -> StoreReport | None:
        report = self.results[name].backups
        if report is None or (asset not in report.agents and report.unreadable):
            return None
        return report.agents.get(asset, StoreReport(at=self.second))


def watch(task: BackupTask, services: Services) -> Watched:
    """Read every agent and store as one intervention that changes nothing; record, judge, open tickets.

    Raises UsageError where nothing is covered or promised, and what `perform` raises.
    """
    at = int(services.now().timestamp())
    agents, stores = task.agents(at), task.stores(at)
    plan = plan_backup_status(agents, stores, task.content[STATUS])
    intervention = carry_out(task, services, Run(plan=plan, assets=(*agents, *stores)))
    results = {result.name: result for result in intervention.assets}
    now = services.now()
    if not results:
        return Watched(intervention=intervention, at=int(now.timestamp()))
    reading = _Reading(task=task, at=now, agents=agents, results=results)
    with services.open_book(task.client) as book:
        entries = _record(reading, book, services)
        found = history(book.entries(kinds=KINDS), origin=book.origin)
        standings = _standings(reading, found)
        silent = [one for one in standings if one.breached and not one.ticket]
        named = {one.asset: ticket for one in silent if (ticket := _open(reading, book, services, one, found))}
    standings = tuple(replace(one, ticket=named.get(one.asset, one.ticket)) for one in standings)
    return Watched(
        intervention=intervention,
        at=reading.second,
        standings=standings,
        entries=entries,
        tickets=tuple(named.values()),
    )


def _policies(reading: _Reading, found: History) -> list[Effective]:
    return reading.task.effective(reading.agents, found.durations, reading.second)


def _record(reading: _Reading, book: Book, services: Services) -> tuple[int, ...]:
    """Append an entry for each snapshot that the log does not have, whoever else reads at the same time."""
    while True:
        last = book.last()
        size = last.index + 1 if last else 0
        found = history(book.entries(kinds=KINDS), origin=book.origin)
        contract = reading.task.contract
        named = {"contract": contract.id, "contract_digest": contract.digest}
        bodies = [{**body, **named} for one in _policies(reading, found) for body in _new(reading, found, one)]
        if not bodies:
            return ()
        operator = book.pseudonym(services.operator)
        drafts = [Draft("backup_status", reading.at, operator, body) for body in bodies]
        first = under(book, contract, drafts[0])
        entries = book.append((*first, *drafts[1:]), expected=size)
        if entries:
            book.sign(reading.at)
            return tuple(entry.index for entry in entries if entry.kind == "backup_status")


def _new(reading: _Reading, found: History, one: Effective) -> list[dict[str, object]]:
    stores = reading.stores(one.stores, one.agent)
    return list(new_bodies(found, one.agent, stores, reading.results[one.agent].backups))


def _standings(reading: _Reading, found: History) -> tuple[BackupStanding, ...]:
    assets = {agent.name: agent for agent in reading.agents}
    return tuple(stand(one.agent, _seen(reading, found, one, assets[one.agent])) for one in _policies(reading, found))


def _seen(reading: _Reading, found: History, one: Effective, asset: Asset) -> Seen:
    result, silence = reading.results[one.agent], found.silence(one.agent)
    return Seen(
        at=reading.second,
        policy=one.policy,
        stores=reading.stores(one.stores, one.agent),
        answers=result.backups is not None or _answered(result),
        machine=result.backups,
        configured=found.configured.get(one.agent),
        recorded=tuple(found.recorded[one.agent]),
        drills=found.drills(one.agent),
        probes=tuple(found.probes[one.agent]),
        always_on=reading.task.always_on(asset, reading.second),
        ticket=silence[0] if silence and silence[1] else None,
        lacking="; ".join(reason.text for reason in one.reasons),
    )


SAYS_NOTHING = frozenset({"no_route", "timeout", "connection_refused"})
"""The reasons for which nobody answers at an address: a machine that is off is one of them, a changed key is not."""


def _answered(result: AssetResult) -> bool:
    return result.reason is None or result.reason.code not in SAYS_NOTHING


def _open(reading: _Reading, book: Book, services: Services, one: BackupStanding, found: History) -> str:
    """Open a ticket about a machine, or open that of today again; return its name, nothing where it is refused."""
    ticket = f"backup-{one.asset[:46]}-{reading.at.astimezone(UTC):%Y%m%d}"
    known = {event.ticket for event in found.record.tickets}
    kind = TicketEventKind.REOPENED if ticket in known else TicketEventKind.OPENED
    event = TicketEvent(reading.second, 0, ticket, kind, asset=one.asset, priority=PRIORITY)
    if kind is TicketEventKind.REOPENED:
        event = event._replace(asset=None, priority=None)
    task = reading.task
    desk = Desk(
        contracts=(task.contract,),
        membership=Membership(groups={asset.name: asset.groups for asset in task.assets}),
        operator=services.operator,
        at=reading.at,
        contract_id=task.contract.id,
    )
    try:
        enter(book, event, desk)
    except UsageError as error:
        services.progress.note(f"warning: no ticket about {one.asset}: {error}")
        return ""
    return ticket

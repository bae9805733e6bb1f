"""Scanning: what updates a client's machines wait for, read as one intervention that changes nothing, and recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.ledger.entry import Draft
from provisioner.missions.bodies import Request
from provisioner.missions.perform import perform
from provisioner.missions.recording import under
from provisioner.missions.scan_entries import first_seen, scan_body
from provisioner.model.redaction import redactor, secrets_of
from provisioner.planning.advisories import assess, usable
from provisioner.planning.software_updates import plan_patch_scan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.ledger.book import Book
    from provisioner.missions.rollout_task import Task
    from provisioner.missions.services import Services
    from provisioner.model.advisory import Assessment, Snapshot
    from provisioner.model.intervention import AssetResult, Intervention
    from provisioner.model.patch_level import PatchLevel


@dataclass(frozen=True, kw_only=True)
class Advisories:
    """The newest snapshot of advisories, if there is one, and after how many seconds one is stale."""

    snapshot: Snapshot | None
    stale_after: int


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """A scan: its intervention, what it proves of each machine that was read, and the snapshot that was looked at."""

    intervention: Intervention
    machines: tuple[Assessment, ...]
    snapshot: Snapshot | None


def scan(task: Task, services: Services, advisories: Advisories, *, host: str = "") -> Scanned:
    """Read what is pending on the covered machines, or on one of hosts.yml: one intervention, which changes nothing.

    Each machine that was read gets an entry `scan`; one that was not reached, or failed, gets none. Raises UsageError
    for a machine that is not there, or where none is covered, and what `perform` raises.
    """
    at = int(services.now().timestamp())
    task.terms(at)
    assets = tuple(asset for asset in task.assets if asset.name == host) if host else task.covered(at)
    if not assets:
        raise UsageError(f"no machine to scan: {host or 'none is covered'}", hint="`invoke contract.show` lists them")
    plan = plan_patch_scan(assets, task.content)
    request = Request(contract=task.contract, assets=assets, plan=plan, accept=task.accept, ticket=None, check=False)
    done = perform(request, services)
    levels = {result.name: level for result in done.assets if (level := _read(result, services)) is not None}
    if not levels:
        return Scanned(intervention=done, machines=(), snapshot=advisories.snapshot)
    with services.open_book(task.client) as book:
        now = services.now()
        found = _assessments(levels, advisories, book, at=int(now.timestamp()))
        hide = redactor(secret for asset in assets for secret in secrets_of(asset))
        bodies = [scan_body(done.id, one, advisories.snapshot, hide=hide) for one in found]
        drafts = [Draft("scan", now, book.pseudonym(services.operator), body) for body in bodies]
        entries = book.append((*under(book, task.contract, drafts[0]), *drafts[1:]))
        book.sign(now)
    indices = tuple(entry.index for entry in entries if entry.kind == "scan")
    whole = replace(done, entries=(*done.entries, *indices))
    return Scanned(intervention=whole, machines=found, snapshot=advisories.snapshot)


def _read(result: AssetResult, services: Services) -> PatchLevel | None:
    """The level of a machine whose reading ended well."""
    if result.outcome.accepted and result.level is None:
        services.progress.note(f"{result.name} handed no patch level over: no scan of it is recorded")
    return result.level if result.outcome.accepted else None


def _assessments(
    levels: Mapping[str, PatchLevel], advisories: Advisories, book: Book, *, at: int
) -> tuple[Assessment, ...]:
    why = usable(advisories.snapshot, stale_after=advisories.stale_after, at=at)
    told = why or advisories.snapshot
    assert told is not None
    seen = first_seen(book.entries(kinds=("scan",)))
    return tuple(assess(name, level, told, seen=seen, at=at) for name, level in levels.items())
